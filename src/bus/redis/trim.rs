//! Trimming a stream without losing what a group still needs.

use redis::Value;

use super::reply;
use crate::bus::{BusError, EntryId, Stream, Trimmed};

/// Runs as a whole at the server: no entry can be handed out, acknowledged or claimed between the look at the groups and the cut.
/// `KEYS[1]` is the stream, `ARGV[1]` the first entry to keep, `ARGV[2]` the group that must exist, or "".
///
/// Ids are compared as digits: a number of the script is exact only up to 2^53.
const SCRIPT: &str = r"
local function below(a, b)
  local am, ai = string.match(a, '^(%d+)%-(%d+)$')
  local bm, bi = string.match(b, '^(%d+)%-(%d+)$')
  if am == bm then am, bm = ai, bi end
  if #am ~= #bm then return #am < #bm end
  return am < bm
end
local bound, wanted = ARGV[1], ARGV[2]
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = {}
    for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
    if group['name'] == wanted then wanted = '' end
    local needed = group['last-delivered-id']
    if group['pending'] > 0 then
      local oldest = redis.call('XPENDING', KEYS[1], group['name'])[2]
      if below(oldest, needed) then needed = oldest end
    end
    if below(needed, bound) then bound = needed end
  end
end
if wanted ~= '' then return redis.error_reply('NOGROUP ' .. wanted) end
return { redis.call('XTRIM', KEYS[1], 'MINID', '=', bound), bound }
";

/// The command that trims.
pub(super) fn command(stream: Stream, keep_from: EntryId) -> redis::Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(SCRIPT).arg(1).arg(stream.name()).arg(keep_from.to_string());
    command.arg(stream.group().map_or("", |group| group.name()));
    command
}

/// Its answer.
pub(super) fn trimmed(answer: Value) -> Result<Trimmed, BusError> {
    let (removed, kept_from): (u64, String) =
        redis::from_redis_value(answer).map_err(|_mismatch| reply::unexpected("EVAL of XTRIM"))?;
    let kept_from = EntryId::parse(&kept_from).ok_or_else(|| reply::unexpected("EVAL of XTRIM"))?;
    Ok(Trimmed { removed, kept_from })
}
