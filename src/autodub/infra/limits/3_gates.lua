-- How many calls go out at once, by pool: as gateway/lanes.py, for all processes.

local WIDEN_AFTER, WIDEN_SLOWEST, SHARE = 10, 160, 0.7
local SPACED, WINDOW, WIDER, CLOSER, CLOSEST, FARTHEST = 4, 60000000, 1.25, 0.97, 5000, 10000000

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
  if last > now then last = 0 end -- the clock was set back
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
