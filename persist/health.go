package persist

import (
	"fmt"
	"time"
)

// hangsAfter is how long a transaction may take until Health reports it.
const hangsAfter = 3 * time.Second

// Health returns nil if messages can be stored, else what is wrong; any goroutine.
func (s *Store) Health() error {
	if err := s.fault.Load(); err != nil {
		return *err
	}
	if began := s.committing.Load(); began != 0 {
		if d := time.Duration(s.cfg.Now() - began); d > hangsAfter {
			return fmt.Errorf("persist: a commit takes %v so far", d.Round(time.Second))
		}
	}
	return nil
}

// retryAfter notes that a transaction failed and waits; false: give up.
func (s *Store) retryAfter(wait time.Duration, err error) bool {
	s.errors.Add(1)
	if s.fault.Swap(&err) == nil {
		s.cfg.Log.Error("messages cannot be stored, trying again", "err", err)
	}
	select {
	case <-time.After(wait):
		return true
	case <-s.giveUp:
		return false
	}
}
