-- Raises a poller's fence.
-- KEYS  1 meta (hash: fence, epoch, polledAt)
-- ARGV  1 fence
-- Result: 1, or 0 when a higher one was seen
if tonumber(redis.call('HGET', KEYS[1], 'fence') or '0') > tonumber(ARGV[1]) then
  return 0
end
redis.call('HSET', KEYS[1], 'fence', ARGV[1])
-- `drop` gave it an end; whoever owns the poller now needs it for as long as it lives.
redis.call('PERSIST', KEYS[1])
return 1
