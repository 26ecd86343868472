// Package resp is one blocking connection to Redis, in RESP2: what the measuring
// programs ask Redis with, and what Nebula's way over Redis is compared with.
//
// It is deliberately not the client that the server uses: the bare side of a
// comparison has nothing but a write and a read.
//
// It does not know commands, nor more than one server. It starts no goroutine, and has
// no queue. Dial and Ask take Within at most; Send and Read as long as Limit said.
package resp
