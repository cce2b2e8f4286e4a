//! Places on an order's way where a test kills the process.
//!
//! Compiled in with the cargo feature `failpoints` only, which no default turns on and which an optimised build refuses.
//! Without it every call here is empty and none of the names is in the binary; `make ci` checks that.
//!
//! `COCKPIT_FAILPOINT=name:hit` makes the process send itself SIGKILL the `hit`-th time that it comes past that place: no
//! unwinding, no flush, nothing said to anybody, as when the machine's memory runs out.

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("failpoints are for tests: an optimised build must not have them");

/// The steps of an order from stream entry to acknowledgement, its fills, cancels and dead letters included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failpoint {
    /// The ledger gave the lease of the account, or renewed it; nothing was made of that.
    Leased,
    /// The loop has a stream entry in hand; nothing is decided.
    EntryRead,
    /// The gate let it pass; it is not signed.
    GatePassed,
    /// It is signed; nothing of it is durable.
    Signed,
    /// Inbox row and order are being committed: whether they are durable is open.
    IntakeCommitting,
    /// Inbox row and order are durable; the POST is not asked for.
    IntakeCommitted,
    /// The gate let it pass again, on fresher state; no byte has left.
    Cleared,
    /// The adapter holds the whole request and was told to send; no byte has left.
    BeforeFirstByte,
    /// The request is on its way; the answer is not here.
    Posting,
    /// The answer is here; nothing was made of it.
    AnswerRead,
    /// What became of the POST is being committed.
    AnswerCommitting,
    /// It is durable; the entry is not acknowledged.
    AnswerCommitted,
    /// The bus has taken the acknowledgement.
    Acknowledged,
    /// The account's socket told of a fill; it is not booked.
    FillSeen,
    /// The fill and its effect on the books are durable; nobody was told.
    FillCommitted,
    /// A lookup of an order came back; nothing was made of it.
    LookedUp,
    /// The venue is about to be asked for a cancel.
    Cancelling,
    /// The answer to a cancel is here; nothing was made of it.
    CancelAnswered,
    /// A dead letter is durable; it is not on the bus.
    DeadLetterCommitted,
    /// It is on the bus; the ledger does not know that.
    DeadLetterPublished,
}

#[cfg(not(feature = "failpoints"))]
mod absent {
    use super::Failpoint;

    /// Nothing.
    #[inline]
    pub const fn hit(_point: Failpoint) {}

    /// Nothing; which places they are is not computed.
    #[inline]
    pub fn hit_any<P: IntoIterator<Item = Failpoint>>(_points: impl FnOnce() -> P) {}

    /// The future itself.
    #[inline]
    pub fn during<P: IntoIterator<Item = Failpoint>, F: Future>(_points: impl FnOnce() -> P, work: F) -> F {
        work
    }
}

#[cfg(not(feature = "failpoints"))]
pub use absent::{during, hit, hit_any};

#[cfg(feature = "failpoints")]
mod present {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::Failpoint;

    /// The variable that arms one.
    pub const VARIABLE: &str = "COCKPIT_FAILPOINT";
    /// How long work goes on before the process is killed in its midst; about what a commit or a POST on loopback takes.
    const INTO_THE_WORK: Duration = Duration::from_millis(1);

    impl Failpoint {
        /// All of them, in the order of an order's way.
        pub const ALL: [Self; 20] = [
            Self::Leased,
            Self::EntryRead,
            Self::GatePassed,
            Self::Signed,
            Self::IntakeCommitting,
            Self::IntakeCommitted,
            Self::Cleared,
            Self::BeforeFirstByte,
            Self::Posting,
            Self::AnswerRead,
            Self::AnswerCommitting,
            Self::AnswerCommitted,
            Self::Acknowledged,
            Self::FillSeen,
            Self::FillCommitted,
            Self::LookedUp,
            Self::Cancelling,
            Self::CancelAnswered,
            Self::DeadLetterCommitted,
            Self::DeadLetterPublished,
        ];

        /// Its name in the environment.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Leased => "leased",
                Self::EntryRead => "entry_read",
                Self::GatePassed => "gate_passed",
                Self::Signed => "signed",
                Self::IntakeCommitting => "intake_committing",
                Self::IntakeCommitted => "intake_committed",
                Self::Cleared => "cleared",
                Self::BeforeFirstByte => "before_first_byte",
                Self::Posting => "posting",
                Self::AnswerRead => "answer_read",
                Self::AnswerCommitting => "answer_committing",
                Self::AnswerCommitted => "answer_committed",
                Self::Acknowledged => "acknowledged",
                Self::FillSeen => "fill_seen",
                Self::FillCommitted => "fill_committed",
                Self::LookedUp => "looked_up",
                Self::Cancelling => "cancelling",
                Self::CancelAnswered => "cancel_answered",
                Self::DeadLetterCommitted => "dead_letter_committed",
                Self::DeadLetterPublished => "dead_letter_published",
            }
        }
    }

    /// Where this process dies, and how often it still comes past that place unharmed.
    struct Armed {
        point: Failpoint,
        left: AtomicU32,
    }

    fn armed() -> Option<&'static Armed> {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        ARMED.get_or_init(|| std::env::var(VARIABLE).ok().and_then(|text| parse(&text))).as_ref()
    }

    fn parse(text: &str) -> Option<Armed> {
        let armed = text.split_once(':').and_then(|(name, hit)| {
            let point = Failpoint::ALL.into_iter().find(|point| point.name() == name)?;
            let hit: u32 = hit.parse().ok().filter(|hit| *hit > 0)?;
            Some(Armed { point, left: AtomicU32::new(hit) })
        });
        if armed.is_none() {
            tracing::error!(
                "{VARIABLE}={text} is not name:hit with a known name and a hit from 1 on: nothing is armed"
            );
        }
        armed
    }

    /// Whether the process is to die at this passage.
    fn is_fatal(point: Failpoint) -> bool {
        armed().is_some_and(|armed| armed.point == point && armed.left.fetch_sub(1, Ordering::SeqCst) == 1)
    }

    /// Comes past a place.
    pub fn hit(point: Failpoint) {
        if is_fatal(point) {
            die();
        }
    }

    /// Comes past places that depend on what is at hand.
    pub fn hit_any<P: IntoIterator<Item = Failpoint>>(points: impl FnOnce() -> P) {
        points().into_iter().for_each(hit);
    }

    /// Does work in whose midst, or at the latest at whose end, the process may have to die.
    pub async fn during<P: IntoIterator<Item = Failpoint>, F: Future>(
        points: impl FnOnce() -> P,
        work: F,
    ) -> F::Output {
        if !points().into_iter().any(is_fatal) {
            return work.await;
        }
        tokio::select! {
            biased;
            _ = work => die(),
            () = tokio::time::sleep(INTO_THE_WORK) => die(),
        }
    }

    fn die() -> ! {
        // Cannot fail: a process may signal itself. If it did, the test that armed this would wait for the end in vain.
        let _sent = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn every_name_is_of_one_place_and_arms_it() {
            for point in Failpoint::ALL {
                let armed = parse(&format!("{}:3", point.name())).expect("a known name");
                assert_eq!((armed.point, armed.left.into_inner()), (point, 3));
            }
            for wrong in ["", "signed", "signed:0", "signed:x", "nowhere:1"] {
                assert!(parse(wrong).is_none(), "{wrong}");
            }
        }
    }
}

#[cfg(feature = "failpoints")]
pub use present::{VARIABLE, during, hit, hit_any};
