// The scripts of redis_job_queue.h, in Redis's Lua. Each is run behind kJobPrelude; ARGV[1] is the time in milliseconds
// since 1970, "" for the server's own, ARGV[2] "1" when it may have run before without its answer being heard. The
// first word of an answer is "ok", or "none", "gone" (no queue), "lost" (not the caller's job).
#pragma once

namespace cleave::ingest {

inline constexpr char kJobPrelude[] = R"(
local size, jobs, queued, taken, failures, answers = unpack(KEYS)
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local again = ARGV[2] == '1'
local function whole(number) return string.format('%.0f', number) end
local function is_gone()
  local count = redis.call('GET', size)
  return not count or redis.call('HLEN', jobs) ~= tonumber(count)
end
local function keep()
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, 2592000000) end
end
local function get(job)
  local text = redis.call('HGET', jobs, job) or ''
  local state, takes, worker, expires, changed = string.match(text, '^(%d) (%d+) (%x+) (%d+) (%d+)$')
  return {state = state or '0', takes = tonumber(takes or '0'), worker = worker or '0',
          expires = tonumber(expires or '0'), changed = tonumber(changed or '0')}
end
local function put(job, record)
  redis.call('HSET', jobs, job, record.state .. ' ' .. whole(record.takes) .. ' ' .. record.worker .. ' ' ..
             whole(record.expires) .. ' ' .. whole(record.changed))
  redis.call('ZREM', queued, job)
  redis.call('ZREM', taken, job)
  redis.call('HDEL', failures, job)
  if record.state == '0' then redis.call('ZADD', queued, job, job) end
  if record.state == '1' then redis.call('ZADD', taken, whole(record.expires), job) end
end
)";

// count, jobs that are done... -> count
inline constexpr char kCreateScript[] = R"(
if not is_gone() then return {'ok', redis.call('GET', size)} end
redis.call('DEL', unpack(KEYS))
redis.call('SET', size, ARGV[3])
local done = {}
for i = 4, #ARGV do done[ARGV[i]] = true end
for job = 0, tonumber(ARGV[3]) - 1 do
  local name = whole(job)
  put(name, {state = done[name] and '2' or '0', takes = 0, worker = '0', expires = 0, changed = now})
end
keep()
return {'ok', ARGV[3]}
)";

// -> count
inline constexpr char kOpenScript[] = R"(
if is_gone() then return {'gone'} end
return {'ok', redis.call('GET', size)}
)";

// worker, lease, most takes, a word that no other call has, failure of a job that was taken too often -> job, takes
inline constexpr char kTakeScript[] = R"(
if is_gone() then return {'gone'} end
local worker, lease, takes_max, call, failure = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
if again then
  local told, job, takes = string.match(redis.call('HGET', answers, worker) or '', '^(%x+) (%d+) (%d+)$')
  if told == call then
    local record = get(job)
    if record.state == '1' and record.worker == worker and record.takes == tonumber(takes) then
      return {'ok', job, takes}
    end
  end
end
while true do
  local job = tonumber(redis.call('ZRANGE', queued, 0, 0)[1])
  for _, late in ipairs(redis.call('ZRANGEBYSCORE', taken, '-inf', whole(now))) do
    if not job or tonumber(late) < job then job = tonumber(late) end
  end
  if not job then return {'none'} end
  local name = whole(job)
  local record = get(name)
  if record.takes < takes_max then
    local takes = whole(record.takes + 1)
    put(name, {state = '1', takes = record.takes + 1, worker = worker, expires = now + lease, changed = now})
    redis.call('HSET', answers, worker, call .. ' ' .. name .. ' ' .. takes)
    keep()
    return {'ok', name, takes}
  end
  put(name, {state = '3', takes = record.takes, worker = record.worker, expires = 0, changed = now})
  redis.call('HSET', failures, name, failure)
end
)";

// worker, job, takes, lease
inline constexpr char kRenewScript[] = R"(
if is_gone() then return {'lost'} end
local record = get(ARGV[4])
if record.state ~= '1' or record.worker ~= ARGV[3] or record.takes ~= tonumber(ARGV[5]) then return {'lost'} end
record.expires = now + tonumber(ARGV[6])
put(ARGV[4], record)
keep()
return {'ok'}
)";

// worker, job, takes, state, failure
inline constexpr char kSettleScript[] = R"(
if is_gone() then return {'lost'} end
local record = get(ARGV[4])
if record.worker ~= ARGV[3] or record.takes ~= tonumber(ARGV[5]) then return {'lost'} end
if again and record.state == ARGV[6] then return {'ok'} end
if record.state ~= '1' then return {'lost'} end
put(ARGV[4], {state = ARGV[6], takes = record.takes, worker = record.worker, expires = 0, changed = now})
if ARGV[6] == '3' then redis.call('HSET', failures, ARGV[4], ARGV[7]) end
keep()
return {'ok'}
)";

// worker
inline constexpr char kReleaseScript[] = R"(
if is_gone() then return {'ok'} end
for _, job in ipairs(redis.call('ZRANGE', taken, 0, -1)) do
  local record = get(job)
  if record.worker == ARGV[3] then
    put(job, {state = '0', takes = record.takes, worker = record.worker, expires = 0, changed = now})
  end
end
redis.call('HDEL', answers, ARGV[3])
return {'ok'}
)";

// jobs...
inline constexpr char kRequeueScript[] = R"(
if is_gone() then return {'gone'} end
for i = 3, #ARGV do put(ARGV[i], {state = '0', takes = 0, worker = '0', expires = 0, changed = now}) end
keep()
return {'ok'}
)";

// -> job, record, job, record...
inline constexpr char kRecordsScript[] = R"(
if is_gone() then return {'gone'} end
local answer = redis.call('HGETALL', jobs)
table.insert(answer, 1, 'ok')
return answer
)";

// -> jobs, queued ones, taken ones, failed ones
inline constexpr char kCountsScript[] = R"(
if is_gone() then return {'gone'} end
local counts = {redis.call('GET', size), redis.call('ZCARD', queued), redis.call('ZCARD', taken),
                redis.call('HLEN', failures)}
return {'ok', counts[1], whole(counts[2]), whole(counts[3]), whole(counts[4])}
)";

// limit -> job, failure, job, failure...
inline constexpr char kFailuresScript[] = R"(
if is_gone() then return {'gone'} end
local failed = redis.call('HKEYS', failures)
table.sort(failed, function(a, b) return tonumber(a) < tonumber(b) end)
local answer = {'ok'}
for i = 1, math.min(#failed, tonumber(ARGV[3])) do
  table.insert(answer, failed[i])
  table.insert(answer, redis.call('HGET', failures, failed[i]))
end
return answer
)";

}  // namespace cleave::ingest
