-- Heartbeat of a node.
-- KEYS  1 nodes  2 beats  3 infos
-- ARGV  1 id  2 info JSON
-- Result: 1, or 0 when the node is not (any more) announced
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
local t = redis.call('TIME')
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
return 1
