-- Replaces the very grant of a dead or leaving owner by another one.
-- KEYS  1 lock
-- ARGV  1 its value  2 our value  3 lease ms
-- Result: 1, or 0 when another grant, or none, is there
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
