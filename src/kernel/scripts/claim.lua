-- Makes a node the owner of a process under its fence.
-- KEYS  1 process
-- ARGV  1 node id  2 fence
-- Result: the process's hash, flat; nil when it is gone or a higher fence was there
if redis.call('EXISTS', KEYS[1]) == 0 or tonumber(redis.call('HGET', KEYS[1], 'fence')) > tonumber(ARGV[2]) then
  return false
end
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'fence', ARGV[2], 'state', 'starting', 'error', '',
  'since', string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
return redis.call('HGETALL', KEYS[1])
