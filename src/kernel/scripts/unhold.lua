-- Takes a hold back.
-- KEYS  1 holds of the process  2 held-by of the node  3 holders
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
return 1
