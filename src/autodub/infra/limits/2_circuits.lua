-- Circuit breakers of accounts.

local TRIAL, KNOWN = 2, 5000

local function tell(account) redis.call('PUBLISH', prefix .. 'all', 'circuit\t' .. account) end

local function know(account, job)
  if job == '' then return end
  local jobs = key('jobs', account)
  if redis.call('ZADD', jobs, 'NX', text(now), job) == 0 then return end
  redis.call('PEXPIRE', jobs, DAY)
  if redis.call('ZCARD', jobs) > KNOWN then redis.call('ZREMRANGEBYRANK', jobs, 0, KNOWN / 10) end
end

local function shut(account, kind, reason, hint, engine)
  local circuit = key('circuit', account)
  redis.call('HSET', circuit, 'opened', text(now), 'proven', 0, 'kind', kind, 'reason', reason,
    'hint', hint, 'engine', engine)
  redis.call('PEXPIRE', circuit, WEEK)
end

local function prove(account)
  local circuit = key('circuit', account)
  redis.call('HSET', circuit, 'proven', 1)
  redis.call('PEXPIRE', circuit, WEEK)
end

-- "good": closed, and it has answered; "new": closed; "shut".
local function condition(account)
  local found = redis.call('HMGET', key('circuit', account), 'opened', 'proven')
  return found[1] and 'shut' or found[2] == '1' and 'good' or 'new'
end

-- guard ACCOUNT PERMIT JOB IS_TRIAL COOLDOWN: leave to send one request.
function verbs.guard(account, permit, job, is_trial, cooldown)
  local circuit, trying = key('circuit', account), key('trying', account)
  local found = redis.call('HMGET', circuit, 'opened', 'proven', 'probe', 'kind', 'reason', 'hint', 'engine')
  if not found[1] then
    know(account, job)
    if is_trial == '0' or found[2] == '1' then return {'go', 0} end
    for _, other in ipairs(redis.call('SMEMBERS', trying)) do
      if not is_alive(owner(other)) then redis.call('SREM', trying, other) end
    end
    local count = redis.call('SCARD', trying)
    if count >= TRIAL then return {'wait'} end
    redis.call('SADD', trying, permit)
    redis.call('PEXPIRE', trying, DAY)
    return {'trial', count}
  end
  local is_new = job ~= '' and not redis.call('ZSCORE', key('jobs', account), job)
  local is_probing = found[3] and is_alive(owner(found[3]))
  local since = now - tonumber(found[1]) -- below 0: the clock was set back
  if (is_new or since < 0 or since >= tonumber(cooldown)) and not is_probing then
    redis.call('HSET', circuit, 'probe', permit)
    know(account, job)
    return {'probe', 0}
  end
  if not is_new and not is_probing then return {'shut', found[4], found[5], found[6], found[7]} end
  return {'wait'}
end

-- told ACCOUNT PERMIT VERDICT KIND REASON HINT ENGINE: how a request ended; whether that opened the circuit.
function verbs.told(account, permit, verdict, kind, reason, hint, engine)
  local circuit = key('circuit', account)
  local was_open = redis.call('HEXISTS', circuit, 'opened') == 1
  redis.call('SREM', key('trying', account), permit)
  if redis.call('HGET', circuit, 'probe') == permit then redis.call('HDEL', circuit, 'probe') end
  if verdict == 'shut' then
    shut(account, kind, reason, hint, engine)
  elseif verdict == 'good' then
    redis.call('HDEL', circuit, 'opened', 'kind', 'reason', 'hint', 'engine')
    redis.call('HSET', circuit, 'failures', 0)
    prove(account)
  end
  tell(account)
  return {verdict == 'shut' and not was_open and 1 or 0}
end

-- failed ACCOUNT THRESHOLD REASON: a call had no answer after all its tries.
function verbs.failed(account, threshold, reason)
  local circuit = key('circuit', account)
  local was_open = redis.call('HEXISTS', circuit, 'opened') == 1
  local is_shut = redis.call('HINCRBY', circuit, 'failures', 1) >= tonumber(threshold)
  redis.call('PEXPIRE', circuit, WEEK)
  if is_shut then
    shut(account, '', reason, '', '')
    tell(account)
  end
  return {is_shut and not was_open and 1 or 0}
end

-- prove ACCOUNT: it has answered in another way.
function verbs.prove(account)
  prove(account)
  tell(account)
  return {}
end

-- condition ACCOUNT
function verbs.condition(account) return {condition(account)} end

-- permits ACCOUNT LAST PERMIT...: the requests under way of a process, up to its number LAST.
function verbs.permits(account, last, ...)
  local mine, circuit, trying = {}, key('circuit', account), key('trying', account)
  for _, permit in ipairs({...}) do mine[permit] = true end
  local function is_over(permit)
    return owner(permit) == me and not mine[permit]
      and tonumber(string.match(permit, '(%d+)$')) <= tonumber(last)
  end
  for _, permit in ipairs(redis.call('SMEMBERS', trying)) do
    if is_over(permit) then redis.call('SREM', trying, permit) end
  end
  local probe = redis.call('HGET', circuit, 'probe')
  if probe and is_over(probe) then redis.call('HDEL', circuit, 'probe') end
  return {}
end
