-- Who holds locks, and for how long yet.
-- KEYS  the locks
-- Result: flat list of value ('' for none) and ms left
local out = {}
for _, key in ipairs(KEYS) do
  local value = redis.call('GET', key)
  out[#out + 1] = value or ''
  out[#out + 1] = value and redis.call('PTTL', key) or 0
end
return out
