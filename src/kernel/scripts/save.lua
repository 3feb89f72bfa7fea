-- Keeps a process's state under its owner's fence.
-- KEYS  1 process  2 backup
-- ARGV  1 fence  2 state
-- Result: 1, or 0 when it is gone or a higher fence was there
if redis.call('EXISTS', KEYS[1]) == 0 or tonumber(redis.call('HGET', KEYS[1], 'fence')) > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2])
return 1
