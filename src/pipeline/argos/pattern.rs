//! Which markets a configured name means at a given time.

use std::time::Duration;

use crate::domain::{Slug, Timestamp, is_slug, split_series};

const LONGEST_WINDOW: u64 = 24 * 3_600;

/// A configured market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// One market.
    Fixed(Slug),
    /// A market for each window; its slug ends with the second at which the window starts.
    Rolling {
        /// What stands before the start.
        prefix: String,
        /// Length of a window, in seconds; windows start at its multiples.
        length: i64,
    },
}

/// One window of a rolling market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Its market.
    pub(super) slug: Slug,
    /// When it ends; absent for a fixed market.
    pub(super) ends_at: Option<Timestamp>,
}

impl Pattern {
    /// Reads `name`, a slug or `...-<length>-{start}` with a length such as `5m`, `15m` or `1h`. The error says what would
    /// be right.
    pub(super) fn parse(name: &str) -> Result<Self, &'static str> {
        let Some((prefix, "")) = split_series(name) else {
            return if is_slug(name) {
                Ok(Self::Fixed(Slug::new(name)))
            } else {
                Err("a slug of small letters, digits and hyphens, or a pattern that ends with {start}")
            };
        };
        let length = prefix.strip_suffix('-').and_then(|rest| rest.rsplit('-').next()).and_then(seconds);
        match length {
            Some(length) if is_slug(prefix) => Ok(Self::Rolling { prefix: prefix.to_owned(), length }),
            _ => Err("a pattern whose window length stands before {start}, such as btc-updown-5m-{start}"),
        }
    }

    /// The windows that end after `now - behind` and start before `now + ahead`, oldest first.
    pub(super) fn windows(&self, now: Timestamp, behind: Duration, ahead: Duration) -> Vec<Window> {
        match self {
            Self::Fixed(slug) => vec![Window { slug: slug.clone(), ends_at: None }],
            Self::Rolling { prefix, length } => {
                let first = now.minus(behind).secs().div_euclid(*length);
                let last = now.plus(ahead).secs().div_euclid(*length);
                let window = |index: i64| {
                    let start = index * length;
                    Window {
                        slug: Slug::new(format!("{prefix}{start}")),
                        ends_at: Some(Timestamp::from_secs(start + length)),
                    }
                };
                (first..=last).map(window).collect()
            }
        }
    }
}

fn seconds(text: &str) -> Option<i64> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let count: u64 = count.parse().ok()?;
    let seconds = count.checked_mul(unit).filter(|seconds| (1..=LONGEST_WINDOW).contains(seconds))?;
    i64::try_from(seconds).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONE: Duration = Duration::ZERO;
    const AHEAD: Duration = Duration::from_secs(30);

    fn slugs(pattern: &str, now: i64, behind: Duration, ahead: Duration) -> Vec<String> {
        let pattern = Pattern::parse(pattern).expect("pattern");
        let windows = pattern.windows(Timestamp::from_secs(now), behind, ahead);
        windows.iter().map(|window| window.slug.to_string()).collect()
    }

    #[test]
    fn the_current_window_and_the_next_one_before_the_roll() {
        let name = "btc-updown-5m-{start}";
        assert_eq!(slugs(name, 1_795_348_800, NONE, AHEAD), ["btc-updown-5m-1795348800"]);
        assert_eq!(slugs(name, 1_795_349_069, NONE, AHEAD), ["btc-updown-5m-1795348800"]);
        let both = ["btc-updown-5m-1795348800", "btc-updown-5m-1795349100"];
        assert_eq!(slugs(name, 1_795_349_070, NONE, AHEAD), both);
        assert_eq!(slugs(name, 1_795_349_099, NONE, AHEAD), both);
        assert_eq!(slugs(name, 1_795_349_100, NONE, AHEAD), both[1..]);
        assert_eq!(slugs("eth-updown-15m-{start}", 1_795_349_100, NONE, AHEAD), ["eth-updown-15m-1795348800"]);
        assert_eq!(slugs("x-1h-{start}", 1_795_349_100, NONE, AHEAD), ["x-1h-1795348800"]);
        assert_eq!(slugs("quiet-market", 5, NONE, AHEAD), ["quiet-market"]);
    }

    #[test]
    fn looking_back_brings_the_windows_that_ended_lately() {
        let found = slugs("btc-updown-5m-{start}", 1_795_349_160, Duration::from_mins(10), NONE);
        assert_eq!(found, ["btc-updown-5m-1795348500", "btc-updown-5m-1795348800", "btc-updown-5m-1795349100"]);
    }

    #[test]
    fn a_name_that_means_nothing_is_refused() {
        for name in [
            "",
            "{start}",
            "btc-{start}",
            "btc-5x-{start}",
            "btc-0m-{start}",
            "btc-25h-{start}",
            "a b",
            "x-{end}",
            "5m{start}",
            "é-5m-{start}",
            "x-é{start}",
        ] {
            assert!(Pattern::parse(name).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn there_is_always_exactly_one_window_that_holds_now(now in 0_i64..4_000_000_000, minutes in 1_i64..120) {
            let pattern = Pattern::parse(&format!("m-{minutes}m-{{start}}")).expect("pattern");
            let windows = pattern.windows(Timestamp::from_secs(now), NONE, NONE);
            prop_assert_eq!(windows.len(), 1);
            let end = windows[0].ends_at.expect("an end").secs();
            prop_assert!(end > now && end - minutes * 60 <= now && end % (minutes * 60) == 0);
        }
    }
}
