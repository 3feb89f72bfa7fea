-- Writes a node's hold on a process, and the process's spec when it is not there.
-- One operation: `retire` either sees the hold, or has removed the spec before and it is written anew here.
-- KEYS  1 processes  2 process  3 holds of the process (hash `node\nref` -> detail)  4 held-by of the node (hash name -> count)  5 holders (set)  6 nodes
-- ARGV  1 name  2 kind  3 args JSON  4 node id  5 ref  6 detail
-- Result: the process's hash, flat; nil when the node is not announced
if redis.call('HEXISTS', KEYS[6], ARGV[4]) == 0 then
  return false
end
if redis.call('HSET', KEYS[3], ARGV[4] .. '\n' .. ARGV[5], ARGV[6]) == 1 then
  redis.call('HINCRBY', KEYS[4], ARGV[1], 1)
  redis.call('SADD', KEYS[5], ARGV[4])
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  local t = redis.call('TIME')
  redis.call('SADD', KEYS[1], ARGV[1])
  redis.call('HSET', KEYS[2], 'name', ARGV[1], 'kind', ARGV[2], 'args', ARGV[3], 'node', '', 'fence', '0', 'state', 'orphaned',
    'since', string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)), 'restarts', '0', 'error', '')
end
redis.call('HSET', KEYS[2], 'unheld', '')
return redis.call('HGETALL', KEYS[2])
