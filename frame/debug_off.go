//go:build !nebuladebug

package frame

// debug is what a Buf carries to find misuse; debug_on.go has the version that does something.
type debug struct{}

func (debug) taken(*Buf)  {}
func (debug) shared(*Buf) {}
func (debug) frozen(*Buf) {}
func (debug) freed(*Buf)  {}

func (debug) misused(what string) { panic("frame: " + what) }
