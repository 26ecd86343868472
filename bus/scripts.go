package bus

import (
	"crypto/sha1" // names scripts on the bus; nothing is secured by it
	"encoding/hex"
	"strconv"
	"strings"
)

// Refusals of the scripts; each wrote nothing.
const (
	refusedEpoch   = "EPOCH"   // the caller's epoch is not the bus's, or not open: the bus was lost, or raised
	refusedBehind  = "BEHIND"  // the caller holds more than the bus: it was rolled back
	refusedFork    = "FORK"    // the log has something else where the caller's entry was
	refusedLate    = "LATE"    // the caller knows too little for its messages to be told from repeated ones
	refusedVersion = "VERSION" // the members stored are not those that the delta is for
	refusedShards  = "SHARDS"  // the cluster has another number of partitions
	refusedTaken   = "TAKEN"   // another process, started later, has this node's name
)

// batchScript puts a batch in order. Its text, and so its name in the script cache,
// holds the partition and the epoch: only who opened the epoch loads it, once, so a
// server that does not know it has restarted, or taken over, since.
//
// KEYS: meta, log, ids:0, ids:1, seq:0, seq:1, epochs. ARGV: "open" and the token of
// confirmScript; or known, held, messages, rooms, force (see forceNone), body, then room
// and floor of each room, then digest and number of its room of each message. It returns
// n of the newest entry, the time, and for each message that was in the log before its
// number and "seq time".
//
// The window: what was put in order since base is in the two buckets of ids and seq.
// What is older must be known to the caller (LATE), from whom floor comes, so that a
// bucket lasts seconds only and the rooms' newest seq need not be kept for ever.
//
// XADD is the first write, so that a full or read-only server refuses the whole.
const batchScript = `-- nebula batch, partition @PARTITION@
local EPOCH = '@EPOCH@'
local m = redis.call('HMGET', KEYS[1], 'epoch', 'opened', 'n', 'base', 'mid', 'turn', 'side', 'size', 'go')
local n = tonumber(m[3] or '0')
local t = redis.call('TIME')
local milli = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[1] == 'open' then
  if m[1] ~= EPOCH or m[2] == EPOCH or m[9] ~= ARGV[2] then return redis.error_reply('EPOCH ' .. (m[1] or '')) end
  redis.call('HSET', KEYS[1], 'opened', EPOCH, 'n', n, 'base', n, 'mid', n, 'turn', milli, 'side', 0)
  redis.call('HSET', KEYS[7], EPOCH, n + 1)
  redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[5], KEYS[6])
  redis.call('@PUBLISH@', '@CHANNEL@', '\4')
  return n
end
if m[1] ~= EPOCH or m[2] ~= EPOCH then return redis.error_reply('EPOCH ' .. (m[1] or '')) end
if tonumber(ARGV[2]) > n then return redis.error_reply('BEHIND ' .. n) end
local count, rooms = tonumber(ARGV[3]), tonumber(ARGV[4])
local base, mid, side = tonumber(m[4]), tonumber(m[5]), tonumber(m[7])
local turned = math.abs(milli - m[6]) >= @WINDOW@
if turned then base, mid, side = mid, n, 1 - side end
if count > 0 and tonumber(ARGV[1]) < base then return redis.error_reply('LATE ' .. base) end
local ids, seq = KEYS[3 + side], KEYS[5 + side]
local last, known, seqs, newids, newseq, reply = {}, {}, {}, {}, {}, {n + 1, milli}
if count > 0 then
  local names, digests = {}, {}
  for i = 1, rooms do names[i] = ARGV[5 + 2 * i] end
  for i = 1, count do digests[i] = ARGV[5 + 2 * (rooms + i)] end
  local young, fresh, old, past = redis.call('HMGET', seq, unpack(names)), redis.call('HMGET', ids, unpack(digests)), {}, {}
  if turned then young, fresh = old, past end
  old = redis.call('HMGET', KEYS[6 - side], unpack(names))
  past = redis.call('HMGET', KEYS[4 - side], unpack(digests))
  for i = 1, rooms do
    last[i] = math.max(tonumber(ARGV[6 + 2 * i]), tonumber(young[i] or 0), tonumber(old[i] or 0))
  end
  for i = 1, count do
    local d = digests[i]
    local was = known[d] or fresh[i] or past[i]
    if was then
      seqs[i] = '\0\0\0\0\0\0\0\0'
      reply[#reply + 1] = i
      reply[#reply + 1] = was
    else
      local r = tonumber(ARGV[6 + 2 * (rooms + i)])
      last[r] = last[r] + 1
      seqs[i] = struct.pack('>I8', last[r])
      known[d] = struct.pack('>I7I6', last[r], milli)
      newids[#newids + 1] = d
      newids[#newids + 1] = known[d]
    end
  end
  for i = 1, rooms do
    newseq[2 * i - 1] = names[i]
    newseq[2 * i] = last[i]
  end
end
if #newids == 0 and ARGV[5] == '0' then
  reply[1] = n
  return reply
end
n = n + 1
local e = struct.pack('>BI8I8I8I2', 1, EPOCH, n, milli, count) .. table.concat(seqs) .. ARGV[6]
local size = tonumber(m[8] or '512')
size = size + (#e + 96 - size) / 64
local most = math.floor(math.min(math.max(@LOGBYTES@ / size, 100), 1000000))
redis.call('XADD', KEYS[2], 'MAXLEN', '~', most, EPOCH .. '-' .. string.format('%.0f', n), 'e', e)
redis.call('HSET', KEYS[1], 'n', n, 'size', size)
if turned then
  redis.call('UNLINK', ids, seq)
  redis.call('HSET', KEYS[1], 'base', base, 'mid', mid, 'turn', milli, 'side', side)
end
if ARGV[5] == '2' then redis.call('HSET', KEYS[1], 'base', n, 'mid', n) end
if #newids > 0 then
  redis.call('HSET', ids, unpack(newids))
  redis.call('HSET', seq, unpack(newseq))
end
redis.call('@PUBLISH@', '@CHANNEL@', e)
return reply
`

// raiseScript begins a new epoch, which is closed until it is opened: nobody puts
// messages in order meanwhile. It does so only if the epoch is still the one that the
// caller saw, and, if the caller holds more than the bus, if that is still so.
//
// KEYS: meta, ready. ARGV: the epoch seen, the least new one, held or "", publish,
// channel. It returns the epoch in force.
const raiseScript = `-- nebula raise
local m = redis.call('HMGET', KEYS[1], 'epoch', 'n')
if (m[1] or '') ~= ARGV[1] then return m[1] or '' end
if ARGV[3] ~= '' and tonumber(ARGV[3]) <= tonumber(m[2] or '0') then return m[1] or '' end
local t = redis.call('TIME')
local milli = t[1] * 1000 + math.floor(t[2] / 1000)
local e = string.format('%.0f', math.max(milli, tonumber(ARGV[2])))
redis.call('HSET', KEYS[1], 'epoch', e, 'raised', milli)
redis.call('HDEL', KEYS[1], 'go')
redis.call('HSETNX', KEYS[1], 'n', 0)
redis.call('UNLINK', KEYS[2])
redis.call(ARGV[4], ARGV[5], '\4')
return e
`

// putScript puts entries back that the log lost, each at its own place, while the
// epoch is not open. What somebody else put back already is passed over. If the first
// one does not follow on what is there, the log begins anew with it. With or without
// entries it says that a node is at work, so that the others have patience.
//
// KEYS: meta, log. ARGV: the epoch, whether the caller had the entry before its first one
// (1), then of each entry n, epoch, whether the epoch is sure (1), and bytes. It returns n of
// the newest entry, and whether the caller had the last one of its entries. It refuses if
// the log has another entry in the place of one of them, or may have: one that is not sure
// proves nothing, and on what another node put in its place nothing of the caller's may
// follow. Of entries from before its first one it tells nothing.
const putScript = `-- nebula put
local m = redis.call('HMGET', KEYS[1], 'epoch', 'opened', 'n')
if m[1] ~= ARGV[1] or m[2] == ARGV[1] then return redis.error_reply('EPOCH ' .. (m[1] or '')) end
local n = tonumber(m[3] or '0')
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'worked', t[1] * 1000 + math.floor(t[2] / 1000))
local had = ARGV[2] == '1'
if tonumber(ARGV[3] or '0') > n + 1 then
  redis.call('UNLINK', KEYS[2])
  n = tonumber(ARGV[3]) - 1
  had = true
end
local head = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local first = head and tonumber(string.match(head[1], '%d+$')) or n + 1
for i = 3, #ARGV, 4 do
  local id = ARGV[i + 1] .. '-' .. ARGV[i]
  if tonumber(ARGV[i]) == n + 1 then
    local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    if last and not had then return redis.error_reply('FORK ' .. last[1]) end
    if last and tonumber(string.match(last[1], '^%d+')) > tonumber(ARGV[i + 1]) then return redis.error_reply('FORK ' .. last[1]) end
    redis.call('XADD', KEYS[2], id, 'e', ARGV[i + 3])
    n = n + 1
    redis.call('HSET', KEYS[1], 'n', n)
    had = true
  elseif tonumber(ARGV[i]) >= first then
    had = ARGV[i + 2] == '1'
    if had and not redis.call('XRANGE', KEYS[2], id, id)[1] then return redis.error_reply('FORK ' .. id) end
  end
end
return {n, had and 1 or 0}
`

// confirmScript says that a node has put back all that it holds, and tells one node,
// once, to open the epoch: when all nodes that it names have said so, or when for as long as
// its patience none was seen at work, or after ten times that. A node that was told and
// did not is not waited for longer than its patience: the epoch is STUCK. The token that GO comes with shows, when the epoch is opened, that the
// bus did not lose since then what was put back.
//
// KEYS: meta, ready. ARGV: the epoch, the node, patience in ms, complete (1: the names
// are all nodes there are), n of the newest entry that the node holds and the log must
// have by now, the other nodes' names.
const confirmScript = `-- nebula confirm
local m = redis.call('HMGET', KEYS[1], 'epoch', 'opened', 'raised', 'go', 'n', 'worked')
if m[1] ~= ARGV[1] then return 'EPOCH' end
if m[2] == ARGV[1] then return 'OPEN' end
if tonumber(ARGV[5]) > tonumber(m[5] or '0') then return 'BEHIND' end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
local t = redis.call('TIME')
local milli = t[1] * 1000 + math.floor(t[2] / 1000)
local patience = tonumber(ARGV[3])
if m[4] then
  if math.abs(milli - m[4]) > patience then return 'STUCK' end
  return 'WAIT'
end
local all = ARGV[4] == '1'
for i = 6, #ARGV do
  all = all and redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[1]
end
local quiet = math.abs(milli - math.max(tonumber(m[3]), tonumber(m[6] or '0')))
if not all and quiet < patience and math.abs(milli - m[3]) < 10 * patience then return 'WAIT' end
local token = string.format('%.0f', milli)
redis.call('HSET', KEYS[1], 'go', token)
return 'GO ' .. token
`

// What force may be.
const (
	forceNone  = "0" // an entry only if a message is new
	forceEntry = "1" // an entry in any case
	forceAlone = "2" // and nobody puts messages in order who does not know it: it has some that are in no window
)

// script is a batchScript for one partition and epoch.
type script struct {
	text string
	name string // its SHA-1 in hexadecimal, as the script cache knows it
}

func (c *core) batchScript(partition int, k *keys, epoch uint64) script {
	text := strings.NewReplacer(
		"@PARTITION@", strconv.Itoa(partition), "@EPOCH@", strconv.FormatUint(epoch, 10),
		"@PUBLISH@", c.publish, "@CHANNEL@", k.channel,
		"@WINDOW@", strconv.FormatInt(c.cfg.pace.window.Milliseconds(), 10),
		"@LOGBYTES@", strconv.Itoa(c.cfg.LogBytes),
	).Replace(batchScript)
	sum := sha1.Sum([]byte(text))
	return script{text: text, name: hex.EncodeToString(sum[:])}
}
