-- How many hold each node's pulse.
-- KEYS  the pulse channels
-- Result: list of counts, in the order of KEYS
local flat = redis.call('PUBSUB', 'SHARDNUMSUB', unpack(KEYS))
local out = {}
for i = 2, #flat, 2 do
  out[#out + 1] = flat[i]
end
return out
