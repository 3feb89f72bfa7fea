-- Extends many locks in one go, each only while its value is ours: Redlock's own rule, for nodes that hold thousands.
-- KEYS  the locks
-- ARGV  1 lease ms  2… their values, in the order of KEYS
-- Result: a list of 1 (extended) or 0 (not ours)
local out = {}
for i, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[i + 1] then
    redis.call('PEXPIRE', key, ARGV[1])
    out[i] = 1
  else
    out[i] = 0
  end
end
return out
