-- Makes a fence the lowest that is accepted for a room.
-- KEYS  1 room (hash fence, version, state)
-- ARGV  1 fence
-- Result: the saved state, '' when there is none; nil when a higher fence was there
if tonumber(redis.call('HGET', KEYS[1], 'fence') or '0') > tonumber(ARGV[1]) then
  return false
end
redis.call('HSET', KEYS[1], 'fence', ARGV[1])
return redis.call('HGET', KEYS[1], 'state') or ''
