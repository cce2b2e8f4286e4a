//! What keeps the desk going, one fact a row: the lease, the venue's clock, the bus, the feeds, latencies, losses.

use crate::domain::{ArgosState, AthenaState, FeedLink, HermesState, Latency, Slug, Timestamp, span_us};
use crate::ui::format;
use crate::ui::model::cells::label_of;
use crate::ui::model::panes::RowId;
use crate::ui::model::rows::{Cell, Row, Rows};
use crate::ui::theme::Role;

/// Facts kept; feeds are the many.
const FACTS_MAX: usize = 256;
/// The venue's clock is known to half a second: nothing below this is a skew.
const SKEW_SHOWN_TENTHS: u64 = 10;
/// Cells of a row.
pub(crate) const CELLS: usize = 3;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    /// What it is about; unique.
    pub(crate) name: String,
    /// What there is to say.
    pub(crate) text: String,
    /// How it looks.
    pub(crate) role: Role,
    /// When it was so, where that matters.
    pub(crate) at: Option<Timestamp>,
}

impl Fact {
    fn new(name: impl Into<String>, text: impl AsRef<str>, role: Role) -> Self {
        Self { name: format::clean(&name.into()), text: format::clean(text.as_ref()), role, at: None }
    }

    fn at(self, at: Option<Timestamp>) -> Self {
        Self { at, ..self }
    }
}

/// Facts of all daemons, Hermes' first.
#[derive(Clone, Debug)]
pub(crate) struct System {
    hermes: Vec<Fact>,
    athena: Vec<Fact>,
    argos: Vec<Fact>,
    rows: Rows<Fact, CELLS>,
}

impl Default for System {
    fn default() -> Self {
        Self { hermes: Vec::new(), athena: Vec::new(), argos: Vec::new(), rows: Rows::with_cap(FACTS_MAX) }
    }
}

impl System {
    /// The rows.
    pub(crate) const fn rows(&self) -> &Rows<Fact, CELLS> {
        &self.rows
    }

    /// Takes Hermes' snapshot in.
    pub(crate) fn hermes(&mut self, state: &HermesState) {
        self.hermes = hermes(state);
        self.renew();
    }

    /// Takes Athena's snapshot in.
    pub(crate) fn athena(&mut self, state: &AthenaState) {
        self.athena = vec![
            Fact::new("tick to signal", latency(state.tick_to_signal), Role::Text),
            lost("lost for athena", state.dropped),
        ];
        self.renew();
    }

    /// Takes Argos' snapshot in.
    pub(crate) fn argos(&mut self, state: &ArgosState) {
        self.argos = vec![lost("lost for argos", state.ticks.dropped)];
        self.argos.extend(state.feeds.iter().map(|feed| {
            let (link, role) = match feed.link {
                FeedLink::Up => ("up", Role::Good),
                FeedLink::Connecting => ("connecting", Role::Warn),
                FeedLink::Subscribing => ("subscribing", Role::Warn),
                FeedLink::Refused => ("REFUSED", Role::Bad),
            };
            let counted = [("reconnects", feed.reconnects), ("gaps", feed.gaps)];
            let counted =
                counted.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!(", {what} {count}"));
            let reason = feed.reason.iter().map(|reason| format!(": {reason}"));
            let text = std::iter::once(link.to_owned()).chain(counted).chain(reason).collect::<String>();
            let subject = label_of(&Slug::new(&feed.subject));
            Fact::new(format!("{} {subject}", feed.source), text, role).at(feed.last_at)
        }));
        self.renew();
    }

    fn renew(&mut self) {
        let facts = self.hermes.iter().chain(&self.athena).chain(&self.argos);
        self.rows.replace(facts.map(|fact| Row {
            id: RowId::Fact(fact.name.clone()),
            cells: [
                Cell::of(fact.name.clone(), Role::Dim),
                fact.at.map_or_else(|| Cell::text(""), |at| Cell::Age(Some(at))),
                Cell::of(fact.text.clone(), fact.role),
            ],
            item: fact.clone(),
        }));
    }
}

fn hermes(state: &HermesState) -> Vec<Fact> {
    let mut facts = vec![lease(state.fencing_token, &state.boot)];
    facts.push(match &state.trouble {
        Some(trouble) => Fact::new("trouble", trouble, Role::Bad),
        None => Fact::new("trouble", "none", Role::Good),
    });
    facts.extend(state.halted.iter().map(|halt| Fact::new(format!("halted {}", halt.strategy), &halt.why, Role::Bad)));
    facts.push(match state.reconciled_at {
        Some(at) => Fact::new("reconciled", "the books agree with the venue", Role::Good).at(Some(at)),
        None => Fact::new("reconciled", "never compared with the venue", Role::Bad),
    });
    facts.push(clock(state.venue_skew_ms));
    let concerns = state.bus_concerns.iter().zip(1..);
    facts.extend(concerns.map(|(concern, number)| Fact::new(format!("bus concern {number}"), concern, Role::Warn)));
    if state.bus_concerns.is_empty() {
        facts.push(Fact::new("bus concerns", "none", Role::Good));
    }
    let concerns = state.limit_concerns.iter().zip(1..);
    facts.extend(concerns.map(|(concern, number)| Fact::new(format!("limit concern {number}"), concern, Role::Warn)));
    facts.push(Fact::new("tick to order", latency(state.tick_to_order), Role::Text));
    facts
}

fn lease(token: Option<u64>, boot: &str) -> Fact {
    match token {
        Some(token) => Fact::new("lease", format!("turn {token} at the account, by run {boot}"), Role::Good),
        None => Fact::new("lease", format!("run {boot} has none: it is a standby and sends nothing"), Role::Bad),
    }
}

fn clock(skew_ms: Option<i64>) -> Fact {
    let Some(skew) = skew_ms else { return Fact::new("venue clock", "not measured yet", Role::Warn) };
    match skew_words(skew) {
        Some(words) => Fact::new("venue clock", format!("{words} of ours"), Role::Warn),
        None => Fact::new("venue clock", "within a second of ours", Role::Good),
    }
}

/// `1.2 s ahead`; nothing while the clocks may agree.
pub(crate) fn skew_words(skew_ms: i64) -> Option<String> {
    let tenths = skew_ms.unsigned_abs().saturating_add(50) / 100;
    let side = if skew_ms < 0 { "behind" } else { "ahead" };
    (tenths >= SKEW_SHOWN_TENTHS).then(|| format!("{}.{} s {side}", tenths / 10, tenths % 10))
}

fn latency(latency: Latency) -> String {
    let words = |micros: Option<u64>| micros.and_then(|micros| i64::try_from(micros).ok()).map(span_us);
    match (words(latency.p50), words(latency.p99)) {
        (Some(p50), Some(p99)) => format!("p50 {p50}, p99 {p99}"),
        _ => "no sample yet".to_owned(),
    }
}

fn lost(name: &str, count: u64) -> Fact {
    if count == 0 {
        Fact::new(name, "nothing", Role::Good)
    } else {
        Fact::new(name, format!("{count} messages"), Role::Warn)
    }
}
