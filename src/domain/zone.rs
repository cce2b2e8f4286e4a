//! Days as they are counted at a place. The rules of time zones are compiled in: a decision must not depend on the machine's files.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// A calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LocalDay(Date);

impl LocalDay {
    /// From its parts; nothing when there is no such day.
    #[must_use]
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        Date::new(year, month, day).ok().map(Self)
    }

    /// The day after it; the last day of all stays itself.
    #[must_use]
    pub fn next(self) -> Self {
        self.0.tomorrow().map_or(self, Self)
    }

    /// The day before it; the first day of all stays itself.
    #[must_use]
    pub fn previous(self) -> Self {
        self.0.yesterday().map_or(self, Self)
    }
}

impl fmt::Display for LocalDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<LocalDay> for String {
    fn from(day: LocalDay) -> Self {
        day.to_string()
    }
}

impl TryFrom<String> for LocalDay {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse().map(Self)
    }
}

/// A time zone by its IANA name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Default for Zone {
    /// UTC.
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    /// `America/New_York`; nothing when there is none of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TimeZoneDatabase::bundled().get(name).ok().map(Self)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The day that it is there.
    #[must_use]
    pub fn day_of(&self, at: Timestamp) -> LocalDay {
        let bound = if at.micros() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        let at = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(bound);
        LocalDay(self.0.to_datetime(at).date())
    }

    /// The first instant of a day there: midnight, or what follows when the clocks skip it.
    #[must_use]
    pub fn start_of(&self, day: LocalDay) -> Timestamp {
        let midnight = self.0.to_ambiguous_timestamp(day.0.at(0, 0, 0, 0)).compatible();
        midnight.map_or(Timestamp::from_micros(i64::MAX), |at| Timestamp::from_micros(at.as_microsecond()))
    }

    /// The first instant after a day there.
    #[must_use]
    pub fn end_of(&self, day: LocalDay) -> Timestamp {
        self.start_of(day.next())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(year: i16, month: i8, day: i8) -> LocalDay {
        LocalDay::new(year, month, day).expect("a day")
    }

    fn hours(zone: &str, of: LocalDay) -> u64 {
        let zone = Zone::named(zone).expect("known");
        zone.end_of(of).since(zone.start_of(of)).as_secs() / 3_600
    }

    #[test]
    fn days_have_23_to_25_hours() {
        assert_eq!(hours("America/New_York", day(2026, 11, 23)), 24);
        assert_eq!(hours("America/New_York", day(2026, 3, 8)), 23);
        assert_eq!(hours("America/New_York", day(2026, 11, 1)), 25);
        assert_eq!(hours("Europe/London", day(2026, 3, 29)), 23);
        assert_eq!(hours("Asia/Tokyo", day(2026, 3, 29)), 24);
    }

    #[test]
    fn midnight_begins_the_day() {
        let zone = Zone::named("America/New_York").expect("known");
        let midnight = Timestamp::from_secs(1_795_410_000);
        assert_eq!(midnight.to_string(), "2026-11-23T05:00:00.000Z");
        assert_eq!(zone.day_of(midnight), day(2026, 11, 23));
        assert_eq!(zone.day_of(Timestamp::from_micros(midnight.micros() - 1)), day(2026, 11, 22));
        assert_eq!(zone.start_of(day(2026, 11, 23)), midnight);
    }

    #[test]
    fn where_the_clocks_skip_midnight_the_day_begins_later() {
        let zone = Zone::named("Africa/Cairo").expect("known");
        let friday = day(2026, 4, 24);
        assert_eq!(zone.start_of(friday).to_string(), "2026-04-23T22:00:00.000Z", "01:00 by the new clock");
        assert_eq!(hours("Africa/Cairo", friday), 23);
    }

    #[test]
    fn there_is_no_such_zone_or_day() {
        assert!(Zone::named("America/Gotham").is_none() && LocalDay::new(2026, 2, 29).is_none());
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_its_day(secs in 0_i64..4_000_000_000, zone in 0_usize..5) {
            let names = ["America/New_York", "Asia/Kolkata", "Africa/Cairo", "Pacific/Auckland", "Europe/London"];
            let zone = Zone::named(names[zone]).expect("known");
            let at = Timestamp::from_secs(secs);
            let day = zone.day_of(at);
            prop_assert!(zone.start_of(day) <= at && at < zone.end_of(day));
            prop_assert_eq!(String::from(day).try_into().ok(), Some(day));
        }
    }
}
