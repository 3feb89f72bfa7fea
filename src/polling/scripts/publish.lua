-- Stores what a round found, and tells all nodes: one call for all channels of a poller.
-- KEYS  1 meta  2 frames (hash channel -> head, newline, rows)  3 statuses (hash channel -> JSON)  4 rounds (pub/sub channel)
-- ARGV  1 fence  2 polledAt ms  3 retain ms  4 most frames in a log  5 prefix of the log keys  6 number of changed channels
--       then for each changed channel: channel, hash, mark, `epoch seq` of a position that was seen somewhere or nothing, rows; then for each status: channel, JSON
-- Result: flat list of epoch, seq of the changed channels; nil when another fence than ours was opened, or none (data lost)
-- Message: netstrings: fence, polledAt, number of frames, then channel, epoch, seq, rows of each; then channel, JSON of each status
local fence = tonumber(ARGV[1])
if tonumber(redis.call('HGET', KEYS[1], 'fence') or '0') ~= fence then
  return false
end
local polledAt, retain, most, logs, changed = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], tonumber(ARGV[6])
local message = {}
local function tell(text)
  message[#message + 1] = #text .. ':'
  message[#message + 1] = text
end
tell(ARGV[1])
tell(polledAt)
tell(ARGV[6])
local out = {}
local epochs
local at = 7
for _ = 1, changed do
  local channel, hash, mark, above, rows = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  at = at + 5
  local head = redis.call('HGET', KEYS[2], channel)
  local epoch, seq, foundAt, known
  if head then
    epoch, seq, foundAt, known = string.match(head, '^(%d+) (%d+) (%S+) (%S*)')
  end
  local floor, floorSeq = string.match(above, '^(%d+) (%d+)$')
  floor, floorSeq = tonumber(floor or '0'), tonumber(floorSeq or '0')
  -- A node that was cut off has shown more than we know: below that, nobody would believe us.
  if head and (tonumber(epoch) < floor or (tonumber(epoch) == floor and tonumber(seq) < floorSeq)) then
    head, known = nil, nil
  end
  local same = known == hash and hash ~= ''
  if same then
    -- The answer to an earlier publish was lost on its way: its frame is there, and told once more.
    redis.call('HSET', KEYS[2], channel, epoch .. ' ' .. seq .. ' ' .. foundAt .. ' ' .. hash .. ' ' .. mark .. '\n' .. rows)
  elseif head then
    seq = string.format('%.0f', tonumber(seq) + 1)
  else
    if not epochs then
      epochs = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0')
    end
    local t = redis.call('TIME')
    epochs = math.max(epochs + 1, floor + 1, t[1] * 1000 + math.floor(t[2] / 1000))
    epoch, seq = string.format('%.0f', epochs), '1'
  end
  if not same then
    redis.call('HSET', KEYS[2], channel, epoch .. ' ' .. seq .. ' ' .. polledAt .. ' ' .. hash .. ' ' .. mark .. '\n' .. rows)
  end
  if retain > 0 and not same then
    local log = logs .. channel
    -- Ids are Redis's own time, which in a stream never goes back, whoever's clock `polledAt` is.
    local id = redis.call('XADD', log, 'MAXLEN', '~', most, '*', 'e', epoch, 's', seq, 'p', polledAt, 'r', rows)
    redis.call('XTRIM', log, 'MINID', string.format('%.0f', tonumber(string.match(id, '^%d+')) - retain))
    redis.call('PEXPIRE', log, retain)
  end
  out[#out + 1] = epoch
  out[#out + 1] = seq
  tell(channel)
  tell(epoch)
  tell(seq)
  tell(rows)
end
while at < #ARGV do
  redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1])
  tell(ARGV[at])
  tell(ARGV[at + 1])
  at = at + 2
end
redis.call('HSET', KEYS[1], 'polledAt', polledAt)
if epochs then
  redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epochs))
end
redis.call('SPUBLISH', KEYS[4], table.concat(message))
return out
