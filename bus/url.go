package bus

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// ParseURL reads where the bus is:
//
//	redis://[user[:password]@]host[:port][,host[:port]...][/db][?sentinel=master]
//
// rediss is TLS. Several hosts are the nodes of a Redis Cluster; a single one may be
// one too. With sentinel, the hosts are Sentinels that watch the named master;
// sentinel_user and sentinel_password are theirs, if they ask for any. No error says
// anything of the password.
func ParseURL(s string) (rueidis.ClientOption, error) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		return rueidis.ClientOption{}, errors.New("bus: an address starts with redis:// or rediss://")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	at := strings.LastIndex(authority, "@") + 1
	// net/url takes one host only, so it gets a stand-in.
	u, err := url.Parse("redis://" + authority[:at] + "host" + rest[end:])
	if err != nil {
		return rueidis.ClientOption{}, errors.New("bus: the address is no URL") // err quotes the password
	}
	opt := rueidis.ClientOption{}
	err = fillOption(&opt, scheme, u, authority[at:])
	if err != nil && strings.Contains(rest[end:], "@") { // err may quote a part of the password
		err = errors.New("bus: the address is no URL: in a password / is written %2F, ? %3F, and # %23")
	}
	if err != nil {
		return rueidis.ClientOption{}, err
	}
	return opt, nil
}

func fillOption(opt *rueidis.ClientOption, scheme string, u *url.URL, hosts string) error {
	for host := range strings.SplitSeq(hosts, ",") {
		addr, err := address(host)
		if err != nil {
			return err
		}
		opt.InitAddress = append(opt.InitAddress, addr)
	}
	switch scheme {
	case "redis":
	case "rediss": // each server is asked for the name that it is dialled by
		opt.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	default:
		return fmt.Errorf("bus: scheme %q is neither redis nor rediss", scheme)
	}
	opt.Username = u.User.Username()
	opt.Password, _ = u.User.Password()
	if path := strings.TrimPrefix(u.Path, "/"); path != "" {
		db, err := strconv.ParseUint(path, 10, 16)
		if err != nil {
			return fmt.Errorf("bus: database %q is no number", path)
		}
		opt.SelectDB = int(db)
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return errors.New("bus: what follows the hosts is not /db?name=value") // err quotes the password
	}
	for name, values := range values {
		if err := option(opt, name, values[0]); err != nil {
			return err
		}
	}
	if opt.SelectDB != 0 && len(opt.InitAddress) > 1 && opt.Sentinel.MasterSet == "" {
		return errors.New("bus: a Redis Cluster has no database but 0")
	}
	return nil
}

func option(opt *rueidis.ClientOption, name, value string) error {
	switch name {
	case "sentinel":
		opt.Sentinel.MasterSet = value
	case "sentinel_user":
		opt.Sentinel.Username = value
	case "sentinel_password":
		opt.Sentinel.Password = value
	default:
		return fmt.Errorf("bus: unknown option %q in the address", name)
	}
	return nil
}

// address completes host[:port].
func address(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil { // no port
		host, port = strings.Trim(s, "[]"), "6379"
	}
	if n, err := strconv.ParseUint(port, 10, 16); host == "" || err != nil || n == 0 || strings.ContainsAny(host, " @") {
		return "", fmt.Errorf("bus: %q is not host:port", s)
	}
	return net.JoinHostPort(host, port), nil
}
