-- Keeps a room's state with the events that made it, and tells all who listen.
-- KEYS  1 room (hash fence, version, state)  2 its recent events (stream, ids are versions)  3 heads of its part (hash room -> JSON)
--       4 feed of its part (stream)  5 the room's channel  6 the heads' channel
-- ARGV  1 room  2 fence  3 version  4 state  5 head  6 ms to keep it, or ''  7 most recent events  8 most events in the feed
--       then for each event: version, JSON
-- Result: 1, also when this very commit got through before; 0 when a higher fence was there
local known = redis.call('HMGET', KEYS[1], 'fence', 'version')
local fence = tonumber(ARGV[2])
if known[1] and tonumber(known[1]) > fence then
  return 0
end
if known[1] and tonumber(known[1]) == fence and known[2] and tonumber(known[2]) >= tonumber(ARGV[3]) then
  return 1
end
redis.call('HSET', KEYS[1], 'fence', ARGV[2], 'version', ARGV[3], 'state', ARGV[4])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[5])
local events = {}
for at = 9, #ARGV, 2 do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], ARGV[at] .. '-0', 'e', ARGV[at + 1])
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[8], '*', 'e', ARGV[at + 1])
  events[#events + 1] = ARGV[at + 1]
end
if ARGV[6] == '' then
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', KEYS[2])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
end
redis.call('SPUBLISH', KEYS[5], '[' .. table.concat(events, ',') .. ']')
redis.call('SPUBLISH', KEYS[6], ARGV[5])
return 1
