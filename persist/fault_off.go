//go:build !nebulafault

package persist

import "nebula/shard"

// checkpointScale divides the lengths of the log from which it is written back.
const checkpointScale = 1

// faults is empty in a server that people use; see fault_on.go.
type faults struct{}

func (faults) arm() error { return nil }

func (faults) hit(string) error { return nil }

func (faults) ackEarly([]item, func([]shard.Notice)) {}
