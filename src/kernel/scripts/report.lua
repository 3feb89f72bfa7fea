-- Notes how a process fares, under its owner's fence.
-- KEYS  1 process
-- ARGV  1 fence  2 state  3 restarts  4 error ('' for none)
-- Result: 1, or 0 when it is gone or a higher fence was there
if redis.call('EXISTS', KEYS[1]) == 0 or tonumber(redis.call('HGET', KEYS[1], 'fence')) > tonumber(ARGV[1]) then
  return 0
end
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[2] then
  local t = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'since', string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'restarts', ARGV[3], 'error', ARGV[4])
return 1
