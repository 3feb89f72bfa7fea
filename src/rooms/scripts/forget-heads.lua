-- Removes heads of rooms that are not kept any more, unless they have changed since they were read.
-- KEYS  1 heads (hash room -> JSON)
-- ARGV  room, head as it was read; and so on
for at = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[at + 1] then
    redis.call('HDEL', KEYS[1], ARGV[at])
  end
end
return 1
