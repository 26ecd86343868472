package netpoll

// The names of the engines.
const (
	engineEpoll = "epoll"
	engineEvio  = "evio"
)

// Listen opens the port and starts the loops of Config.Engine. A port that somebody else listens on is
// refused.
func Listen(cfg Config) (Engine, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Engine == engineEvio {
		return listenEvio(cfg)
	}
	return listenEpoll(cfg)
}
