package netpoll

// Engines returns the names that Config.Engine may have on this system, the default first.
func Engines() []string { return []string{engineEpoll, engineEvio} }
