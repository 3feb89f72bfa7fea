-- Removes a lock by its exact value.
-- KEYS  1 lock
-- ARGV  1 value
-- Result: 1, or 0 when it is not there
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
