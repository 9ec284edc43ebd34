//! What Redis does in one step. Versions and moments are padded decimals, compared as texts.

use redis::Script;

pub(crate) struct Scripts {
    pub(crate) fill: Script,
    pub(crate) put: Script,
    pub(crate) invalidate: Script,
    pub(crate) stamp: Script,
    pub(crate) learn: Script,
    pub(crate) trust: Script,
    pub(crate) beat: Script,
    pub(crate) unlock: Script,
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
/// channel, message. A write fills, refuses everything older, and tells the others.
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

/// KEYS: what is stamped. ARGV: lifetime in ms or 0 for ever, channel, message. Everything loaded before the stamp is out.
const STAMP: &str = "
local before = tonumber(redis.call('GET', KEYS[1]) or '0')
redis.call('DEL', KEYS[1])
if before > now then now = before end
if ARGV[1] == '0' then redis.call('SET', KEYS[1], text(now)) else redis.call('SET', KEYS[1], text(now), 'PX', ARGV[1]) end
redis.call('PUBLISH', ARGV[2], ARGV[3] .. text(now))
return text(now)
";

/// KEYS: what was stamped. ARGV: lifetime in ms or 0 for ever, the stamp if there is none (0: now). A stamp that is not
/// there may have been evicted: nobody can tell what it put out. A Redis without memory to keep it is told again.
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

/// KEYS: when each process was last here, the stamp of everything. ARGV: who beats, after how many µs a process counts as
/// dead. One that died without a farewell may have written what Redis never heard of: everything is stamped. Who finds
/// that its own last beat is that old cannot tell who is dead from who was cut off with it: all get time to come back.
const BEAT: &str = "
local own = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or now)
local members, oldest, died = redis.call('HGETALL', KEYS[1]), now - ARGV[2], false
for place = 1, #members, 2 do
  if tonumber(members[place + 1]) < oldest then
    if own < oldest then
      redis.pcall('HSET', KEYS[1], members[place], text(now))
    else
      redis.call('HDEL', KEYS[1], members[place])
      died = true
    end
  end
end
if died then redis.call('SET', KEYS[2], text(now)) end
redis.pcall('HSET', KEYS[1], ARGV[1], text(now))
return redis.call('GET', KEYS[2]) or '0'
";

/// KEYS: the lock. ARGV: who holds it.
const UNLOCK: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
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
            unlock: script(UNLOCK),
        }
    }
}
