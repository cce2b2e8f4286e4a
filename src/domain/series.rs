//! A market's slug, and the pattern that the slugs of a series follow.

const START: &str = "start}";

/// Whether it can be a market's slug: small letters, digits and hyphens.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether it is a market's slug, or a pattern such as `btc-updown-5m-{start}`.
#[must_use]
pub fn is_market(text: &str) -> bool {
    let part = |text: &str| text.is_empty() || is_slug(text);
    split_series(text).map_or_else(|| is_slug(text), |(before, after)| part(before) && part(after))
}

/// What a pattern has before and after the start of the window; nothing of what is no pattern.
#[must_use]
pub fn split_series(pattern: &str) -> Option<(&str, &str)> {
    let (before, rest) = pattern.split_once('{')?;
    Some((before, rest.strip_prefix(START)?))
}

/// The digits that stand in `slug` where the pattern has the start of the window: seconds since the epoch. Nothing when the slug
/// does not follow it, or it is no pattern.
#[must_use]
pub fn start_in<'a>(pattern: &str, slug: &'a str) -> Option<&'a str> {
    let (before, after) = split_series(pattern)?;
    let start = slug.strip_prefix(before)?.strip_suffix(after)?;
    (!start.is_empty() && start.bytes().all(|byte| byte.is_ascii_digit())).then_some(start)
}

/// Whether an entry of a list means this market: it is the same slug or pattern, or a pattern that the slug follows.
#[must_use]
pub fn means(entry: &str, market: &str) -> bool {
    entry == market || start_in(entry, market).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_market_is_a_slug_or_a_pattern() {
        for right in ["btc-100k", "7", "btc-updown-5m-{start}", "{start}", "a-{start}-z"] {
            assert!(is_market(right), "{right}");
        }
        for wrong in ["", "BTC", "a b", "a_b", "a.b", "a-{end}", "{start}-{start}", "a-{start", "é"] {
            assert!(!is_market(wrong), "{wrong}");
        }
        assert!(!is_slug("a-{start}"));
    }

    #[test]
    fn a_slug_follows_a_pattern_when_only_digits_stand_for_the_start() {
        let pattern = "btc-updown-5m-{start}";
        assert_eq!(start_in(pattern, "btc-updown-5m-1795348800"), Some("1795348800"));
        for (pattern, slug) in [
            (pattern, "btc-updown-15m-1795348800"),
            (pattern, "eth-updown-5m-1795348800"),
            (pattern, "btc-updown-5m-"),
            (pattern, "btc-updown-5m-+5"),
            (pattern, "btc-updown-5m-12a"),
            ("a-{start}-a", "a-a"),
            ("btc-100k", "btc-100k"),
        ] {
            assert_eq!(start_in(pattern, slug), None, "{slug}");
        }
        assert_eq!(start_in("x-{start}z", "x-9z"), Some("9"));
    }

    #[test]
    fn an_entry_means_itself_and_what_follows_it() {
        assert!(means("btc-100k", "btc-100k") && means("x-{start}", "x-{start}") && means("x-{start}", "x-7"));
        assert!(!means("x-7", "x-{start}") && !means("x-{start}", "x-") && !means("btc-100k", "btc-100"));
    }
}
