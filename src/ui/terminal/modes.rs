//! Terminal modes: each is turned off again exactly when it was turned on by us.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture,
};
use crossterm::terminal::{
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

const RAW: u8 = 1;
const SCREEN: u8 = 2;
const PASTE: u8 = 4;
const FOCUS: u8 = 8;
const MOUSE: u8 = 16;
const CURSOR: u8 = 32;

/// What is on now. Static, because a panic on any thread must be able to turn it off.
static ON: AtomicU8 = AtomicU8::new(0);

/// The modes that the cockpit wants. Raw mode is a setting of the kernel's and changes at once; the others are bytes, which are
/// left to whoever writes to the terminal: it may be standing still.
#[derive(Debug)]
pub(super) struct Modes {
    mouse: bool,
}

impl Modes {
    /// Nothing is on yet.
    pub(super) const fn new(mouse: bool) -> Self {
        Self { mouse }
    }

    /// Turns everything on, whatever state others have left the terminal in: raw mode now, the rest by what is put into `out`.
    ///
    /// # Errors
    /// When raw mode is refused.
    pub(super) fn on(&self, out: &mut impl io::Write) -> io::Result<()> {
        if ON.load(Ordering::SeqCst) & RAW != 0 {
            disable_raw_mode()?; // crossterm believes that it is still raw; a shell may have changed it
        }
        enable_raw_mode()?;
        ON.fetch_or(RAW | SCREEN | PASTE | FOCUS | CURSOR, Ordering::SeqCst);
        crossterm::queue!(out, EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange, Hide)?;
        if self.mouse {
            ON.fetch_or(MOUSE, Ordering::SeqCst);
            crossterm::queue!(out, EnableMouseCapture)?;
        }
        Ok(())
    }

    /// What turns off everything that is on, raw mode apart; nothing when nothing is. From here on it counts as off.
    ///
    /// # Errors
    /// None; writing to memory cannot fail.
    #[expect(clippy::unused_self, reason = "only who has turned them on may turn them off")]
    pub(super) fn off(&self) -> io::Result<Vec<u8>> {
        let on = ON.fetch_and(RAW, Ordering::SeqCst) & !RAW;
        let mut bytes = Vec::new();
        if on != 0 {
            write_off(&mut bytes, on)?;
        }
        Ok(bytes)
    }

    /// Turns raw mode off when it is on.
    ///
    /// # Errors
    /// When the terminal refuses.
    #[expect(clippy::unused_self, reason = "only who has turned it on may turn it off")]
    pub(super) fn cooked(&self) -> io::Result<()> {
        if ON.fetch_and(!RAW, Ordering::SeqCst) & RAW == 0 { Ok(()) } else { disable_raw_mode() }
    }
}

impl Drop for Modes {
    fn drop(&mut self) {
        // Nobody is left to tell, and the terminal may be gone: leaving is best effort here.
        let _ = restore();
    }
}

/// Turns off what is on, once, from any thread.
pub(super) fn restore() -> io::Result<()> {
    let on = ON.swap(0, Ordering::SeqCst);
    if on == 0 {
        return Ok(());
    }
    let mut out = io::stdout();
    let written = write_off(&mut out, on);
    let raw = if on & RAW == 0 { Ok(()) } else { disable_raw_mode() };
    written.and(raw)
}

fn write_off(out: &mut impl io::Write, on: u8) -> io::Result<()> {
    crossterm::queue!(out, EndSynchronizedUpdate)?;
    if on & MOUSE != 0 {
        crossterm::queue!(out, DisableMouseCapture)?;
    }
    if on & FOCUS != 0 {
        crossterm::queue!(out, DisableFocusChange)?;
    }
    if on & PASTE != 0 {
        crossterm::queue!(out, DisableBracketedPaste)?;
    }
    if on & SCREEN != 0 {
        crossterm::queue!(out, LeaveAlternateScreen)?;
    }
    if on & CURSOR != 0 {
        crossterm::queue!(out, Show)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn off(on: u8) -> String {
        let mut bytes = Vec::new();
        write_off(&mut bytes, on).expect("writes to memory");
        String::from_utf8(bytes).expect("plain")
    }

    #[test]
    fn only_what_was_turned_on_is_turned_off() {
        assert_eq!(off(0), "\u{1b}[?2026l");
        assert!(!off(SCREEN | CURSOR | PASTE | FOCUS).contains("?1000l"), "a mouse owned by somebody else stays");
        let all = off(SCREEN | CURSOR | PASTE | FOCUS | MOUSE);
        for mode in ["?1000l", "?1004l", "?2004l", "?1049l", "?25h"] {
            assert!(all.contains(mode), "{mode} in {all:?}");
        }
    }
}
