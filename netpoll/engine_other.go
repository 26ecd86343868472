//go:build !linux

package netpoll

// Listen has no engine here yet.
func Listen(Config) (Engine, error) { return nil, ErrUnsupported }
