//! How values become text: one way each, measured by display width, free of control characters.

use std::borrow::Cow;
use std::time::Duration;

use rust_decimal::{Decimal, RoundingStrategy};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::domain::{Price, Size, Timestamp, Usd};
pub(crate) use crate::text::wrap;

/// Longest text kept of what another process says; a row never needs more.
const REMOTE_TEXT_MAX: usize = 512;

/// Columns that `text` takes on the screen.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` within `cols` columns, ending in `…` when something was cut.
pub(crate) fn fit(text: &str, cols: usize) -> Cow<'_, str> {
    if text.width() <= cols {
        return Cow::Borrowed(text);
    }
    if cols == 0 {
        return Cow::Borrowed("");
    }
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if used + wide > cols - 1 {
            break;
        }
        used += wide;
        kept.push(character);
    }
    kept.push('…');
    Cow::Owned(kept)
}

/// Text from elsewhere, made safe for the screen, at most 512 characters.
pub(crate) fn clean(text: &str) -> String {
    let mut text = crate::text::safe(text);
    if let Some((end, _)) = text.char_indices().nth(REMOTE_TEXT_MAX) {
        text.truncate(end);
    }
    text
}

/// A duration in at most four columns: `0s`, `59s`, `12m`, `5h`, `99d`.
pub(crate) fn age(age: Duration) -> String {
    let secs = age.as_secs();
    match secs {
        0..60 => format!("{secs}s"),
        60..3_600 => format!("{}m", secs / 60),
        3_600..86_400 => format!("{}h", secs / 3_600),
        _ => format!("{}d", (secs / 86_400).min(999)),
    }
}

/// A short span with its milliseconds while they matter: `45ms`, `1.2s`, `3m`.
pub(crate) fn span_ms(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..60_000 if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        1_000..60_000 => format!("{}.{}s", millis / 1_000, millis % 1_000 / 100),
        _ => age(Duration::from_millis(millis)),
    }
}

/// Time of day in UTC: `12:00:05`.
pub(crate) fn clock(at: Timestamp) -> String {
    let secs = at.secs().rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", secs / 3_600, secs / 60 % 60, secs % 60)
}

/// An amount of pUSD with two decimals and always a sign, zero apart: `+12.30`, `-0.05`, `0.00`.
pub(crate) fn signed_usd(amount: Usd) -> String {
    let rounded = round(amount.0, 2);
    let sign = if rounded > Decimal::ZERO { "+" } else { "" };
    format!("{sign}{rounded:.2}")
}

/// An amount of pUSD with two decimals.
pub(crate) fn usd(amount: Usd) -> String {
    format!("{:.2}", round(amount.0, 2))
}

/// A fee, which is often below a cent: two decimals, or as many as it takes, at most five.
pub(crate) fn fee(amount: Usd) -> String {
    let decimals = amount.0.normalize().scale().clamp(2, 5) as usize;
    format!("{:.decimals$}", round(amount.0, 5))
}

/// A price with the given number of decimals.
pub(crate) fn price(price: Price, decimals: u32) -> String {
    format!("{:.*}", decimals as usize, round(price.0, decimals))
}

/// Decimals that show an outcome's price whole: those of its market's tick, else its own, at least two.
pub(crate) fn price_decimals(price: Price, tick: Option<u32>) -> u32 {
    price.0.normalize().scale().max(tick.unwrap_or(2)).clamp(2, 6)
}

/// A number of shares: at most two decimals, no trailing zeros.
pub(crate) fn size(size: Size) -> String {
    round(size.0, 2).normalize().to_string()
}

/// A relative change as a percentage with its sign: `+0.052%`.
pub(crate) fn percent(change: Decimal, decimals: u32) -> String {
    let rounded = round(change.saturating_mul(Decimal::ONE_HUNDRED), decimals);
    let sign = if rounded > Decimal::ZERO { "+" } else { "" };
    format!("{sign}{rounded:.*}%", decimals as usize)
}

/// `▲`, `▼` or `=`: the sign of a number, for those who cannot see its colour.
pub(crate) fn arrow(value: Decimal) -> &'static str {
    match value.cmp(&Decimal::ZERO) {
        std::cmp::Ordering::Greater => "▲",
        std::cmp::Ordering::Less => "▼",
        std::cmp::Ordering::Equal => "=",
    }
}

/// The end of a long id, which tells ids apart better than their beginning: `…4f2a91`.
pub(crate) fn short_id(id: &str) -> String {
    let id = clean(id);
    let count = id.chars().count();
    if count <= 10 {
        return id;
    }
    let tail: String = id.chars().skip(count - 6).collect();
    format!("…{tail}")
}

/// Rounded to even halves away from zero; never `-0.00`.
fn round(value: Decimal, decimals: u32) -> Decimal {
    let rounded = value.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
    if rounded.is_zero() { Decimal::ZERO } else { rounded }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn wide_characters_count_two_columns() {
        assert_eq!(fit("東京の天気", 10), "東京の天気");
        assert_eq!(fit("東京の天気", 9), "東京の天…");
        assert_eq!(fit("東京の天気", 8), "東京の…");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn remote_text_cannot_drive_the_terminal() {
        assert_eq!(clean("Up\u{1b}[31m or\nDown\u{202e}!\u{7}"), "Up[31m or Down!");
        assert_eq!(clean(&"x".repeat(2_000)).len(), REMOTE_TEXT_MAX);
    }

    #[test]
    fn money_keeps_its_sign_and_zero_has_none() {
        assert_eq!(signed_usd(Usd(dec!(12.345))), "+12.35");
        assert_eq!(signed_usd(Usd(dec!(-0.001))), "0.00");
        assert_eq!(signed_usd(Usd(dec!(-3.2))), "-3.20");
        assert_eq!(fee(Usd(dec!(0.00001))), "0.00001");
        assert_eq!(fee(Usd(dec!(1.75000))), "1.75");
    }

    #[test]
    fn prices_show_the_decimals_of_their_grid() {
        assert_eq!(price(Price(dec!(0.5)), price_decimals(Price(dec!(0.5)), Some(3))), "0.500");
        assert_eq!(price(Price(dec!(0.5)), price_decimals(Price(dec!(0.5)), None)), "0.50");
        assert_eq!(percent(dec!(0.000523), 3), "+0.052%");
        assert_eq!(percent(dec!(-0.000523), 3), "-0.052%");
    }

    #[test]
    fn ages_take_four_columns() {
        for (secs, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (7_200, "2h"), (200_000, "2d")] {
            assert_eq!(age(Duration::from_secs(secs)), text);
        }
        assert_eq!(span_ms(1_250), "1.2s");
    }

    proptest! {
        #[test]
        fn nothing_is_ever_wider_than_asked(text in "\\PC{0,60}", cols in 0_usize..50) {
            prop_assert!(width(&fit(&text, cols)) <= cols);
            for line in wrap(&clean(&text), cols.max(2)) {
                prop_assert!(width(&line) <= cols.max(2), "{line:?}");
            }
        }
    }
}
