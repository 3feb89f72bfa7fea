-- Removes a dead node and all its holds. Its processes stay for the survivors.
-- KEYS  1 nodes  2 beats  3 infos  4 states  5 holders (set of ids)  6 held-by of this node (hash name -> count)
-- ARGV  1 id  2 prefix of the holds keys  3 prefix of the process keys
-- Result: names whose holds changed, or nil when there was nothing of it left
local known = redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
local names = redis.call('HKEYS', KEYS[6])
local mark = ARGV[1] .. '\n'
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
for _, name in ipairs(names) do
  local key = ARGV[2] .. name
  local gone = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, #mark) == mark then
      gone[#gone + 1] = field
    end
  end
  for at = 1, #gone, 1000 do
    redis.call('HDEL', key, unpack(gone, at, math.min(at + 999, #gone)))
  end
  if redis.call('EXISTS', key) == 0 and redis.call('EXISTS', ARGV[3] .. name) == 1 then
    redis.call('HSET', ARGV[3] .. name, 'unheld', now)
  end
end
redis.call('DEL', KEYS[6])
redis.call('SREM', KEYS[5], ARGV[1])
if known == 0 and #names == 0 then
  return false
end
return names
