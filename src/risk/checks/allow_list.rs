//! Which markets may be traded at all.

use super::{unknown, verdict};
use crate::domain::{CheckResult, Control, OrderIntent, Timestamp, means};
use crate::risk::{Limits, RiskView};

/// The market's slug is on the list, or follows a pattern of it whose `{start}` stands for digits. By the description of the market,
/// not by what the intent calls it. An empty list allows nothing.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let listed = view.market.and_then(|market| entry(limits, market.slug.as_str()));
    let value = view.market.map_or_else(|| unknown(intent), |market| market.slug.clone().into());
    let limit = match listed {
        Some(entry) => entry.to_owned(),
        None if limits.markets.is_empty() => "no market may be traded".to_owned(),
        None => format!("one of {}", limits.markets.join(", ")),
    };
    verdict(Control::AllowList, value, limit, listed.is_some())
}

/// Whether the list has this market: by its slug, or as a pattern that is on the list itself.
#[must_use]
pub fn lists(limits: &Limits, market: &str) -> bool {
    entry(limits, market).is_some()
}

fn entry<'a>(limits: &'a Limits, market: &str) -> Option<&'a str> {
    limits.markets.iter().map(String::as_str).find(|entry| means(entry, market))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::{Bench, buy, market};

    #[test]
    fn only_what_is_listed_may_be_traded() {
        let mut bench = Bench::new();
        for (list, passed) in [
            (vec![], false),
            (vec!["btc-100k"], false),
            (vec!["btc-updown-15m-{start}"], false),
            (vec!["btc-updown-5m-1795348800"], true),
            (vec!["btc-100k", "btc-updown-5m-{start}"], true),
        ] {
            bench.limits.markets = list.iter().map(|&pattern| pattern.to_owned()).collect();
            assert_eq!(bench.run(check, &buy("0.50", "5")).passed, passed, "{list:?}");
        }
        bench.limits.markets.clear();
        assert_eq!(bench.run(check, &buy("0.50", "5")).limit, "no market may be traded");
    }

    #[test]
    fn a_pattern_is_listed_as_it_is() {
        let mut limits = Bench::new().limits;
        limits.markets = vec!["btc-updown-5m-{start}".to_owned(), "eth-0".to_owned()];
        assert!(lists(&limits, "btc-updown-5m-{start}") && lists(&limits, "btc-updown-5m-1795348800"));
        assert!(!lists(&limits, "btc-updown-15m-{start}") && !lists(&limits, "eth-{start}"));
    }

    #[test]
    fn the_description_counts_and_not_the_intents_word() {
        let mut bench = Bench::new();
        bench.market = Some(crate::domain::Market { slug: "btc-updown-5m-".into(), ..market() });
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
        bench.market = None;
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
    }
}
