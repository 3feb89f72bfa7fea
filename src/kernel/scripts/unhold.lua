-- Takes a node's holds back.
-- KEYS  1 held-by of the node  2 holders  then for each process: the process, its holds
-- ARGV  1 node id, then for each process: name, number of holds, then the ref of each
-- Result: for each hold in this order 1, or 0 when it was not there
local node = ARGV[1]
local there = {}
local at = 2
for key = 3, #KEYS, 2 do
  local process, holds = KEYS[key], KEYS[key + 1]
  local name, count = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  local gone = 0
  for _ = 1, count do
    local removed = redis.call('HDEL', holds, node .. '\n' .. ARGV[at])
    there[#there + 1] = removed
    gone = gone + removed
    at = at + 1
  end
  if gone > 0 then
    if redis.call('HINCRBY', KEYS[1], name, -gone) <= 0 then
      redis.call('HDEL', KEYS[1], name)
      if redis.call('EXISTS', KEYS[1]) == 0 then
        redis.call('SREM', KEYS[2], node)
      end
    end
    if redis.call('EXISTS', holds) == 0 and redis.call('EXISTS', process) == 1 then
      local t = redis.call('TIME')
      redis.call('HSET', process, 'unheld', string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
    end
  end
end
return there
