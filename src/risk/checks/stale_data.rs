//! Age of the data that the intent rests on.

use super::{age, is_reducing, millis, millis_and, verdict};
use crate::domain::{Book, CheckResult, Control, OrderIntent, Text, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// The book must be known to be true, and the source heard, within `data_age`, itself included. A missing one counts as stale, and so
/// does one from further in the future. Old data never holds back a sale of shares held: getting out must stay possible.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, now: Timestamp) -> CheckResult {
    let book = view.book.filter(|book| book.token == intent.token).map(Book::known_at);
    let (book_fresh, book_text) = measure("book", book, limits, now);
    let (source_fresh, source_text) = measure("source", view.source_at, limits, now);
    let passed = (book_fresh && source_fresh) || is_reducing(intent, view);
    let limit = millis_and(limits.data_age, "ms, or a sale of shares held");
    verdict(Control::StaleData, text!("{book_text}, {source_text}"), limit, passed)
}

fn measure(what: &'static str, at: Option<Timestamp>, limits: &Limits, now: Timestamp) -> (bool, Text) {
    at.map_or_else(
        || (false, text!("no {what}")),
        |at| {
            let age = age(at, now);
            (age <= limits.data_age, text!("{what} {} old", millis(age)))
        },
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn the_limit_itself_is_fresh_and_a_microsecond_more_is_stale() {
        let mut bench = Bench::new();
        let data_age = bench.limits.data_age;
        let heard = bench.now;
        for (offset, passed) in [(0, true), (1, false)] {
            bench.now = Timestamp::from_micros(heard.plus(data_age).micros() + offset);
            bench.source_at = Some(bench.now);
            assert_eq!(bench.run(check, &buy("0.50", "5")).passed, passed, "book, {offset} us beyond");
            bench.book.as_mut().expect("a book").received_at = bench.now;
            bench.source_at = Some(heard);
            assert_eq!(bench.run(check, &buy("0.50", "5")).passed, passed, "source, {offset} us beyond");
            bench.book.as_mut().expect("a book").received_at = heard;
        }
    }

    #[test]
    fn a_quiet_book_is_as_old_as_the_last_word_of_it() {
        let mut bench = Bench::new();
        let changed = bench.now;
        bench.now = changed.plus(Duration::from_mins(10));
        bench.source_at = Some(bench.now);
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
        bench.book.as_mut().expect("a book").heard_at = Some(bench.now.minus(bench.limits.data_age));
        assert!(bench.run(check, &buy("0.50", "5")).passed);
        bench.book.as_mut().expect("a book").heard_at = Some(changed.minus(Duration::from_secs(1)));
        assert!(!bench.run(check, &buy("0.50", "5")).passed, "a word from before the change says nothing of it");
    }

    #[test]
    fn missing_future_and_foreign_data_are_stale() {
        let mut bench = Bench::new();
        bench.source_at = None;
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
        bench.source_at = Some(bench.now.plus(bench.limits.data_age * 2));
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
        bench.source_at = Some(bench.now);
        bench.book.as_mut().expect("a book").token = "down".into();
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
        bench.book = None;
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
    }

    #[test]
    fn shares_held_may_be_sold_on_old_data() {
        let mut bench = Bench::new();
        bench.hold("up", "20", "0.50");
        bench.now = bench.now.plus(bench.limits.data_age * 3);
        assert!(bench.run(check, &sell("0.50", "20")).passed);
        assert!(!bench.run(check, &sell("0.50", "21")).passed);
    }
}
