package main

import (
	"nebula/netpoll"
	"nebula/shard"
	"nebula/web"
)

// snapshot returns what /metrics reads: every number of the node at one moment.
func (a *app) snapshot(sessions *web.Sessions) func() web.Snapshot {
	return func() web.Snapshot {
		sockets, rooms, gate := a.engine.Stats(), a.set.Stats(), a.gate.Counters()
		s := web.Snapshot{
			Connections: int64(sockets.Connections), ConnectionsTotal: sockets.Accepted,
			Rejected: map[string]uint64{
				"full": sockets.RejectedFull + gate.Full.Load(), "files": sockets.RejectedFiles, "draining": gate.Draining.Load(),
				"origin": gate.OriginRefused.Load(), "rate": gate.AddrLimited.Load(), "address": gate.AddrFull.Load(),
				"handshake": gate.BadHandshake.Load(), "plain_full": gate.PlainFull.Load(),
			},
			Disconnects: make(map[string]uint64),
			Rooms:       rooms.Rooms, Members: rooms.Members,
			Messages: map[string]uint64{
				"accepted": rooms.Accepted, "duplicate": rooms.Duplicate, "rate_limited": gate.RateLimited.Load(),
				"busy": rooms.Busy + gate.Busy.Load(), "rejected": rooms.Rejected + gate.Rejected.Load(),
			},
			Deliveries: rooms.Deliveries, Delivery: histogram(rooms.Delivery), Ack: histogram(rooms.Ack),
			BytesReceived: sockets.BytesIn, BytesSent: sockets.BytesOut, Writes: sockets.Writes,
			SendQueueBytes: sockets.QueuedBytes, SlowConsumers: sockets.SlowConsumers,
			LoopBusy: sockets.Busy, ShardQueue: rooms.Queue,
			RateLimited:      map[string]uint64{"user": gate.RateLimited.Load(), "address": gate.AddrLimited.Load()},
			CookieRejections: sessions.Rejected(),
		}
		for reason := range netpoll.Reason(netpoll.NumReasons) {
			s.Disconnects[reason.String()] = sockets.Closed[reason]
		}
		if a.store != nil {
			disk := a.store.Stats()
			s.PersistQueue, s.PersistErrors = int64(disk.Queue), disk.Errors
			s.PersistCommit, s.PersistBatch = histogram(disk.Commit), histogram(disk.Batch)
		}
		if a.bus != nil {
			b := a.bus.Stats()
			s.Bus = &web.BusSnapshot{
				Connected: b.Connected, Publish: histogram(b.Publish), Lag: histogram(b.Lag),
				Gaps: b.Gaps, Refilled: b.Refilled, Nodes: int64(b.Nodes),
			}
		}
		return s
	}
}

func histogram(h *shard.Histogram) web.Histogram {
	bounds, counts, sum := h.Snapshot()
	return web.Histogram{Bounds: bounds, Counts: counts, Sum: sum}
}
