// Package web is everything of Nebula that speaks plain HTTP: the page and its
// modules, the signed cookie and /session, health and readiness, metrics, the
// dashboard and profiles.
//
// What it does not know: sockets, frames, rooms, SQL and Redis. What it shows
// comes through functions in its Config structs (Ready, Snapshot), and an
// upgrade that reached net/http goes out through PublicConfig.Upgrade.
//
// Goroutines: none of its own. Handlers run on net/http's; Sessions may be used
// by any goroutine, the event loops' too, and takes no lock.
//
// Invariants:
//   - Static files never change while the process lives: they are embedded,
//     their ETags are computed once.
//   - Every answer carries the headers of secured: a strict
//     Content-Security-Policy without any 'unsafe-', nosniff, no framing. The
//     pages hold no inline script and no inline style, and Trusted Types make a
//     browser refuse a string where HTML is expected, so text stays text.
//   - A cookie is believed only if one of the keys signed it; everything else in
//     it is read after the signature was checked.
//   - No label of a metric holds a room, a user or an address.
//
// What a full queue does: there is none. A request body is bounded by
// maxSessionBody, a cookie by maxCookie, and time by the servers that
// PublicServer and AdminServer return.
//
// The page (static/) is plain ES modules, no build step. Modules under
// static/core know no DOM, no fetch and no global clock; the tests in
// jstest/ run them in Node against a fake socket:
//
//	protocol.js    frames in and out, error codes as sentences
//	backoff.js     waiting times between attempts
//	outbox.js      messages not yet acked, kept in localStorage
//	pace.js        no more messages a second than the server takes
//	room.js        one room's messages: order, doubles, holes, epochs
//	people.js      who is in a room
//	connection.js  socket life: connect, heartbeat, goodbye, reconnect
//	client.js      joins the six above; the only one the page talks to
//
// Modules under static/ui draw what the client knows; ui/log.js keeps the
// document small however long a room is.
//
// The dashboard (admin/) is made the same way: metrics.js reads the text format
// and makes rates and percentiles, tiles.js says what is shown, dashboard.js
// draws it.
//
// Both are tested in Chromium too: here against a small fake server that can
// refuse, fall silent and fall down, in cmd/nebula against the real one. Every
// message in the console fails a test. What tests may rely on is written at the
// top of static/index.html and admin/dashboard.html. With NEBULA_SHOTS=folder
// the tests leave pictures there, for people to look at.
//
// Decisions:
//   - The cookie holds user, name and issue time itself, so that any node with
//     the key knows a client without asking another, and nothing is stored.
//   - A cookie older than a day is issued anew by GET /session: 30 days count
//     from the last visit, not from the first.
//   - Static files are sent with ETag and no-cache rather than with hashed names:
//     while nodes of two versions run behind one balancer, a hashed name from
//     one would be missing on the other.
//   - Public /readyz names what is not ready, the admin one says why too: an
//     error's text may hold paths of the machine.
//   - The dashboard reads /metrics like everybody else, so that it can not show
//     a number that an operator's own tools do not have.
//   - After a reconnect, others who come back within 20 s are no news: a server
//     that restarts takes all of them down with us. Who does not come is then
//     told as having left.
//   - The outbox is in localStorage, one entry a message: storage of one origin is
//     shared by its tabs, survives their end, and is written before the message
//     is sent. Two tabs may resend the same message; its id makes it one.
package web
