-- Sets a node's state.
-- KEYS  1 nodes  2 states
-- ARGV  1 id  2 state
-- Result: 1, or 0 when there is no such node
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
