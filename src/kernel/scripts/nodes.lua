-- All nodes.
-- KEYS  1 nodes  2 beats  3 infos  4 states
-- Result: flat list of record JSON, ms since the last beat, info JSON, state
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local out = {}
local nodes = redis.call('HGETALL', KEYS[1])
for i = 1, #nodes, 2 do
  local id = nodes[i]
  out[#out + 1] = nodes[i + 1]
  out[#out + 1] = string.format('%.0f', now - tonumber(redis.call('HGET', KEYS[2], id) or '0'))
  out[#out + 1] = redis.call('HGET', KEYS[3], id) or '{}'
  out[#out + 1] = redis.call('HGET', KEYS[4], id) or 'live'
end
return out
