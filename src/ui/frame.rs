//! When to draw: never without a reason, at most so often, soon after a key. Pure; the loop brings the time.

use std::time::{Duration, Instant};

/// A key may be answered this soon after the frame before.
const AFTER_KEY: Duration = Duration::from_millis(8);
/// A frame that takes longer to leave than this means a slow terminal.
const SLOW: Duration = Duration::from_millis(100);
/// Frames never get rarer than this.
const RAREST: Duration = Duration::from_millis(500);

/// Decides when the next frame is due.
#[derive(Debug)]
pub(crate) struct Pacer {
    usual: Duration,
    interval: Duration,
    last: Option<Instant>,
    dirty: bool,
    urgent: bool,
}

impl Pacer {
    /// At most `max_fps` frames a second, taken within 10 to 60.
    pub(crate) fn new(max_fps: u32) -> Self {
        let usual = Duration::from_secs(1) / max_fps.clamp(10, 60);
        Self { usual, interval: usual, last: None, dirty: true, urgent: true }
    }

    /// Something changed that can be seen.
    pub(crate) const fn dirty(&mut self) {
        self.dirty = true;
    }

    /// Something changed in answer to the reader.
    pub(crate) const fn urgent(&mut self) {
        self.dirty = true;
        self.urgent = true;
    }

    /// When the next frame is due; nothing while there is no reason to draw.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        if !self.dirty {
            return None;
        }
        let Some(last) = self.last else { return Some(now) };
        let interval = if self.urgent { AFTER_KEY.min(self.interval) } else { self.interval };
        Some((last + interval).max(now))
    }

    /// A frame was begun.
    pub(crate) const fn drawn(&mut self, now: Instant) {
        self.last = Some(now);
        self.dirty = false;
        self.urgent = false;
    }

    /// A frame has left and took so long. Frames get rarer while the terminal is slow, and more frequent again when it is
    /// not. Returns whether it is slow now.
    pub(crate) fn flushed(&mut self, took: Duration) -> bool {
        self.interval = if took > SLOW { (self.interval * 2).min(RAREST) } else { (self.interval / 2).max(self.usual) };
        self.interval > self.usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_due_without_a_reason_and_data_waits_for_its_turn() {
        let start = crate::clock::monotonic();
        let mut pacer = Pacer::new(30);
        assert_eq!(pacer.due(start), Some(start), "the first frame is due at once");
        pacer.drawn(start);
        assert_eq!(pacer.due(start), None);
        pacer.dirty();
        let due = pacer.due(start).expect("due");
        assert!((33..=34).contains(&(due - start).as_millis()), "{:?}", due - start);
        pacer.urgent();
        assert_eq!(pacer.due(start), Some(start + AFTER_KEY), "a key does not wait for the frame rate");
    }

    #[test]
    fn a_slow_terminal_gets_fewer_frames_and_recovers() {
        let mut pacer = Pacer::new(30);
        for _ in 0..10 {
            assert!(pacer.flushed(Duration::from_millis(300)));
        }
        assert_eq!(pacer.interval, RAREST);
        while pacer.flushed(Duration::from_millis(1)) {}
        assert_eq!(pacer.interval, pacer.usual);
    }

    #[test]
    fn the_frame_rate_stays_within_its_range() {
        assert_eq!(Pacer::new(0).usual, Duration::from_millis(100));
        assert_eq!(Pacer::new(1_000).usual, Duration::from_secs(1) / 60);
    }
}
