-- Removes channels that nobody watches any more.
-- KEYS  1 meta  2 frames  3 statuses  4… the channels' logs
-- ARGV  1 fence  2… the channels
-- Result: 1, or 0 when a higher fence was seen
if tonumber(redis.call('HGET', KEYS[1], 'fence') or '0') > tonumber(ARGV[1]) then
  return 0
end
for i = 2, #ARGV do
  redis.call('HDEL', KEYS[2], ARGV[i])
  redis.call('HDEL', KEYS[3], ARGV[i])
  redis.call('DEL', KEYS[i + 2])
end
return 1
