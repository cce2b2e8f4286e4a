//! Which day and which temperatures a market asks about.

use crate::domain::{Bucket, LocalDay, Market};

const DATE: &str = "{date}";
pub(super) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A market of a daily event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rung {
    /// The day, at the station.
    pub(super) day: LocalDay,
    /// YES pays when the day's highest falls into it.
    pub(super) bucket: Bucket,
}

/// Reads the market, if it belongs to the event whose slug is `pattern` with a date such as `november-23-2026`. Slug and question must not
/// contradict each other; the question alone is enough, the slug is too.
pub(super) fn rung(pattern: &str, market: &Market) -> Option<Rung> {
    let prefix = pattern.strip_suffix(DATE)?;
    let rest = market.slug.as_str().strip_prefix(prefix)?;
    let mut parts = rest.splitn(4, '-');
    let month = parts.next()?;
    let month = MONTHS.iter().position(|name| *name == month)?;
    let (date, year) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let day = LocalDay::new(year, i8::try_from(month + 1).ok()?, date)?;
    let by_slug = parts.next().and_then(Bucket::of_slug);
    let by_question = market.question.as_deref().and_then(Bucket::of_title);
    let bucket = match (by_slug, by_question) {
        (Some(one), Some(other)) if one != other => return None,
        (one, other) => one.or(other)?,
    };
    Some(Rung { day, bucket })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::market;

    const PATTERN: &str = "highest-temperature-in-nyc-on-{date}";

    fn read(slug: &str, question: Option<&str>) -> Option<String> {
        let market = Market { slug: slug.into(), question: question.map(str::to_owned), ..market() };
        rung(PATTERN, &market).map(|rung| format!("{} {}", rung.day, rung.bucket))
    }

    #[test]
    fn slug_and_question_tell_day_and_bucket() {
        let on = "highest-temperature-in-nyc-on-november-23-2026";
        let question = "Will the highest temperature in New York City be between 48-49°F on November 23?";
        let expected = Some("2026-11-23 48 to 49 °F".to_owned());
        assert_eq!(read(&format!("{on}-48-49f"), Some(question)), expected);
        assert_eq!(read(&format!("{on}-48-49f"), None), expected);
        assert_eq!(read(on, Some(question)), expected);
        assert_eq!(read(&format!("{on}-50-51f"), Some(question)), None, "they contradict each other");
        assert_eq!(read(&format!("{on}-neg-3corbelow"), None).as_deref(), Some("2026-11-23 -3 °C or below"));
    }

    #[test]
    fn other_markets_are_none_of_it() {
        for slug in [
            "highest-temperature-in-london-on-november-23-2026-8c",
            "highest-temperature-in-nyc-on-november-31-2026-48-49f",
            "highest-temperature-in-nyc-on-brumaire-3-2026-48-49f",
            "highest-temperature-in-nyc-on-november-23",
            "highest-temperature-in-nyc-on-november-23-2026",
            "btc-updown-5m-1795348800",
        ] {
            assert_eq!(read(slug, None), None, "{slug}");
        }
    }
}
