use crate::clock;
use crate::domain::Timestamp;

/// Reads an instant: `30m`, `2h`, `7d` ago, or a UTC date or time such as `2026-11-22` or `2026-11-22T12:00:00Z`.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    read(text, clock::now()).ok_or_else(|| {
        format!(
            "'{text}': allowed are 30s, 15m, 2h or 7d ago, or a UTC time such as 2026-11-22 or 2026-11-22T12:00:00Z"
        )
    })
}

fn read(text: &str, now: Timestamp) -> Option<Timestamp> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => 0,
    };
    let number = text.get(..text.len().saturating_sub(1)).and_then(|digits| digits.parse::<u32>().ok());
    if let Some(number) = number.filter(|_| unit > 0) {
        return Some(now.minus(std::time::Duration::from_secs(u64::from(number) * unit)));
    }
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let format = &time::format_description::well_known::Rfc3339;
    let at = time::OffsetDateTime::parse(&whole, format).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000).ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_dates_are_read() {
        let now = Timestamp::from_secs(1_795_348_800);
        assert_eq!(read("2h", now), Some(Timestamp::from_secs(1_795_341_600)));
        assert_eq!(read("2026-11-22", now), Some(Timestamp::from_secs(1_795_305_600)));
        assert_eq!(read("2026-11-22T12:00:00Z", now), Some(now));
        for wrong in ["", "m", "-3h", "yesterday", "2026-13-01", "é"] {
            assert_eq!(read(wrong, now), None, "{wrong}");
        }
    }
}
