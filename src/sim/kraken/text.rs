//! Numbers and times as text, digit for digit: no float on the way.

use std::fmt;

use crate::domain::Timestamp;

/// An integer in units of its last decimal, written as a decimal number with all its zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scaled(pub(super) i128, pub(super) u32);

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u128.pow(self.1);
        let magnitude = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{}", magnitude / unit)?;
        if self.1 > 0 {
            write!(f, ".{:0width$}", magnitude % unit, width = self.1 as usize)?;
        }
        Ok(())
    }
}

/// RFC 3339 in UTC with six fractional digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Micros(pub(super) Timestamp);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = utc(self.0);
        let (date, time) = (at.date(), at.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.microsecond()
        )
    }
}

/// The instant as a calendar knows it; the epoch when it lies outside the calendar.
pub(super) fn utc(at: Timestamp) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.micros()) * 1_000)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

/// `numerator / denominator` with `decimals` decimals, rounded half away from zero; zero when there is nothing to divide by.
pub(super) fn ratio(numerator: i128, denominator: i128, decimals: u32) -> Scaled {
    if denominator == 0 {
        return Scaled(0, decimals);
    }
    let scaled = numerator.saturating_mul(10_i128.pow(decimals));
    let half = denominator.abs() / 2;
    let rounded = if (scaled < 0) == (denominator < 0) { scaled.abs() + half } else { -(scaled.abs() + half) };
    Scaled(rounded / denominator.abs(), decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit() {
        assert_eq!(Scaled(8_723_201, 2).to_string(), "87232.01");
        assert_eq!(Scaled(12, 8).to_string(), "0.00000012");
        assert_eq!(Scaled(-38, 2).to_string(), "-0.38");
        assert_eq!(Scaled(5, 0).to_string(), "5");
        assert_eq!(ratio(-1, 3, 2).to_string(), "-0.33");
        assert_eq!(ratio(2, 3, 2).to_string(), "0.67");
        assert_eq!(ratio(1, 0, 2).to_string(), "0.00");
    }

    #[test]
    fn times_have_six_fractional_digits() {
        assert_eq!(Micros(Timestamp::from_micros(1_795_348_800_000_007)).to_string(), "2026-11-22T12:00:00.000007Z");
    }
}
