-- Replaces a process's arguments.
-- KEYS  1 process
-- ARGV  1 args JSON
-- Result: 1, or 0 when there is no such process
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'args', ARGV[1])
return 1
