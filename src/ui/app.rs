//! The loop: wait, take everything that is there, draw when it is time. The kill and the keys come before data.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event as Input, EventStream};
use futures::StreamExt as _;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::attach::Attachment;
use super::effect::Effect;
use super::frame::Pacer;
use super::keymap::{Keymap, KeymapError};
use super::model::Model;
use super::msg::{Feed, Msg};
use super::orders::{KillPath, Orders};
use super::settings::Settings;
use super::signals::{Signal, Signals};
use super::terminal::{self, PanicGuard, Screen, StderrInLog};
use super::theme::Theme;
use super::update::{self, update};
use crate::bus::BusRef;
use crate::clock::{monotonic, now};

/// News folded in before the keys get their turn again.
const NEWS_AT_ONCE: usize = 256;

/// Why the cockpit could not run, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum UiError {
    /// Standard output is not a terminal.
    #[error(
        "the cockpit needs a terminal: standard output is not one; use `cockpit run` without a screen, or `cockpit status`"
    )]
    NotATerminal,
    /// The keymap is wrong.
    #[error(transparent)]
    Keymap(#[from] KeymapError),
    /// The terminal failed.
    #[error("terminal: {0}")]
    Terminal(#[from] io::Error),
}

/// A cockpit that can be opened: everything that could stand in its way has been looked at, so that no desk is started for it in vain.
#[derive(Debug)]
pub struct Cockpit {
    settings: Settings,
    keymap: Keymap,
}

impl Cockpit {
    /// Reads the keymap and looks for a terminal.
    ///
    /// # Errors
    /// When the keymap is wrong or standard output is no terminal.
    pub fn new(settings: Settings) -> Result<Self, UiError> {
        use io::IsTerminal as _;
        let keymap = Keymap::load(settings.keymap.as_deref())?;
        if io::stdout().is_terminal() { Ok(Self { settings, keymap }) } else { Err(UiError::NotATerminal) }
    }

    /// Runs it until the reader leaves, the terminal goes away or `shutdown` fires. The terminal is given back in every case; the
    /// desk goes on, unless it is embedded and its owner stops it when this returns.
    ///
    /// # Errors
    /// When the terminal fails.
    pub async fn run(
        self,
        bus: BusRef,
        beside: Option<Arc<dyn KillPath>>,
        shutdown: CancellationToken,
    ) -> Result<(), UiError> {
        let Self { settings, keymap } = self;
        let signals = Signals::listen()?;
        let _panic_guard = PanicGuard::install();
        let _stderr = StderrInLog::begin(&settings.log)?;
        let screen = Screen::enter(settings.mouse)?;
        let model = Box::new(Model::new(settings.mode, &settings.desk, keymap, screen.size()?, now()));
        let app = App {
            theme: Theme::new(settings.colour),
            pacer: Pacer::new(settings.max_fps),
            attachment: Attachment::start(&bus, Duration::from_secs(1) / settings.max_fps.clamp(10, 60)),
            orders: Orders::new(bus, beside, &settings.actor),
            screen,
            model,
        };
        terminal::on_ui_task(app.run(signals, shutdown)).await
    }
}

struct App {
    model: Box<Model>,
    theme: Theme,
    pacer: Pacer,
    screen: Screen,
    attachment: Attachment,
    orders: Orders,
}

/// Whether the loop goes on.
enum Flow {
    On,
    Leave,
}

impl App {
    async fn run(mut self, mut signals: Signals, shutdown: CancellationToken) -> Result<(), UiError> {
        let outcome = self.follow(&mut signals, &shutdown).await;
        // A kill that was asked for is delivered before anything else ends.
        self.orders.finish().await;
        let gone = terminal::hung_up();
        let left = self.screen.leave().await;
        match outcome {
            // Its errors are how a terminal says goodbye when it goes first.
            Err(UiError::Terminal(error)) if gone => tracing::info!(%error, "the terminal has gone away"),
            other => other?,
        }
        Ok(left?)
    }

    async fn follow(&mut self, signals: &mut Signals, shutdown: &CancellationToken) -> Result<(), UiError> {
        let mut inputs = EventStream::new();
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        seconds.reset();
        self.draw()?;
        loop {
            let due = self.due();
            let flow = tokio::select! {
                biased;
                () = shutdown.cancelled() => Flow::Leave,
                signal = signals.next() => self.signal(signal).await?,
                input = inputs.next() => match input {
                    Some(Ok(input)) => self.input(input).await?,
                    Some(Err(error)) => return Err(error.into()),
                    None => Flow::Leave,
                },
                msg = self.orders.next() => self.fold(msg).await?,
                // Before the news: a flood of them must not keep a kill from being tried again, nor ages from growing.
                _ = seconds.tick() => {
                    if terminal::hung_up() {
                        return Ok(());
                    }
                    self.fold(Msg::Second).await?
                }
                written = self.screen.written() => self.written(written?).await?,
                () = until(due), if due.is_some() => { self.draw()?; Flow::On }
                Some(feed) = self.attachment.news.recv() => self.news(feed).await?,
                Some(batch) = self.attachment.market.recv() => self.fold(Msg::Feed(Box::new(Feed::Market(batch)))).await?,
            };
            if matches!(flow, Flow::Leave) {
                return Ok(());
            }
        }
    }

    /// When the next frame is due; never while the one before is being written.
    fn due(&self) -> Option<Instant> {
        if self.screen.busy() {
            return None;
        }
        self.pacer.due(monotonic()).map(Instant::from_std)
    }

    fn draw(&mut self) -> Result<(), UiError> {
        self.pacer.drawn(monotonic());
        self.screen.draw(&self.model, self.theme)?;
        Ok(())
    }

    async fn written(&mut self, took: Duration) -> Result<Flow, UiError> {
        let slow = self.pacer.flushed(took);
        if slow == self.model.slow_terminal { Ok(Flow::On) } else { self.fold(Msg::SlowTerminal(slow)).await }
    }

    async fn input(&mut self, input: Input) -> Result<Flow, UiError> {
        let Some(msg) = msg_of(input) else { return Ok(Flow::On) };
        self.pacer.urgent();
        self.fold(msg).await
    }

    async fn signal(&mut self, signal: Signal) -> Result<Flow, UiError> {
        match signal {
            Signal::Leave => Ok(Flow::Leave),
            Signal::Suspend => self.fold(Msg::SuspendAsked).await,
            Signal::Continued => self.fold(Msg::Continued).await,
        }
    }

    /// Takes everything that is there, up to a number: keys must not wait behind a flood.
    async fn news(&mut self, first: Feed) -> Result<Flow, UiError> {
        let mut next = Some(first);
        for _ in 0..NEWS_AT_ONCE {
            let Some(feed) = next else { break };
            if matches!(self.fold(Msg::Feed(Box::new(feed))).await?, Flow::Leave) {
                return Ok(Flow::Leave);
            }
            next = self.attachment.news.try_recv().ok();
        }
        Ok(Flow::On)
    }

    /// One step: fold the message in, then do what it asks for.
    async fn fold(&mut self, msg: Msg) -> Result<Flow, UiError> {
        let effects = update(&mut self.model, msg, now());
        self.pacer.dirty();
        for effect in effects {
            match effect {
                Effect::Quit => return Ok(Flow::Leave),
                Effect::Kill { why } => self.orders.kill(why),
                Effect::Command(action) => self.orders.command(action),
                Effect::Resnapshot => self.attachment.resnapshot(),
                Effect::Redraw => self.screen.resume()?,
                Effect::Suspend => self.suspend().await?,
            }
        }
        Ok(Flow::On)
    }

    async fn suspend(&mut self) -> Result<(), UiError> {
        if let Some(why) = terminal::why_not_suspend() {
            update(&mut self.model, Msg::SuspendRefused(why), now());
            return Ok(());
        }
        let since = now();
        self.screen.suspend().await?;
        let (width, height) = self.screen.size()?;
        update(&mut self.model, Msg::Resize(width, height), now());
        update(&mut self.model, Msg::Slept(now().since(since)), now());
        Ok(())
    }
}

/// What an input means; nothing when nothing can come of it, so that nothing is drawn for it.
fn msg_of(input: Input) -> Option<Msg> {
    match input {
        Input::Key(key) => Some(Msg::Key(key)),
        Input::Mouse(mouse) => update::is_used(mouse.kind).then_some(Msg::Mouse(mouse)),
        Input::Paste(text) => Some(Msg::Paste(text)),
        Input::Resize(width, height) => Some(Msg::Resize(width, height)),
        // A screen beside the focused one is read too: nothing changes.
        Input::FocusGained | Input::FocusLost => None,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

    use super::*;

    #[test]
    fn a_mouse_that_only_moves_asks_for_no_frame() {
        let mouse = |kind| Input::Mouse(MouseEvent { kind, column: 3, row: 4, modifiers: KeyModifiers::NONE });
        for idle in
            [MouseEventKind::Moved, MouseEventKind::Drag(MouseButton::Left), MouseEventKind::Up(MouseButton::Left)]
        {
            assert!(msg_of(mouse(idle)).is_none(), "{idle:?}");
        }
        for used in [MouseEventKind::Down(MouseButton::Left), MouseEventKind::ScrollDown, MouseEventKind::ScrollUp] {
            assert!(msg_of(mouse(used)).is_some(), "{used:?}");
        }
    }
}
