//! Which latch is in force when Hermes starts. Pure.

use super::FileLatch;
use crate::domain::{KillLatch, KillState, Mode, Timestamp};

/// What the places say at start. The bus is joined later, when it can be read.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The latch file.
    pub file: FileLatch,
    /// The ledger's newest latch.
    pub ledger: Option<KillLatch>,
}

/// The strictest of them: armed only when both say so of the same epoch. An arming is in the ledger first and in the file last, so one
/// that a crash or a kill has interrupted is none. Without any trace of an earlier run only the simulation starts armed, in epoch 1.
#[must_use]
pub fn start_latch(mode: Mode, sources: Sources, now: Timestamp) -> KillLatch {
    let latch = |epoch, state, why: String| KillLatch { epoch, state, by: "hermes".into(), why, at: now };
    match (sources.file, sources.ledger) {
        (FileLatch::Present(file), Some(ledger)) => {
            let epoch = file.epoch.max(ledger.epoch);
            match (file.is_armed(), ledger.is_armed()) {
                (true, true) if file.epoch != ledger.epoch => {
                    let why = format!("armed in epoch {} by the file, in {} by the ledger", file.epoch, ledger.epoch);
                    latch(epoch, KillState::Killed, why)
                }
                (true, true) | (false, false) => file.stricter(ledger),
                (false, true) => KillLatch { epoch, ..file },
                (true, false) => KillLatch { epoch, ..ledger },
            }
        }
        (FileLatch::Present(file), None) if file.is_armed() => {
            latch(file.epoch, KillState::Killed, "the ledger knows no latch: was it replaced?".into())
        }
        (FileLatch::Present(file), None) => file,
        (FileLatch::Unreadable(why), ledger) => {
            latch(ledger.map_or(0, |ledger| ledger.epoch), KillState::Killed, format!("latch file unreadable: {why}"))
        }
        (FileLatch::Absent, Some(ledger)) if ledger.is_armed() => {
            latch(ledger.epoch, KillState::Killed, "the latch file is gone".into())
        }
        (FileLatch::Absent, Some(ledger)) => ledger,
        (FileLatch::Absent, None) if mode == Mode::Sim => {
            latch(1, KillState::Armed, "first start of a simulation".into())
        }
        (FileLatch::Absent, None) => latch(0, KillState::Killed, format!("first start in {mode}: arm it to trade")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latch(epoch: u64, state: KillState, at: i64) -> KillLatch {
        KillLatch { epoch, state, by: "t".into(), why: String::new(), at: Timestamp::from_secs(at) }
    }

    fn start(mode: Mode, file: FileLatch, ledger: Option<KillLatch>) -> (u64, bool) {
        let latch = start_latch(mode, Sources { file, ledger }, Timestamp::from_secs(100));
        (latch.epoch, latch.is_armed())
    }

    #[test]
    fn only_a_first_start_in_sim_is_armed_by_itself() {
        assert_eq!(start(Mode::Sim, FileLatch::Absent, None), (1, true));
        assert_eq!(start(Mode::Paper, FileLatch::Absent, None), (0, false));
        assert_eq!(start(Mode::Live, FileLatch::Absent, None), (0, false));
    }

    #[test]
    fn the_strictest_place_wins_and_doubt_kills() {
        let armed = || latch(3, KillState::Armed, 10);
        let killed = || latch(3, KillState::Killed, 20);
        let file = FileLatch::Present;
        assert_eq!(start(Mode::Sim, file(armed()), Some(armed())), (3, true));
        assert_eq!(start(Mode::Sim, file(killed()), Some(armed())), (3, false));
        assert_eq!(start(Mode::Sim, file(armed()), Some(killed())), (3, false));
        assert_eq!(start(Mode::Sim, FileLatch::Absent, Some(armed())), (3, false));
        let next = || latch(4, KillState::Armed, 30);
        assert_eq!(start(Mode::Sim, file(killed()), Some(next())), (4, false), "an arming that did not reach the file");
        assert_eq!(start(Mode::Sim, file(armed()), Some(next())), (4, false));
        assert_eq!(start(Mode::Sim, file(next()), Some(killed())), (4, false));
        assert_eq!(start(Mode::Sim, file(next()), Some(next())), (4, true));
        assert_eq!(start(Mode::Sim, file(armed()), None), (3, false));
        assert_eq!(start(Mode::Sim, FileLatch::Unreadable("x".into()), Some(armed())), (3, false));
    }
}
