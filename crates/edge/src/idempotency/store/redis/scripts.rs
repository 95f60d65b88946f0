//! The steps as scripts, each of which Redis runs as one.
//!
//! A key is a hash: `f` fingerprint, `o` owner, `s` state (`held`, `sent`, `done`), `u` end of the lease in Unix
//! milliseconds of the server's clock, `a` answer. Redis forgets a held key with its lease, any other after `keep`.
//! KEYS: the key. ARGV: as the steps say.

use redis::Script;

/// The scripts, hashed once.
pub(super) struct Scripts {
    pub begin: Script,
    pub sending: Script,
    pub renew: Script,
    pub finish: Script,
    pub abandon: Script,
}

impl Scripts {
    pub fn new() -> Self {
        let lease = |body: &str| Script::new(&[NOW, LEASE, body].concat());
        Self {
            begin: Script::new(&[NOW, BEGIN].concat()),
            sending: lease("return lease(true)"),
            renew: lease("return lease(false)"),
            finish: Script::new(FINISH),
            abandon: Script::new(ABANDON),
        }
    }
}

const NOW: &str = "\
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
";

/// ARGV: fingerprint, owner, lease (ms), whether a key of unknown outcome may be begun again (0 or 1).
const BEGIN: &str = "\
local f, o, s, u = unpack(redis.call('HMGET', KEYS[1], 'f', 'o', 's', 'u'))
if s then
  local left = tonumber(u) - now()
  if not (s == 'held' and left <= 0) then
    if f ~= ARGV[1] then return {'mismatch'} end
    if s == 'done' then return {'done', redis.call('HGET', KEYS[1], 'a')} end
    if s == 'held' and o == ARGV[2] then return {'fresh'} end
    if left > 0 then return {'in_flight', left} end
    if ARGV[4] ~= '1' then return {'unknown'} end
  end
  redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], 'f', ARGV[1], 'o', ARGV[2], 's', 'held', 'u', now() + ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'fresh'}
";

/// ARGV: owner, lease (ms), keep (ms).
const LEASE: &str = "\
local function lease(sends)
  local o, s = unpack(redis.call('HMGET', KEYS[1], 'o', 's'))
  if o ~= ARGV[1] then return 0 end
  if s == 'done' then return 1 end
  if sends then s = 'sent' end
  redis.call('HSET', KEYS[1], 's', s, 'u', now() + ARGV[2])
  local remembered = ARGV[2]
  if s == 'sent' then remembered = ARGV[2] + ARGV[3] end
  redis.call('PEXPIRE', KEYS[1], remembered)
  return 1
end
";

/// ARGV: owner, answer, keep (ms).
const FINISH: &str = "\
if redis.call('HGET', KEYS[1], 'o') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 's', 'done', 'a', ARGV[2], 'u', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
";

/// ARGV: owner.
const ABANDON: &str = "\
local o, s = unpack(redis.call('HMGET', KEYS[1], 'o', 's'))
if o ~= ARGV[1] then return 0 end
if s ~= 'done' then redis.call('DEL', KEYS[1]) end
return 1
";
