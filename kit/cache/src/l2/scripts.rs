//! The Lua scripts that Redis runs atomically. Versions and moments are padded decimals, compared as texts.

use redis::Script;

pub(crate) struct Scripts {
    pub(crate) fill: Script,
    pub(crate) put: Script,
    pub(crate) invalidate: Script,
    pub(crate) stamp: Script,
    pub(crate) learn: Script,
    pub(crate) trust: Script,
    pub(crate) beat: Script,
}

/// The moment, in microseconds.
const NOW: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(moment) return string.format('%020.0f', moment) end
";

/// KEYS: the entry, its tombstone. ARGV: version, front, back, TTL in µs, lifetime in ms, start of the load in µs,
/// lifetime of tombstones in ms, moment before which an entry does not count.
///
/// A tombstone holds the version below which values are refused, and when the invalidation was. It outlives every load:
/// a load older than that is refused unseen.
const FILL: &str = "
local version, started = ARGV[1], tonumber(ARGV[6])
local nothing = version == '00000000000000000000'
if now - started > tonumber(ARGV[7]) * 1000 then return 0 end
local tombstone = redis.call('GET', KEYS[2])
if tombstone then
  if nothing then
    if tonumber(string.sub(tombstone, 21, 40)) >= started then return 0 end
  elseif version < string.sub(tombstone, 1, 20) then return 0 end
end
local head = redis.call('GETRANGE', KEYS[1], 2, 81)
if #head == 80 then
  local held, held_started = string.sub(head, 1, 20), tonumber(string.sub(head, 41, 60))
  if held_started > tonumber(ARGV[8]) then
    if held == version or nothing then
      if held_started > started then return 0 end
    elseif held > version then return 0 end
  end
end
redis.call('SET', KEYS[1], ARGV[2] .. text(started) .. text(now + ARGV[4]) .. ARGV[3], 'PX', ARGV[5])
return 1
";

/// KEYS: the entry, its tombstone. ARGV: version, front, back, TTL in µs, lifetime in ms, lifetime of tombstones in ms,
/// channel, message. Stores the value of a write, refuses older versions from now on, and notifies the other processes.
const PUT: &str = "
local version = ARGV[1]
local tombstone = redis.call('GET', KEYS[2])
local held = redis.call('GETRANGE', KEYS[1], 2, 21)
redis.call('DEL', KEYS[2])
local newest = version
if tombstone and string.sub(tombstone, 1, 20) > newest then newest = string.sub(tombstone, 1, 20) end
local kept = 0
if newest == version and (#held ~= 20 or held <= version) then
  redis.call('SET', KEYS[1], ARGV[2] .. text(now) .. text(now + ARGV[4]) .. ARGV[3], 'PX', ARGV[5])
  kept = 1
elseif #held == 20 and held < newest then
  redis.call('DEL', KEYS[1])
end
redis.call('SET', KEYS[2], newest .. text(now), 'PX', ARGV[6])
redis.call('PUBLISH', ARGV[7], ARGV[8])
return kept
";

/// KEYS: the entry, its tombstone. ARGV: version, lifetime of tombstones in ms, channel, message. Something is deleted
/// first: a Redis that is out of memory refuses scripts that begin with a write that needs some.
const INVALIDATE: &str = "
local version = ARGV[1]
local tombstone = redis.call('GET', KEYS[2])
local held = redis.call('GETRANGE', KEYS[1], 2, 21)
redis.call('DEL', KEYS[2])
if tombstone and string.sub(tombstone, 1, 20) > version then version = string.sub(tombstone, 1, 20) end
if #held ~= 20 or held < version then redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[2], version .. text(now), 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
";

/// KEYS: the stamp. ARGV: lifetime in ms or 0 for ever, channel, message. Everything loaded before the stamp is invalid.
const STAMP: &str = "
local before = tonumber(redis.call('GET', KEYS[1]) or '0')
redis.call('DEL', KEYS[1])
if before > now then now = before end
if ARGV[1] == '0' then redis.call('SET', KEYS[1], text(now)) else redis.call('SET', KEYS[1], text(now), 'PX', ARGV[1]) end
redis.call('PUBLISH', ARGV[2], ARGV[3] .. text(now))
return text(now)
";

/// KEYS: the stamp. ARGV: lifetime in ms or 0 for ever, the stamp if there is none (0: now). A missing stamp may have been
/// evicted, and then it is unknown what it made invalid. If Redis has no memory for the stamp, the next call tries again.
const LEARN: &str = "
local stamp = redis.call('GET', KEYS[1])
if stamp then return stamp end
if ARGV[2] ~= '0' then now = ARGV[2] end
if ARGV[1] == '0' then redis.pcall('SET', KEYS[1], text(now)) else redis.pcall('SET', KEYS[1], text(now), 'PX', ARGV[1]) end
return text(now)
";

/// KEYS: whose data this is, the stamp of everything. ARGV: the id of the server's run. Data that another run of the
/// server wrote may lack its last deletions: it is stamped; and so it is if the stamp was evicted.
const TRUST: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[2], text(now))
  redis.call('SET', KEYS[1], ARGV[1])
end
return redis.call('GET', KEYS[2])
";

/// KEYS: when each process was last here, the stamp of everything, since when each process has known all events and of
/// which caches, the last silence, the last silence without a witness. ARGV: the caller, after how many µs a process
/// counts as dead, from how many µs before that a witness must have known all events, how old its own heartbeat may be,
/// the caches of the caller that know all events, whether it owes an announcement.
///
/// A process that died without a farewell may have written what Redis never heard of. A caller that finds that its own
/// last heartbeat is that old cannot tell which process is dead from which was cut off with it: all get time to come back.
const BEAT: &str = "
local function stamps()
  local function stamp(key) return tonumber(redis.call('GET', key) or '0') end
  return {stamp(KEYS[2]), stamp(KEYS[4]), stamp(KEYS[5])}
end
if ARGV[6] == '1' then return stamps() end
local own = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or now)
local members, witnesses = redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[3])
local beats, oldest = {}, now - ARGV[2]
for place = 1, #members, 2 do beats[members[place]] = tonumber(members[place + 1]) end
local function witnessed(beat)
  local known, vouched = {}, {}
  for place = 1, #witnesses, 2 do
    local lives = beats[witnesses[place]]
    local since = tonumber(string.sub(witnesses[place + 1], 1, 20))
    for name in string.gmatch(string.sub(witnesses[place + 1], 21), '%S+') do
      known[name] = true
      if lives and lives >= now - ARGV[4] and since <= beat - ARGV[3] then vouched[name] = true end
    end
  end
  for name in pairs(known) do if not vouched[name] then return false end end
  return next(known) ~= nil
end
for process, beat in pairs(beats) do
  if beat < oldest and own < oldest then
    redis.pcall('HSET', KEYS[1], process, text(now))
  elseif beat < oldest then
    if not witnessed(beat) then redis.call('SET', KEYS[5], text(now)) end
    redis.call('SET', KEYS[4], text(now))
    redis.call('HDEL', KEYS[1], process)
    redis.call('HDEL', KEYS[3], process)
  end
end
redis.pcall('HSET', KEYS[1], ARGV[1], text(now))
local known = redis.call('HGET', KEYS[3], ARGV[1])
if ARGV[5] == '' then
  redis.call('HDEL', KEYS[3], ARGV[1])
elseif not known or string.sub(known, 21) ~= ARGV[5] then
  redis.pcall('HSET', KEYS[3], ARGV[1], text(now) .. ARGV[5])
end
return stamps()
";

impl Scripts {
    pub(crate) fn new() -> Self {
        let script = |text: &str| Script::new(&format!("{NOW}{text}"));
        Self {
            fill: script(FILL),
            put: script(PUT),
            invalidate: script(INVALIDATE),
            stamp: script(STAMP),
            learn: script(LEARN),
            trust: script(TRUST),
            beat: script(BEAT),
        }
    }
}
