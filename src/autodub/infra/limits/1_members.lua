-- Limits that many processes share. One script (these files, one after another), so that whatever is decided is
-- decided at once, by the server's clock. Times are microseconds. KEYS: the prefix of all keys. ARGV: verb,
-- process, arguments.
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
local LONGEST = 300000000 -- a lease that runs for longer is one from before the clock was set back

local function text(number) return string.format('%.0f', number) end
local function key(kind, name) return prefix .. kind .. ':' .. name end
local function owner(ticket) return string.match(ticket, '^(.*):%d+$') end

local lives = {}
local function is_alive(process)
  if lives[process] == nil then
    local until_ = redis.call('ZSCORE', prefix .. 'members', process)
    lives[process] = until_ ~= false and tonumber(until_) > now and tonumber(until_) <= now + LONGEST
  end
  return lives[process]
end

local function members() return redis.call('ZCOUNT', prefix .. 'members', text(now), text(now + LONGEST)) end

-- Microseconds until calls may begin: after a loss of memory those who hold something say so first.
local function unsettled()
  local era = redis.call('HMGET', prefix .. 'era', 'began', 'expected')
  local left = (tonumber(era[1]) or now) + SETTLE - now
  if left <= 0 or left > SETTLE or redis.call('SCARD', prefix .. 'ready') >= (tonumber(era[2]) or 1) then return 0 end
  return left
end

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
