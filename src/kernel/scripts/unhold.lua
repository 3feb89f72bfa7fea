-- Takes a hold back.
-- KEYS  1 holds of the process  2 held-by of the node  3 holders  4 process
-- ARGV  1 name  2 node id  3 ref
-- Result: 1, or 0 when it was not there
if redis.call('HDEL', KEYS[1], ARGV[2] .. '\n' .. ARGV[3]) == 0 then
  return 0
end
if redis.call('HINCRBY', KEYS[2], ARGV[1], -1) <= 0 then
  redis.call('HDEL', KEYS[2], ARGV[1])
  if redis.call('EXISTS', KEYS[2]) == 0 then
    redis.call('SREM', KEYS[3], ARGV[2])
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 and redis.call('EXISTS', KEYS[4]) == 1 then
  local t = redis.call('TIME')
  redis.call('HSET', KEYS[4], 'unheld', string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
end
return 1
