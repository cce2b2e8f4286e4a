//! Removing consumers that are of no use any more.

use crate::bus::{Group, Stream};

/// Runs as a whole at the server: nobody can be handed an entry between the look and the removal, which would take it along.
/// `KEYS[1]` is the stream, `ARGV[1]` the group, `ARGV[2]` who stays whatever it has.
const SCRIPT: &str = r"
local removed = 0
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  if consumer['pending'] == 0 and consumer['name'] ~= ARGV[2] then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    removed = removed + 1
  end
end
return removed
";

/// The command that does it.
pub(super) fn command(stream: Stream, group: Group, keep: &str) -> redis::Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(SCRIPT).arg(1).arg(stream.name()).arg(group.name()).arg(keep);
    command
}
