-- Ends a process: removes its spec and its backup, unless somebody holds it or a higher fence was there.
-- KEYS  1 processes  2 process  3 holds of the process  4 backup
-- ARGV  1 name  2 fence  3 force ('1': in spite of holds; with fence 0 in spite of any owner)
-- Result: 1, or 0
if redis.call('EXISTS', KEYS[2]) == 0 then
  return 0
end
local force = ARGV[3] == '1'
if tonumber(redis.call('HGET', KEYS[2], 'fence')) > tonumber(ARGV[2]) and not (force and ARGV[2] == '0') then
  return 0
end
if not force and redis.call('EXISTS', KEYS[3]) == 1 then
  return 0
end
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[4])
return 1
