package bus

import (
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// watch keeps the mirrors right until withdraw: it reads the members that a mirror
// misses, and every pace.poll it compares what versions there are with those that the
// mirrors have.
func (d *directory) watch() {
	if !d.await(d.entered) {
		return
	}
	l, retry, due := newLane(), d.cfg.pace.retry, time.Now()
	for d.pause(time.Until(due), d.doubtful) && d.pause(d.cfg.pace.flush, nil) {
		var err error
		if !time.Now().Before(due) {
			due = time.Now().Add(d.cfg.pace.poll)
			err = d.compare(l)
		}
		if err == nil {
			err = d.read(l)
		}
		if err == nil {
			d.watched.Store(true)
			retry.reset()
			continue
		}
		d.log.Debug("presence was not compared", "err", err)
		due = time.Now()
		if !d.pause(retry.wait(), nil) {
			return
		}
	}
}

// compare asks for the versions of all nodes' members in all partitions: 1.4 µs of
// Redis each.
func (d *directory) compare(l lane) error {
	peers := d.peers()
	if len(peers) == 0 {
		return nil
	}
	calls := make(rueidis.Commands, 0, len(d.keys)*len(peers))
	for p := range d.keys {
		for _, peer := range peers {
			calls = append(calls, d.control.B().Hget().Key(d.keys[p].who+peer.Name).Field("").Build())
		}
	}
	answers, err := d.askAll(d.life, l, d.cfg.pace.call, calls)
	if err != nil {
		return fmt.Errorf("bus: compare the members of other nodes: %w", err)
	}
	for i := range answers {
		have, _ := answers[i].ToString()
		// None, or being written anew: the node will say when that is done.
		if version, ok := parseVersion(have); ok {
			d.mirrors[i/len(peers)].compare(peers[i%len(peers)].Name, version)
		}
	}
	return nil
}

// read reads the members that mirrors want.
func (d *directory) read(l lane) error {
	for p, m := range d.mirrors {
		nodes := m.toRead()
		if len(nodes) == 0 {
			continue
		}
		calls := make(rueidis.Commands, 0, len(nodes))
		for _, node := range nodes {
			calls = append(calls, d.control.B().Hgetall().Key(d.keys[p].who+node).Build())
		}
		answers, err := d.askAll(d.life, l, 4*d.cfg.pace.call, calls) // 20,000 members take 14 ms
		for i, node := range nodes {
			if err != nil {
				m.unread(node, true)
				continue
			}
			fields, _ := answers[i].AsStrMap()
			if version, ok := parseVersion(fields[""]); ok {
				m.read(node, version, parseFaces(fields))
			} else {
				m.unread(node, false)
			}
		}
		m.tell(p, d.rooms)
		if err != nil {
			return fmt.Errorf("bus: read the members of other nodes: %w", err)
		}
	}
	return nil
}

// parseFaces reads the fields of a node's members.
func parseFaces(fields map[string]string) map[string]map[string]face {
	faces := map[string]map[string]face{}
	for field, value := range fields {
		room, user, found := strings.Cut(field, "\x00")
		if !found { // the version
			continue
		}
		users := faces[room]
		if users == nil {
			users = map[string]face{}
			faces[room] = users
		}
		users[user] = parseFace(value)
	}
	return faces
}
