//! A panic gives the terminal back before anything is printed, also when the process aborts at once.
//!
//! A panic of another task does not end the cockpit: it is logged and the screen stays as it is.

use std::future::Future;
use std::panic::PanicHookInfo;
use std::sync::Arc;

use super::{modes, stderr};

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

tokio::task_local! {
    static ON_UI: ();
}

/// Runs the cockpit so that its own panics are told from those of other tasks.
pub(crate) async fn on_ui_task<F: Future>(task: F) -> F::Output {
    ON_UI.scope((), task).await
}

/// The hook, for as long as the cockpit has the terminal.
pub(crate) struct PanicGuard {
    before: Arc<Hook>,
}

impl std::fmt::Debug for PanicGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PanicGuard")
    }
}

impl PanicGuard {
    /// Puts the hook in front of the one that was there.
    pub(crate) fn install() -> Self {
        let before: Arc<Hook> = Arc::from(std::panic::take_hook());
        let next = Arc::clone(&before);
        std::panic::set_hook(Box::new(move |panic| {
            if ends_the_cockpit() {
                // The panic itself is what must be told; a terminal that cannot be restored is told by the terminal.
                let _ = modes::restore();
                stderr::restore();
                next(panic);
            } else {
                tracing::error!(target: "panic", "{panic}");
            }
        }));
        Self { before }
    }
}

fn ends_the_cockpit() -> bool {
    let on_ui = ON_UI.try_with(|()| ()).is_ok();
    on_ui || cfg!(panic = "abort") || std::thread::current().name() == Some("main")
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let before = Arc::clone(&self.before);
            std::panic::set_hook(Box::new(move |panic| before(panic)));
        }
    }
}
