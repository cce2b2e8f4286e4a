//! Which market a strategy means: a slug, or a rolling pattern whose windows follow one another.

use crate::domain::{Market, Slug, Timestamp, split_outcome, split_series, start_in};

/// A market by its slug, or by the pattern of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Exactly this slug.
    Fixed(Slug),
    /// Each market whose slug follows this pattern, one after the other.
    Rolling(String),
}

impl Selector {
    /// From a slug, with or without an outcome, or a pattern such as `btc-updown-5m-{start}`.
    #[must_use]
    pub fn new(traded: &str) -> Self {
        let (market, _outcome) = split_outcome(traded);
        if split_series(market).is_some() { Self::Rolling(market.to_owned()) } else { Self::Fixed(Slug::new(market)) }
    }

    /// The one of the names of slugs under which every market is found that it means, perhaps with others.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Fixed(slug) => slug.as_str(),
            Self::Rolling(pattern) => {
                let before = split_series(pattern).map_or(pattern.as_str(), |(before, _)| before);
                before.trim_end_matches(|end: char| end.is_ascii_digit())
            }
        }
    }

    /// When the market's window begins, if the selector means this market. A fixed market without an opening has
    /// always been open.
    #[must_use]
    pub fn start_of(&self, market: &Market) -> Option<Timestamp> {
        match self {
            Self::Fixed(slug) => {
                (market.slug == *slug).then(|| market.opens_at.unwrap_or(Timestamp::from_micros(i64::MIN)))
            }
            Self::Rolling(pattern) => {
                let named = start_in(pattern, market.slug.as_str())?.parse().ok().map(Timestamp::from_secs)?;
                Some(market.opens_at.unwrap_or(named))
            }
        }
    }
}

/// What a market may be looked up by: its whole slug, and what stands before each run of digits in it, since each may be a start.
pub(super) fn names(slug: &Slug) -> impl Iterator<Item = &str> {
    let slug = slug.as_str();
    let digit = |at: usize| slug.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let begins = (0..slug.len()).filter(move |at| digit(*at) && !at.checked_sub(1).is_some_and(digit));
    std::iter::once(slug).chain(begins.map(|at| &slug[..at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::market;

    fn start(pattern: &str, slug: &str) -> Option<i64> {
        let market = Market { slug: slug.into(), opens_at: None, ..market() };
        let selector = Selector::new(pattern);
        let found = names(&market.slug).any(|name| name == selector.name());
        assert!(found || selector.start_of(&market).is_none(), "{slug} is not found by {pattern}");
        Selector::new(pattern).start_of(&market).map(Timestamp::secs)
    }

    #[test]
    fn a_pattern_means_its_series_only() {
        let pattern = "btc-updown-5m-{start}";
        assert_eq!(start(pattern, "btc-updown-5m-1795348800"), Some(1_795_348_800));
        for foreign in ["btc-updown-15m-1795348800", "btc-updown-5m-", "btc-updown-5m-99999999999999999999"] {
            assert_eq!(start(pattern, foreign), None, "{foreign}");
        }
    }

    #[test]
    fn wherever_the_start_stands_it_is_found() {
        for (pattern, slug) in
            [("{start}", "7"), ("a1{start}", "a12"), ("a-{start}5m-3", "a-75m-3"), ("x-3-{start}z", "x-3-9z")]
        {
            assert!(start(pattern, slug).is_some(), "{pattern}");
        }
    }

    #[test]
    fn a_slug_means_itself_and_the_markets_own_opening_counts() {
        assert!(start("btc-100k", "btc-100k").is_some());
        assert_eq!(start("btc-100k", "btc-100k-x"), None);
        assert!(start("btc-100k#Yes", "btc-100k").is_some(), "whichever outcome of it is traded");
        let opens_at = Some(Timestamp::from_secs(5));
        let market = Market { slug: "x-7".into(), opens_at, ..market() };
        assert_eq!(Selector::new("x-{start}").start_of(&market), opens_at);
    }
}
