//! One line of the list.

use serde::Serialize;

use super::super::output::csv_line;
use crate::domain::{DeniedBy, OrderIntent, Rationale, Skip, Timestamp, TradeEvent};

/// What became of a crossing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Emitted.
    Signal,
    /// Refused by a gate.
    Denied,
    /// Not wished.
    Skipped,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Denied => "denied",
            Self::Skipped => "skipped",
        }
    }
}

/// A signal, denial or skip in short. Figures are text as they were recorded; empty where there is none.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Record {
    id: String,
    at: Timestamp,
    pub(super) kind: Kind,
    strategy: String,
    /// The version of the strategy's parameters; 0 when it is not known.
    params: u64,
    market: String,
    outcome: String,
    side: String,
    size: String,
    price: String,
    change: String,
    threshold: String,
    fair: String,
    edge: String,
    why: String,
}

/// The names of the columns of [`Record::csv`].
pub(super) const HEADING: &str =
    "id,at,kind,strategy,params,market,outcome,side,size,price,change,threshold,fair,edge,why";

impl Record {
    /// Of an event about a signal; nothing of others.
    pub(super) fn of(event: TradeEvent) -> Option<Self> {
        match event {
            TradeEvent::Signal(entry) => {
                let doubt = entry.doubt.map_or_else(String::new, |doubt| format!("in doubt: {doubt}; "));
                let (at, why) = (entry.intent.created_at, format!("{doubt}{}", entry.rationale.note));
                Some(Self::wished(Kind::Signal, at, &entry.intent, Some(&entry.rationale), why))
            }
            TradeEvent::Denied { by, intent, denial, rationale, at, .. } => {
                let by = match by {
                    DeniedBy::Athena => "athena",
                    DeniedBy::Hermes => "hermes",
                };
                Some(Self::wished(Kind::Denied, at, &intent, rationale.as_ref(), format!("{by}: {denial}")))
            }
            TradeEvent::Skipped(skip) => Some(Self::skipped(skip)),
            _ => None,
        }
    }

    fn wished(kind: Kind, at: Timestamp, intent: &OrderIntent, rationale: Option<&Rationale>, why: String) -> Self {
        let figure = |of: fn(&Rationale) -> String| rationale.map_or_else(String::new, of);
        let price = |price: Option<crate::domain::Price>| price.map_or_else(String::new, |price| price.to_string());
        Self {
            id: intent.intent.to_string(),
            at,
            kind,
            strategy: intent.strategy.to_string(),
            params: rationale.map_or(0, |rationale| rationale.params),
            market: intent.slug.to_string(),
            outcome: intent.outcome.clone(),
            side: intent.side.to_string(),
            size: intent.size.to_string(),
            price: intent.price.to_string(),
            change: figure(|rationale| rationale.change.to_string()),
            threshold: figure(|rationale| rationale.threshold.to_string()),
            fair: price(rationale.and_then(|rationale| rationale.fair)),
            edge: price(rationale.and_then(|rationale| rationale.edge)),
            why,
        }
    }

    fn skipped(skip: Skip) -> Self {
        let untold = if skip.untold > 0 { format!(" ({} more before it)", skip.untold) } else { String::new() };
        Self {
            id: skip.id.to_string(),
            at: skip.at,
            kind: Kind::Skipped,
            strategy: skip.strategy.to_string(),
            params: skip.params,
            market: skip.slug.map_or_else(String::new, |slug| slug.to_string()),
            outcome: String::new(),
            side: String::new(),
            size: String::new(),
            price: String::new(),
            change: String::new(),
            threshold: String::new(),
            fair: String::new(),
            edge: String::new(),
            why: format!("{}: {}{untold}", skip.reason, skip.note),
        }
    }

    /// Two lines of at most 80 columns: when, what and its id; then what was wanted, or why not.
    pub(super) fn line(&self) -> String {
        let at = self.at.to_string();
        let time = at.get(11..23).unwrap_or(&at);
        let wanted = match self.kind {
            Kind::Signal => format!("{} {} {} at {}", self.side, self.size, self.outcome, self.price),
            Kind::Denied => format!("{} {} {} at {}: {}", self.side, self.size, self.outcome, self.price, self.why),
            Kind::Skipped => self.why.clone(),
        };
        let wanted: String = crate::text::safe(&wanted).chars().take(66).collect();
        format!("{time}  {:<8} v{:<4} {}\n              {wanted}", self.kind.word(), self.params, self.id)
    }

    /// One line of CSV, in the order of [`HEADING`].
    pub(super) fn csv(&self) -> String {
        let at = self.at.to_string();
        let params = self.params.to_string();
        let fields = [
            &self.id,
            &at,
            self.kind.word(),
            &self.strategy,
            &params,
            &self.market,
            &self.outcome,
            &self.side,
            &self.size,
            &self.price,
            &self.change,
            &self.threshold,
            &self.fair,
            &self.edge,
            &self.why,
        ];
        csv_line(fields.into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_listed_with_its_reason_and_what_was_not_told() {
        let skip = Skip {
            id: "skip-1".into(),
            strategy: "momentum".into(),
            source: "BTC/USD".into(),
            slug: None,
            params: 3,
            reason: "no_edge".into(),
            note: "edge -0.01 is below 0, after fee".into(),
            inputs: Vec::new(),
            event_at: Timestamp::from_secs(0),
            received_at: Timestamp::from_secs(0),
            at: Timestamp::from_millis(1_795_348_800_250),
            untold: 4,
        };
        let record = Record::of(TradeEvent::Skipped(skip)).expect("a skip");
        let why = "no_edge: edge -0.01 is below 0, after fee (4 more before it)";
        assert_eq!(record.line(), format!("12:00:00.250  skipped  v3    skip-1\n              {why}"));
        let csv = record.csv();
        assert_eq!(csv.matches(',').count(), HEADING.matches(',').count() + 1, "one comma is in the text");
        assert!(csv.ends_with(&format!("\"{why}\"")), "{csv}");
    }
}
