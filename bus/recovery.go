package bus

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// lookAround looks at the partition's head, and brings the partition back if the bus
// lost something. Without an error the epoch that is open is r.target.
func (r *receiver) lookAround() error {
	h, err := r.readHead()
	if err != nil {
		return err
	}
	if h.epoch != r.epoch || !h.open() {
		r.leave()
	}
	r.highest = max(r.highest, r.ledger.Newest(r.p.index))
	switch {
	case h.epoch < max(r.highest, 1):
		return r.raise(h, 0)
	case !h.open():
		r.highest = h.epoch
		return r.bringBack(h)
	case r.p.lostScript(h.epoch):
		return r.raise(h, 0)
	case h.n < r.place.N && (r.place.Epoch == h.epoch || r.epoch == h.epoch):
		return r.raise(h, r.place.N)
	}
	r.highest = h.epoch
	r.behind = r.behind || r.place.N < h.n || r.p.openEpoch() != h.epoch
	r.target = h.epoch
	r.look = false
	return nil
}

// raise begins a new epoch, unless somebody did since h was read. held is not 0 if the
// reason is that this node holds more than the bus.
func (r *receiver) raise(h head, held uint64) error {
	r.leave()
	seen, holds := "", ""
	if h.epoch != 0 {
		seen = strconv.FormatUint(h.epoch, 10)
	}
	if held != 0 {
		holds = strconv.FormatUint(held, 10)
	}
	least := strconv.FormatUint(max(r.highest, h.epoch)+1, 10)
	cmd := r.control.B().Eval().Script(raiseScript).Numkeys(2).Key(r.p.keys.meta, r.p.keys.ready).
		Arg(seen, least, holds, r.publish, r.p.keys.channel).Build()
	m, err := r.do(cmd)
	if err != nil {
		return err
	}
	now, _ := m.ToString()
	r.log.Debug("a partition begins a new epoch: the bus is new, or restarted, or lost something",
		"partition", r.p.index, "was", seen, "epoch", now, "n", h.n, "held", r.place.N)
	return nil // the flag stands: look at what is there now
}

// bringBack does this node's share while an epoch is closed: what the log lost goes
// back in, and one of the nodes opens it.
func (r *receiver) bringBack(h head) error {
	r.held, r.behind = "", true // it is in the log, or else another node has it
	holds := r.place.N
	if holds > h.n {
		var fork *forkError
		err := r.putBack(h)
		switch {
		case errors.As(err, &fork): // seen to once the epoch is open
			r.log.Warn("what this node holds is not what the log goes on with", "partition", r.p.index, "err", err)
			holds = 0
		case err != nil:
			return err
		}
	}
	answer, err := r.confirm(h.epoch, holds)
	if err != nil {
		return err
	}
	name, token, _ := strings.Cut(answer, " ")
	switch name {
	case "EPOCH", "OPEN", "BEHIND":
		return nil // look again
	case "WAIT":
		return errWait
	case "STUCK":
		return r.raise(h, 0)
	case "GO":
		return r.open(h.epoch, token)
	}
	return fmt.Errorf("bus: the confirmation was answered with %q", answer)
}

// confirm says that this node has put back all up to holds.
func (r *receiver) confirm(epoch, holds uint64) (string, error) {
	names, complete := r.others()
	all := "0"
	if complete {
		all = "1"
	}
	cmd := r.control.B().Eval().Script(confirmScript).Numkeys(2).Key(r.p.keys.meta, r.p.keys.ready).
		Arg(strconv.FormatUint(epoch, 10), r.cfg.Node, strconv.FormatInt(r.cfg.pace.patience.Milliseconds(), 10),
			all, strconv.FormatUint(holds, 10)).Arg(names...).Build()
	m, err := r.do(cmd)
	if err != nil {
		return "", err
	}
	answer, err := m.ToString()
	if err != nil {
		return "", fmt.Errorf("bus: confirm: %w", err)
	}
	return answer, nil
}

// open makes the bus know the epoch's script, which opens the epoch.
func (r *receiver) open(epoch uint64, token string) error {
	k := &r.p.keys
	cmd := r.control.B().Eval().Script(r.batchScript(r.p.index, k, epoch).text).Numkeys(7).
		Key(k.meta, k.log, k.ids0, k.ids1, k.seq0, k.seq1, k.epochs).Arg("open", token).Build()
	_, err := r.do(cmd)
	if refusal := asRefusal(err); refusal != nil && refusal.name == refusedEpoch {
		return nil // look again
	}
	return err
}
