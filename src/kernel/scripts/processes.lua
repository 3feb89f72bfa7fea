-- All processes.
-- KEYS  1 processes
-- ARGV  1 prefix of the process keys
-- Result: list of flat hashes
local out = {}
for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local hash = redis.call('HGETALL', ARGV[1] .. name)
  if #hash > 0 then
    out[#out + 1] = hash
  end
end
return out
