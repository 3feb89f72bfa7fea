-- Writes a node's holds on processes, and the specs of those processes that are not there.
-- One operation: `retire` either sees the hold, or has removed the spec before and it is written anew here.
-- KEYS  1 processes  2 held-by of the node (hash name -> count)  3 holders (set)  4 nodes
--       then for each process: the process, its holds (hash `node\nref` -> detail)
-- ARGV  1 node id, then for each process: name, kind, args JSON, number of holds, then ref and detail of each
-- Result: the processes' hashes, flat; nil when the node is not announced
local node = ARGV[1]
if redis.call('HEXISTS', KEYS[4], node) == 0 then
  return false
end
local now
local records = {}
local at = 2
for key = 5, #KEYS, 2 do
  local process, holds = KEYS[key], KEYS[key + 1]
  local name, kind, args, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  local new = 0
  for _ = 1, count do
    new = new + redis.call('HSET', holds, node .. '\n' .. ARGV[at], ARGV[at + 1])
    at = at + 2
  end
  if new > 0 then
    redis.call('HINCRBY', KEYS[2], name, new)
    redis.call('SADD', KEYS[3], node)
  end
  if redis.call('EXISTS', process) == 0 then
    if not now then
      local t = redis.call('TIME')
      now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
    end
    redis.call('SADD', KEYS[1], name)
    redis.call('HSET', process, 'name', name, 'kind', kind, 'args', args, 'node', '', 'fence', '0', 'state', 'orphaned',
      'since', now, 'restarts', '0', 'error', '')
  end
  redis.call('HSET', process, 'unheld', '')
  records[#records + 1] = redis.call('HGETALL', process)
end
return records
