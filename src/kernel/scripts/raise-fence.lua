-- Makes sure that no fence up to this one is minted here again (second round over several lock masters).
-- KEYS  1 last fence
-- ARGV  1 fence
-- Result: 1
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
end
return 1
