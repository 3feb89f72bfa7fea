-- Removes all of a poller's channels but not its fence and epoch, which stay for an hour: a late writer must still be refused.
-- KEYS  1 meta  2 frames  3 statuses
-- ARGV  1 fence  2 prefix of the log keys
-- Result: 1, or 0 when a higher fence was seen
if tonumber(redis.call('HGET', KEYS[1], 'fence') or '0') > tonumber(ARGV[1]) then
  return 0
end
for _, channel in ipairs(redis.call('HKEYS', KEYS[2])) do
  redis.call('DEL', ARGV[2] .. channel)
end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'fence', ARGV[1])
redis.call('PEXPIRE', KEYS[1], 3600000)
return 1
