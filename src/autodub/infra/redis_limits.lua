-- Limits that many processes share. One script, so that whatever is decided is decided at once, by the
-- server's clock. Times are microseconds. KEYS: the prefix of all keys. ARGV: verb, process, arguments.
--
--   members         processes, by when they are given up
--   era             hash: began (when this memory began), expected (processes that should come back to it)
--   ready           processes that have said what they hold since then, while that is new
--   pools           names of pools
--   pool:P          hash: what was learnt about the pool P
--   held:P          hash: ticket -> user, job, epoch: calls under way
--   parties:P       who waits (user and job), by the order of their first ticket
--   queue:P:party   tickets of one party, by order
--   starts:P        when calls began lately
--   circuit:A       hash: the circuit breaker of the account A; jobs:A: jobs that know of it;
--                   trying:A: requests under way before it has answered for the first time
--
-- A ticket is "process:number". What a process holds is as good as the process itself: it is free when the
-- process is given up.

local prefix, verb, me = KEYS[1], ARGV[1], ARGV[2]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local SETTLE, DAY, WEEK = 3000000, 86400000, 604800000
local WIDEN_AFTER, WIDEN_SLOWEST, SHARE = 10, 160, 0.7
local SPACED, WINDOW, WIDER, CLOSER, CLOSEST, FARTHEST = 4, 60000000, 1.25, 0.97, 5000, 10000000
local TRIAL, KNOWN = 2, 5000

local function text(number) return string.format('%.0f', number) end
local function key(kind, name) return prefix .. kind .. ':' .. name end
local function owner(ticket) return string.match(ticket, '^(.*):%d+$') end

local lives = {}
local function is_alive(process)
  if lives[process] == nil then
    local until_ = redis.call('ZSCORE', prefix .. 'members', process)
    lives[process] = until_ ~= false and tonumber(until_) > now
  end
  return lives[process]
end

local function members() return redis.call('ZCOUNT', prefix .. 'members', text(now), '+inf') end

-- Microseconds until calls may begin: after a loss of memory those who hold something say so first.
local function unsettled()
  local era = redis.call('HMGET', prefix .. 'era', 'began', 'expected')
  local left = (tonumber(era[1]) or now) + SETTLE - now
  if left <= 0 or redis.call('SCARD', prefix .. 'ready') >= (tonumber(era[2]) or 1) then return 0 end
  return left
end

-- ------------------------------------------------------------------------------------------- pools

local function load(pool, lanes)
  local found = redis.call('HMGET', key('pool', pool), 'ceiling', 'width', 'told', 'peak', 'epoch', 'streak',
    'patience', 'widened', 'resumes', 'interval')
  local state = {
    pool = pool, ceiling = tonumber(found[1]), width = tonumber(found[2]), told = tonumber(found[3]) or 0,
    peak = tonumber(found[4]) or 0, epoch = tonumber(found[5]) or 0, streak = tonumber(found[6]) or 0,
    patience = tonumber(found[7]) or WIDEN_AFTER, widened = tonumber(found[8]) or 0,
    resumes = tonumber(found[9]) or 0, interval = tonumber(found[10]) or 0,
  }
  if not state.ceiling then
    state.ceiling, state.width, state.is_new = math.max(1, lanes), math.max(1, lanes), true
  end
  return state
end

local function save(state)
  redis.call('HSET', key('pool', state.pool), 'ceiling', state.ceiling, 'width', state.width,
    'told', state.told, 'peak', state.peak, 'epoch', state.epoch, 'streak', state.streak,
    'patience', state.patience, 'widened', state.widened, 'resumes', text(state.resumes),
    'interval', text(state.interval))
  redis.call('PEXPIRE', key('pool', state.pool), WEEK)
  if state.is_new then redis.call('SADD', prefix .. 'pools', state.pool) end
end

local function raise(state, ceiling)
  local is_full = state.width == state.ceiling
  state.ceiling = ceiling
  state.width = is_full and ceiling or math.min(state.width, ceiling)
end

local function has_room(state)
  local held = key('held', state.pool)
  if redis.call('HLEN', held) < state.width then return true end
  for _, ticket in ipairs(redis.call('HKEYS', held)) do
    if not is_alive(owner(ticket)) then redis.call('HDEL', held, ticket) end
  end
  return redis.call('HLEN', held) < state.width
end

local function pause(state)
  local last = state.interval > 0 and tonumber(redis.call('LINDEX', key('starts', state.pool), -1) or 0) or 0
  return math.max(state.resumes, last + state.interval) - now
end

local function grant(state, ticket, party)
  local held, starts = key('held', state.pool), key('starts', state.pool)
  redis.call('HSET', held, ticket, party .. '\t' .. state.epoch)
  redis.call('RPUSH', starts, text(now))
  redis.call('LTRIM', starts, -20, -1)
  local busy = redis.call('HLEN', held)
  if busy > state.peak then
    state.peak = busy
    redis.call('HSET', key('pool', state.pool), 'peak', busy)
  end
end

-- Whose turn it is: the user with the fewest calls under way, of these the job, of these who came first.
local function turn(state)
  local users, jobs = {}, {}
  for _, value in ipairs(redis.call('HVALS', key('held', state.pool))) do
    local user, job = string.match(value, '^([^\t]*)\t([^\t]*)')
    users[user], jobs[job] = (users[user] or 0) + 1, (jobs[job] or 0) + 1
  end
  local best, best_user, best_job, best_order
  local waiting = redis.call('ZRANGE', key('parties', state.pool), 0, -1, 'WITHSCORES')
  for at = 1, #waiting, 2 do
    local user, job = string.match(waiting[at], '^([^\t]*)\t([^\t]*)')
    local has, works, order = users[user] or 0, jobs[job] or 0, tonumber(waiting[at + 1])
    if not best or has < best_user or (has == best_user and
        (works < best_job or (works == best_job and order < best_order))) then
      best, best_user, best_job, best_order = waiting[at], has, works, order
    end
  end
  return best
end

local function tidy(pool, party)
  local first = redis.call('ZRANGE', key('queue', pool .. ':' .. party), 0, 0, 'WITHSCORES')
  if #first == 0 then
    redis.call('ZREM', key('parties', pool), party)
  else
    redis.call('ZADD', key('parties', pool), first[2], party)
  end
end

local function enqueue(pool, ticket, party, order)
  local queue = key('queue', pool .. ':' .. party)
  redis.call('ZADD', queue, order, ticket)
  redis.call('PEXPIRE', queue, DAY)
  tidy(pool, party)
end

-- Let in whom there is room for; microseconds until the next may begin, -1: when a call ends.
local function promote(state, mine)
  local wait, has_granted = -1, false
  while redis.call('EXISTS', key('parties', state.pool)) == 1 do
    wait = unsettled()
    if wait > 0 then break end
    if not has_room(state) then wait = -1 break end
    wait = pause(state)
    if wait > 0 then break end
    local party = turn(state)
    local first = redis.call('ZPOPMIN', key('queue', state.pool .. ':' .. party))
    tidy(state.pool, party)
    if first[1] and is_alive(owner(first[1])) then
      grant(state, first[1], party)
      wait, has_granted = -1, true
      if first[1] ~= mine then
        redis.call('PUBLISH', prefix .. 'to:' .. owner(first[1]),
          'granted\t' .. state.pool .. '\t' .. first[1] .. '\t' .. state.epoch)
      end
    end
  end
  if wait > 0 and has_granted then
    redis.call('PUBLISH', prefix .. 'all', 'due\t' .. state.pool .. '\t' .. text(wait))
  end
  return wait
end

local function farther(state)
  local first, last, count
  for _, start in ipairs(redis.call('LRANGE', key('starts', state.pool), 0, -1)) do
    start = tonumber(start)
    if start > now - WINDOW then
      first, last, count = first or start, start, (count or 0) + 1
    end
  end
  if (count or 0) < SPACED then return state.interval end
  local mean = (last - first) / (count - 1)
  return math.min(FARTHEST, math.max(CLOSEST, WIDER * math.max(mean, state.interval)))
end

-- What the account's being busy says; whether that was news.
local function refused(state, epoch, after)
  local is_later = after > 0 and now + after > state.resumes
  if is_later then state.resumes = now + after end
  state.streak = 0
  if epoch < state.epoch then return false end
  state.epoch = state.epoch + 1
  local before = state.width
  local narrower = state.peak < before and math.min(state.peak, before - 1) or math.floor(before * SHARE)
  state.width = math.max(1, narrower)
  state.patience = state.widened == 1 and math.min(WIDEN_SLOWEST, state.patience * 2) or WIDEN_AFTER
  state.widened, state.peak = 0, redis.call('HLEN', key('held', state.pool))
  if after > 0 then state.interval = farther(state) end
  return state.width ~= before or is_later
end

local function answered(state)
  state.interval = state.interval * CLOSER
  if state.interval < CLOSEST then state.interval = 0 end
  state.streak = state.streak + 1
  if state.width >= state.ceiling or state.streak < state.patience then return false end
  state.width, state.streak, state.widened = state.width + 1, 0, 1
  return true
end

-- ---------------------------------------------------------------------------------------- circuits

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

-- ------------------------------------------------------------------------------------------- verbs

local verbs = {}

-- join LEASE KNOWN: be a member (again), and have all know how many there are now; KNOWN: how many there were
-- when last seen.
function verbs.join(lease, known)
  redis.call('ZREMRANGEBYSCORE', prefix .. 'members', '-inf', text(now))
  redis.call('ZADD', prefix .. 'members', text(now + tonumber(lease)), me)
  redis.call('PUBLISH', prefix .. 'all', 'members\t' .. members())
  local era, expected = prefix .. 'era', tonumber(known)
  if redis.call('EXISTS', era) == 0 then
    expected = math.max(expected, redis.call('PUBLISH', prefix .. 'all', 'join'))
    redis.call('HSET', era, 'began', text(now), 'expected', expected)
  elseif expected > tonumber(redis.call('HGET', era, 'expected')) then
    redis.call('HSET', era, 'expected', expected)
  end
  return {members()}
end

-- ready: what I hold is known here.
function verbs.ready()
  local era = redis.call('HMGET', prefix .. 'era', 'began', 'expected')
  if not era[1] then return {'unknown'} end
  if now - tonumber(era[1]) < SETTLE then
    redis.call('SADD', prefix .. 'ready', me)
    redis.call('PEXPIRE', prefix .. 'ready', 2 * SETTLE / 1000)
    if redis.call('SCARD', prefix .. 'ready') >= tonumber(era[2]) then
      redis.call('PUBLISH', prefix .. 'all', 'settled')
    end
  end
  return {}
end

-- beat LEASE: stay a member.
function verbs.beat(lease)
  redis.call('ZADD', prefix .. 'members', text(now + tonumber(lease)), me)
  return {members()}
end

-- leave: be no member any more; whoever listens for us may go.
function verbs.leave()
  redis.call('PUBLISH', prefix .. 'to:' .. me, 'left')
  redis.call('ZREM', prefix .. 'members', me)
  return {}
end

-- acquire POOL ACCOUNT TICKET PARTY JOB LANES
function verbs.acquire(pool, account, ticket, party, job, lanes)
  local state = load(pool, tonumber(lanes))
  if state.told == 0 and tonumber(lanes) > state.ceiling then
    raise(state, tonumber(lanes))
    state.is_new = true
  end
  if state.is_new then save(state) end
  local wait, is_in = -1, redis.call('HEXISTS', key('held', pool), ticket) == 1
  if not is_in and redis.call('EXISTS', key('parties', pool)) == 0 and has_room(state)
      and pause(state) <= 0 and unsettled() == 0 then
    grant(state, ticket, party)
    is_in = true
  elseif not is_in then
    enqueue(pool, ticket, party, text(now))
    wait = promote(state, ticket)
    is_in = redis.call('HEXISTS', key('held', pool), ticket) == 1
  end
  if not is_in then return {'wait', text(now), state.width, state.ceiling, state.told, wait} end
  local found = condition(account)
  if found ~= 'shut' then know(account, job) end
  return {'granted', state.epoch, state.width, state.ceiling, state.told, found}
end

-- look POOL TICKET...: let in who can be; which of the tickets are in.
function verbs.look(pool, ...)
  local state = load(pool, 1)
  local wait = promote(state, '')
  local told = {wait, state.width, state.ceiling, state.told, state.epoch}
  for _, ticket in ipairs({...}) do
    if redis.call('HEXISTS', key('held', pool), ticket) == 1 then table.insert(told, ticket) end
  end
  return told
end

-- release POOL ACCOUNT TICKET OUTCOME AFTER: a call is over; what was learnt.
function verbs.release(pool, account, ticket, outcome, after)
  local held = key('held', pool)
  local state, value = load(pool, 1), redis.call('HGET', held, ticket)
  local is_news = false
  if value and outcome ~= '' then
    if outcome == 'answered' then
      is_news = answered(state)
      local circuit = redis.call('HMGET', key('circuit', account), 'opened', 'proven', 'failures')
      if not circuit[1] and (circuit[2] ~= '1' or (circuit[3] or '0') ~= '0') then
        redis.call('HSET', key('circuit', account), 'failures', 0)
        prove(account)
        tell(account)
      end
    else
      is_news = refused(state, tonumber(string.match(value, '(%d+)$')), tonumber(after))
    end
    save(state)
  end
  redis.call('HDEL', held, ticket)
  local wait = promote(state, '')
  if outcome == 'refused' and wait > 0 then
    redis.call('PUBLISH', prefix .. 'all', 'due\t' .. pool .. '\t' .. text(wait))
  end
  return {is_news and 1 or 0, state.width, state.ceiling, state.told}
end

-- cancel POOL TICKET PARTY: somebody waits no more, or does not want what he was granted.
function verbs.cancel(pool, ticket, party)
  redis.call('ZREM', key('queue', pool .. ':' .. party), ticket)
  tidy(pool, party)
  if redis.call('HDEL', key('held', pool), ticket) == 1 then promote(load(pool, 1), '') end
  return {}
end

-- allow POOL LANES: the account said how many.
function verbs.allow(pool, lanes)
  local state = load(pool, tonumber(lanes))
  local before = state.width
  state.told = 1
  raise(state, math.max(1, tonumber(lanes)))
  save(state)
  promote(state, '')
  return {state.width ~= before and 1 or 0, state.width, state.ceiling, state.told}
end

-- sync RESTORES POOL LAST WIDTH CEILING TOLD (TICKET PARTY ORDER)...: all that the process has in a pool, up
-- to its ticket LAST; an order of 0: it is under way, none: it is on its way here. What is there besides is
-- let go of. RESTORES: what is not there is put there.
function verbs.sync(restores, pool, last, width, ceiling, told, ...)
  local rows, mine, held = {...}, {}, key('held', pool)
  for at = 1, #rows, 3 do mine[rows[at]] = true end
  for _, ticket in ipairs(redis.call('HKEYS', held)) do
    if owner(ticket) == me and not mine[ticket]
        and tonumber(string.match(ticket, '(%d+)$')) <= tonumber(last) then
      redis.call('HDEL', held, ticket)
    end
  end
  local state = load(pool, tonumber(ceiling))
  if state.is_new and restores == '1' then
    state.width, state.told = tonumber(width), tonumber(told)
    save(state)
  end
  for at = 1, restores == '1' and #rows or 0, 3 do
    local ticket, party, order = rows[at], rows[at + 1], rows[at + 2]
    if order ~= '' and redis.call('HEXISTS', held, ticket) == 0 then
      if order == '0' then
        redis.call('ZREM', key('queue', pool .. ':' .. party), ticket)
        tidy(pool, party)
        redis.call('HSET', held, ticket, party .. '\t' .. state.epoch)
      else
        enqueue(pool, ticket, party, order)
      end
    end
  end
  promote(state, '')
  return {}
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
  if (is_new or now - tonumber(found[1]) >= tonumber(cooldown)) and not is_probing then
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

-- state: everything there is to show: members, then of each pool name, held, waiting, width, ceiling.
function verbs.state()
  local told = {members()}
  for _, pool in ipairs(redis.call('SMEMBERS', prefix .. 'pools')) do
    local waiting = 0
    for _, party in ipairs(redis.call('ZRANGE', key('parties', pool), 0, -1)) do
      waiting = waiting + redis.call('ZCARD', key('queue', pool .. ':' .. party))
    end
    local state = load(pool, 1)
    for _, value in ipairs({pool, redis.call('HLEN', key('held', pool)), waiting, state.width,
        state.ceiling}) do
      table.insert(told, value)
    end
  end
  return told
end

-- Whoever is no member, or not any more, becomes one first: this memory may have been emptied.
local anybody = {join = true, leave = true, ready = true, sync = true, permits = true, state = true}
if not anybody[verb] and not is_alive(me) then return {'unknown'} end
return verbs[verb](unpack(ARGV, 3))
