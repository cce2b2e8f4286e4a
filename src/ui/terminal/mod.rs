//! The terminal: modes taken and given back, frames written by a thread of their own, so that a stalled terminal never
//! holds up the keys or, in an embedded desk, the daemons.

mod modes;
mod panic;
mod stderr;
mod suspend;
mod writer;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;

pub(crate) use panic::{PanicGuard, on_ui_task};
pub(crate) use stderr::StderrInLog;
pub(crate) use suspend::{hung_up, why_not_suspend};

use modes::Modes;
use writer::Writer;

use crate::ui::model::Model;
use crate::ui::theme::Theme;
use crate::ui::view;

/// How long leaving waits for the terminal to take what is still to be written.
const LEAVE_WITHIN: Duration = Duration::from_millis(500);

/// The bytes of one frame; flushing is left to the writer thread.
#[derive(Clone, Debug, Default)]
struct FrameBytes(Arc<Mutex<Vec<u8>>>);

impl FrameBytes {
    fn take(&self) -> Vec<u8> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = bytes.capacity();
        std::mem::replace(&mut *bytes, Vec::with_capacity(room.min(256 * 1024)))
    }
}

impl io::Write for FrameBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The terminal while the cockpit has it.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<FrameBytes>>,
    bytes: FrameBytes,
    writer: Writer,
    modes: Modes,
}

impl Screen {
    /// Takes the terminal over, with the first frame.
    ///
    /// # Errors
    /// When it is no terminal or refuses raw mode; what was turned on is off again.
    pub(crate) fn enter(mouse: bool) -> io::Result<Self> {
        crossterm::style::force_color_output(true);
        let mut bytes = FrameBytes(Arc::new(Mutex::new(Vec::with_capacity(64 * 1024))));
        let terminal = Terminal::new(CrosstermBackend::new(bytes.clone()))?;
        let writer = Writer::start()?;
        let modes = Modes::new(mouse);
        modes.on(&mut bytes)?; // the first frame takes its bytes along
        Ok(Self { terminal, bytes, writer, modes })
    }

    /// Whether the frame before is still being written.
    pub(crate) const fn busy(&self) -> bool {
        self.writer.busy()
    }

    /// Draws the model; the bytes that differ leave in one write.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(crate) fn draw(&mut self, model: &Model, theme: Theme) -> io::Result<()> {
        use io::Write as _;
        crossterm::queue!(self.bytes, BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| {
            let area = frame.area();
            view::view(model, theme, area, frame.buffer_mut());
        })?;
        crossterm::queue!(self.bytes, EndSynchronizedUpdate)?;
        self.bytes.flush()?;
        self.writer.send(self.bytes.take())
    }

    /// Waits until the frame before has been written, and says how long that took. Cancel-safe.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(crate) async fn written(&mut self) -> io::Result<Duration> {
        self.writer.written().await
    }

    /// Size in columns and rows.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Gives the terminal back, stops until SIGCONT, takes it over again.
    ///
    /// # Errors
    /// When the terminal refuses or the process cannot be stopped.
    pub(crate) async fn suspend(&mut self) -> io::Result<()> {
        self.give_back().await?;
        let stopped = suspend::stop();
        self.resume()?;
        stopped
    }

    /// Takes the terminal over again after somebody else has had it; the next frame brings its modes and draws every cell.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        self.modes.on(&mut self.bytes)?;
        // `Terminal::clear` would ask the terminal for its cursor and fight the event stream over the answer.
        let (width, height) = self.size()?;
        self.terminal.resize(Rect::new(0, 0, width, height))
    }

    /// Gives the terminal back. One that has hung up has nothing to be given.
    ///
    /// # Errors
    /// When the terminal refuses; it is left as far as possible all the same.
    pub(crate) async fn leave(mut self) -> io::Result<()> {
        let given = self.give_back().await;
        if hung_up() { Ok(()) } else { given }
    }

    /// Turns the modes off. The writer does it: a terminal that stands still gets its time and is then left as it is, because it
    /// must keep neither us from leaving nor a desk from stopping.
    async fn give_back(&mut self) -> io::Result<()> {
        let finished = self.finish_frame().await;
        let off = self.modes.off()?;
        let written = if self.busy() || off.is_empty() {
            Ok(())
        } else {
            match self.writer.send(off) {
                Ok(()) => self.finish_frame().await,
                Err(error) => Err(error),
            }
        };
        let cooked = self.modes.cooked();
        finished.and(written).and(cooked)
    }

    async fn finish_frame(&mut self) -> io::Result<()> {
        if !self.busy() {
            return Ok(());
        }
        match tokio::time::timeout(LEAVE_WITHIN, self.written()).await {
            Ok(written) => written.map(|_| ()),
            Err(_) => Ok(()), // it stands still
        }
    }
}
