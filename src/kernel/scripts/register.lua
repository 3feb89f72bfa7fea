-- Registers a process unless its name is there already.
-- KEYS  1 processes (set of names)  2 process (hash)  3 holds of the process
-- ARGV  1 name  2 kind  3 args JSON
-- Result: the process's hash, flat
if redis.call('EXISTS', KEYS[2]) == 0 then
  local t = redis.call('TIME')
  local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
  redis.call('SADD', KEYS[1], ARGV[1])
  redis.call('HSET', KEYS[2], 'name', ARGV[1], 'kind', ARGV[2], 'args', ARGV[3], 'node', '', 'fence', '0', 'state', 'orphaned',
    'since', now, 'restarts', '0', 'error', '', 'unheld', redis.call('EXISTS', KEYS[3]) == 1 and '' or now)
end
return redis.call('HGETALL', KEYS[2])
