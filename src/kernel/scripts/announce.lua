-- Announces a node unless another living incarnation has its name.
-- KEYS  1 nodes (hash id -> record JSON)  2 beats (hash id -> ms)  3 infos (hash id -> JSON)  4 states (hash id -> state)  5 era
-- ARGV  1 id  2 name prefix of ids of this name (`name~`)  3 record JSON  4 state  5 info JSON  6 dead after ms  7 era to begin if there is none
-- Result: { id of the living incarnation or '', era }
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('SET', KEYS[5], ARGV[7], 'NX')
local era = redis.call('GET', KEYS[5])
for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
  if id ~= ARGV[1] and string.sub(id, 1, #ARGV[2]) == ARGV[2] and not string.find(id, '~', #ARGV[2] + 1, true) then
    if now - tonumber(redis.call('HGET', KEYS[2], id) or '0') < tonumber(ARGV[6]) then
      return { id, era }
    end
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', now))
redis.call('HSET', KEYS[3], ARGV[1], ARGV[5])
redis.call('HSET', KEYS[4], ARGV[1], ARGV[4])
return { '', era }
