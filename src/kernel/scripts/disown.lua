-- Gives a process back without an owner.
-- KEYS  1 process
-- ARGV  1 fence
-- Result: 1, or 0 when it is gone or a higher fence was there
if redis.call('EXISTS', KEYS[1]) == 0 or tonumber(redis.call('HGET', KEYS[1], 'fence')) > tonumber(ARGV[1]) then
  return 0
end
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'node', '', 'state', 'orphaned', 'since', string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
return 1
