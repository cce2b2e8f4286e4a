//! What is known and expected of a station's days, and how likely each temperature is as a day's highest.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, MathematicalOps};
use serde::{Deserialize, Serialize};

use super::{Gap, Obstacle, WeatherParams};
use crate::domain::{
    Bucket, Forecast, ForecastModel, LocalDay, Observation, Rounding, Temperature, TemperatureUnit, Timestamp, Zone,
    normal_cdf,
};

const HOUR: Duration = Duration::from_hours(1);
/// Furthest that a forecast's hour may lie ahead: none reaches further, and what is kept stays bounded.
const HORIZON: Duration = Duration::from_hours(17 * 24);

/// A report reaches us up to so long after it was measured.
const LATE: Duration = Duration::from_mins(30);

/// Most reports of a day that are kept, far more than any station makes. Beyond it the coolest goes.
const MOST_REPORTS: usize = 2_000;

/// What a station said of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    /// Absent when nothing was measured, or quality control has taken it back.
    temperature: Option<Temperature>,
    received_at: Timestamp,
}

impl Reading {
    fn celsius(&self) -> Option<Decimal> {
        self.temperature.map(|temperature| temperature.degrees(TemperatureUnit::Celsius))
    }

    /// Of one instant the reading that was received last counts, of two that came together the warmer.
    fn corrects(&self, other: &Self) -> bool {
        (self.received_at, self.celsius()) > (other.received_at, other.celsius())
    }
}

/// What was measured on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    readings: BTreeMap<Timestamp, Reading>,
    /// The highest of them.
    high: Option<Temperature>,
    /// The one of them that is the warmest at the least: a reading in whole degrees may lie off.
    sure: Option<Temperature>,
    /// The one of them that is the warmest at the most.
    most: Option<Temperature>,
}

impl Seen {
    fn take(&mut self, at: Timestamp, reading: Reading) {
        if self.readings.get(&at).is_some_and(|known| !reading.corrects(known)) {
            return;
        }
        self.readings.insert(at, reading);
        if self.readings.len() > MOST_REPORTS
            && let Some(coolest) = self.readings.iter().min_by_key(|(_, reading)| reading.celsius()).map(|(at, _)| *at)
        {
            self.readings.remove(&coolest);
        }
        let celsius = |temperature: &Temperature| temperature.degrees(TemperatureUnit::Celsius);
        let half_step = |temperature: &Temperature| temperature.half_step(TemperatureUnit::Celsius);
        let least = |temperature: &Temperature| celsius(temperature) - half_step(temperature);
        let most = |temperature: &Temperature| celsius(temperature) + half_step(temperature);
        let temperatures = || self.measured().map(|(_, temperature)| temperature);
        let (high, sure, most) =
            (temperatures().max_by_key(celsius), temperatures().max_by_key(least), temperatures().max_by_key(most));
        (self.high, self.sure, self.most) = (high, sure, most);
    }

    /// Whether an hour was measured to its end: in it, and not long before or after its end. One report at its beginning says nothing of
    /// the rest.
    fn covers(&self, begin: Timestamp, end: Timestamp) -> bool {
        let measured = |from: Timestamp, to: Timestamp| {
            self.readings.range(from..=to).any(|(_, reading)| reading.temperature.is_some())
        };
        measured(begin, end.minus(Duration::from_micros(1))) && measured(end.minus(LATE), end.plus(LATE))
    }

    /// The readings that have a temperature, oldest first.
    fn measured(&self) -> impl DoubleEndedIterator<Item = (Timestamp, Temperature)> {
        self.readings.iter().filter_map(|(at, reading)| Some((*at, reading.temperature?)))
    }
}

/// What is expected of an hour by the newest forecast that told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Expected {
    temperature: Temperature,
    issued_at: Timestamp,
    received_at: Timestamp,
}

/// The newest observation.
#[derive(Clone, Copy, Debug)]
struct Report {
    at: Timestamp,
    temperature: Temperature,
}

/// Everything heard of a station. The order in which it was heard does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outlook {
    days: BTreeMap<LocalDay, Seen>,
    hours: BTreeMap<Timestamp, Expected>,
    issued_at: Option<Timestamp>,
    /// Whose forecast `hours` are.
    model: Option<ForecastModel>,
    /// By day a bit for each of its hours of which a report may have been missed: a warmer one may have been among them.
    unseen: BTreeMap<LocalDay, u32>,
    /// Nobody has said yet whether something was missed since the newest report.
    #[serde(skip)]
    doubtful: bool,
}

impl Outlook {
    /// Takes an observation. One without a temperature, or with an impossible one, takes back what was said of its instant before.
    pub(super) fn observe(&mut self, observation: &Observation, zone: &Zone) {
        let temperature = observation.temperature.filter(|temperature| temperature.is_possible());
        let reading = Reading { temperature, received_at: observation.received_at };
        self.days.entry(zone.day_of(observation.event_at)).or_default().take(observation.event_at, reading);
    }

    fn latest(&self) -> Option<Report> {
        let newest = |seen: &Seen| seen.measured().next_back();
        self.days.values().rev().find_map(newest).map(|(at, temperature)| Report { at, temperature })
    }

    /// Takes a forecast: of each hour the newest counts, so that hours which the next one no longer tells of stay known.
    pub(super) fn expect(&mut self, forecast: &Forecast) {
        let horizon = forecast.received_at.plus(HORIZON);
        for hour in forecast.hours.iter().filter(|hour| hour.temperature.is_possible() && hour.at <= horizon) {
            let expected = Expected {
                temperature: hour.temperature,
                issued_at: forecast.event_at,
                received_at: forecast.received_at,
            };
            let known = self.hours.entry(hour.at).or_insert(expected);
            if (known.issued_at, known.received_at) < (expected.issued_at, expected.received_at) {
                *known = expected;
            }
        }
        self.issued_at = self.issued_at.max(Some(forecast.event_at));
    }

    /// From now on this model's forecasts are gone by: those of another one are forgotten.
    pub(super) fn follow(&mut self, model: ForecastModel) {
        if self.model.replace(model) != Some(model) {
            self.hours.clear();
            self.issued_at = None;
        }
    }

    /// Reports may be missing: of the hours that this touches a warmer one may never have come.
    pub(super) fn note_gap(&mut self, gap: Gap, zone: &Zone) {
        let yesterday = zone.day_of(gap.to).previous();
        let mut at = gap.from.minus(LATE).max(zone.start_of(yesterday));
        while at < gap.to.plus(HOUR) {
            let day = zone.day_of(at);
            let begins = zone.start_of(day);
            let hours = u32::try_from(at.since(begins).as_secs() / HOUR.as_secs()).unwrap_or_default();
            if begins.plus(HOUR * hours) <= gap.to {
                *self.unseen.entry(day).or_default() |= hour_bit(at, begins);
            }
            at = at.plus(HOUR);
        }
        self.purge(zone, gap.to);
    }

    /// It may turn out that something was missed since the newest report: until then that is not relied on.
    pub(super) const fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// News came: what was missed before them has been noted.
    pub(super) const fn told(&mut self) {
        self.doubtful = false;
    }

    /// When the newest observation was made.
    pub(super) fn reported_at(&self) -> Option<Timestamp> {
        self.latest().map(|report| report.at)
    }

    /// Hours of the day of which a report may have been missed.
    pub(super) fn unseen(&self, day: LocalDay) -> u32 {
        self.unseen.get(&day).map_or(0, |hours| hours.count_ones())
    }

    /// Forgets the days before yesterday.
    pub(super) fn purge(&mut self, zone: &Zone, now: Timestamp) {
        let yesterday = zone.day_of(now).previous();
        let begins = zone.start_of(yesterday);
        self.days.retain(|day, _| *day >= yesterday);
        self.unseen.retain(|day, _| *day >= yesterday);
        self.hours.retain(|at, _| *at >= begins);
    }

    /// The day's highest so far.
    pub(super) fn high(&self, day: LocalDay) -> Option<Temperature> {
        self.days.get(&day)?.high
    }

    /// Reports of the day that have a temperature.
    pub(super) fn reports(&self, day: LocalDay) -> u64 {
        self.days.get(&day).map_or(0, |seen| seen.measured().count() as u64)
    }

    /// How long ago the newest forecast was computed.
    pub(super) fn forecast_age(&self, now: Timestamp) -> Option<Duration> {
        self.issued_at.map(|at| now.since(at))
    }

    /// How long ago the newest observation was made.
    pub(super) fn observation_age(&self, now: Timestamp) -> Option<Duration> {
        self.latest().map(|report| now.since(report.at))
    }

    /// How likely each temperature is as the highest of `day`.
    ///
    /// Hours that are over, that were measured to their end and of which no report was missed are known. Of the others the forecast's
    /// highest counts, off by its bias and an error whose deviation grows with the lead. If a later observation of the day has shown the
    /// forecast to be off by more or less than its bias, a part of that is expected to stay, and the error is the less. The day's highest is
    /// the higher of the two.
    pub(super) fn odds(&self, day: LocalDay, params: &WeatherParams, now: Timestamp) -> Result<Odds, Obstacle> {
        let (begins, ends) = (params.zone.start_of(day), params.zone.end_of(day));
        self.trusted(begins, ends, params, now)?;
        let (unseen, seen) = (self.unseen.get(&day).copied().unwrap_or_default(), self.days.get(&day));
        let sure_until = self.reported_at().filter(|_| self.doubtful).map_or(now, |at| at.minus(LATE)).min(now);
        let (mut peak, mut missing, mut begin): (Option<(Decimal, Timestamp, Expected)>, usize, _) = (None, 0, begins);
        for hour in 0..32 {
            if begin >= ends {
                break;
            }
            let end = begin.plus(HOUR).min(ends);
            let known =
                unseen & (1 << hour) == 0 && end <= sure_until && seen.is_some_and(|seen| seen.covers(begin, end));
            let expected = self.hours.range(begin..end).next_back();
            match expected {
                _ if known => {}
                Some((at, expected)) => {
                    let hour = (expected.temperature.degrees(params.unit), *at, *expected);
                    peak = Some(peak.map_or(hour, |peak| if hour.0 > peak.0 { hour } else { peak }));
                }
                None => missing += 1,
            }
            begin = end;
        }
        if missing > params.missing_hours {
            return Err(Obstacle::HoursMissing { missing, most: params.missing_hours });
        }
        let expected = peak.map(|(degrees, at, hour)| {
            let lead = at.since(hour.issued_at);
            let (mut degrees, mut error) = (degrees + params.bias, params.error(lead));
            if let Some(off) = self.shown_off(begins, hour.issued_at, params.unit) {
                // What it is usually off by is in that already.
                degrees += (off - params.bias) * params.carry;
                error *= (Decimal::ONE - params.carry * params.carry).sqrt().unwrap_or(Decimal::ONE);
            }
            Expectation { degrees, error, lead }
        });
        Ok(Odds { high: self.measured_high(day, params.unit), expected, rounding: params.rounding })
    }

    fn measured_high(&self, day: LocalDay, unit: TemperatureUnit) -> Option<High> {
        let seen = self.days.get(&day)?;
        let (high, sure, most) = (seen.high?, seen.sure?, seen.most.or(seen.high)?);
        let (sure, half_step) = (sure.degrees(unit) - sure.half_step(unit), most.half_step(unit));
        Some(High {
            degrees: high.degrees(unit),
            sure,
            most: most.degrees(unit) + half_step,
            step: half_step + half_step,
        })
    }

    /// By how much the newest observation of the day lies above what was forecast for its hour. A forecast that was computed after it knew
    /// of it already.
    fn shown_off(&self, begins: Timestamp, issued_at: Timestamp, unit: TemperatureUnit) -> Option<Decimal> {
        let latest = self.latest().filter(|latest| latest.at >= begins && latest.at > issued_at)?;
        let (at, hour) = self.hours.range(..=latest.at).next_back()?;
        (latest.at.since(*at) < HOUR).then(|| latest.temperature.degrees(unit) - hour.temperature.degrees(unit))
    }

    /// Whether forecast and station are young enough to go by. A day that has not begun needs no observation.
    fn trusted(
        &self,
        begins: Timestamp,
        ends: Timestamp,
        params: &WeatherParams,
        now: Timestamp,
    ) -> Result<(), Obstacle> {
        let age = self.forecast_age(now).ok_or(Obstacle::NoForecast)?;
        if age > params.forecast_age {
            return Err(Obstacle::StaleForecast { age, most: params.forecast_age });
        }
        let begun = now.since(begins);
        if begun > params.observation_age {
            let age = self.observation_age(now.min(ends)).map_or(begun, |age| age.min(begun));
            if age > params.observation_age {
                return Err(Obstacle::Silent { age, most: params.observation_age });
            }
        }
        Ok(())
    }
}

/// The bit of the hour that an instant lies in, of a day that begins then.
fn hour_bit(at: Timestamp, begins: Timestamp) -> u32 {
    let hour = at.since(begins).as_secs() / HOUR.as_secs();
    u32::try_from(hour).ok().and_then(|hour| 1_u32.checked_shl(hour)).unwrap_or_default()
}

/// What the hours that are not known yet are expected to bring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Expectation {
    /// Their highest, bias included, in the market's unit.
    pub(super) degrees: Decimal,
    /// Standard deviation of its error, in the same unit.
    pub(super) error: Decimal,
    /// Time from the computation of the forecast to the warmest hour.
    pub(super) lead: Duration,
}

/// The highest that was measured so far, in the market's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct High {
    /// As it was said.
    pub(super) degrees: Decimal,
    /// What it was at the least, by every reading.
    pub(super) sure: Decimal,
    /// What it was at the most, by every reading.
    pub(super) most: Decimal,
    /// The step that the reading was rounded to which leaves that open; zero when it was not.
    pub(super) step: Decimal,
}

impl High {
    /// How likely the true one is at least `degrees`; certain only beyond what its rounding leaves open.
    fn reaches(&self, degrees: Decimal) -> f64 {
        if self.sure >= degrees {
            return 1.0;
        }
        let part = (self.most - degrees).checked_div(self.step).and_then(|part| part.to_f64());
        part.unwrap_or_default().clamp(0.0, 1.0)
    }
}

/// The distribution of a day's highest temperature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Odds {
    /// The highest so far.
    pub(super) high: Option<High>,
    /// What is still to come; nothing once every hour is known.
    pub(super) expected: Option<Expectation>,
    /// The market's.
    pub(super) rounding: Rounding,
}

impl Odds {
    /// Of the bucket: exactly 0 when the highest so far is beyond it whatever its rounding leaves open.
    pub(super) fn of(&self, bucket: &Bucket) -> f64 {
        let at_most = bucket.high.map_or(1.0, |high| self.below(self.rounding.least(high.saturating_add(1))));
        let under = bucket.low.map_or(0.0, |low| self.below(self.rounding.least(low)));
        (at_most - under).max(0.0)
    }

    /// Whether the bucket is decided whatever is still to come: it has been passed, or is open above and reached.
    pub(super) fn is_decided(&self, bucket: &Bucket) -> bool {
        let Some(High { sure, .. }) = self.high else { return false };
        let reached = bucket.low.is_none_or(|low| sure >= self.rounding.least(low));
        match bucket.high {
            Some(most) => sure >= self.rounding.least(most.saturating_add(1)),
            None => reached,
        }
    }

    /// That the day's highest stays below `degrees`.
    fn below(&self, degrees: Decimal) -> f64 {
        let so_far = 1.0 - self.high.map_or(0.0, |high| high.reaches(degrees));
        let Some(expected) = self.expected else { return so_far };
        let (away, error) = ((degrees - expected.degrees).to_f64(), expected.error.to_f64());
        let to_come = match away.zip(error) {
            Some((away, error)) if error > 0.0 => normal_cdf(away / error),
            _ => f64::from(u8::from(expected.degrees < degrees)),
        };
        so_far * to_come
    }

    /// The highest that is to be expected, without its error.
    pub(super) fn likely(&self) -> Option<Decimal> {
        self.high.map(|high| high.degrees).max(self.expected.map(|expected| expected.degrees))
    }
}

#[cfg(test)]
mod tests;
