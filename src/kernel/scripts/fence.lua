-- Mints a fence while the lock is still ours: larger than the last one, and than the clock, so that it also rises
-- when a failover has lost the last one. Microseconds, so that no burst of fences ever runs ahead of the clock.
-- KEYS  1 lock  2 last fence
-- ARGV  1 lock value
-- Result: the fence as text, or nil when the lock is not ours
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return false
end
local t = redis.call('TIME')
local fence = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, t[1] * 1000000 + t[2])
local text = string.format('%.0f', fence)
redis.call('SET', KEYS[2], text)
return text
