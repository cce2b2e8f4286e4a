//! Where an order's time went: the steps of its way, what each took, and each as a bar on one scale.

use super::{Order, Timestamp};

/// Steps that are the venue's and the chain's: they take a thousand times as long and have no share of the scale.
const BEYOND_US: [&str; 2] = ["matched", "confirmed"];

/// A step that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Which: `tick`, `signal`, `consume`, `gate`, `sign`, `commit`, `sent`, `answered`, `matched`, `confirmed`.
    pub step: &'static str,
    /// When.
    pub at: Timestamp,
    /// Microseconds since the step before; negative when clocks disagree.
    pub took_us: i64,
    /// Microseconds since the first step; negative when clocks disagree.
    pub total_us: i64,
}

/// A step's share of the scale, in columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Columns left of it, and its own: at least one.
    Within {
        /// Columns left of it.
        before: usize,
        /// Its own.
        own: usize,
    },
    /// It ended beyond the scale.
    Beyond,
}

/// The steps that were reached, in the order of the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waterfall {
    steps: Vec<Reached>,
}

impl Waterfall {
    /// Of an order. The instants are those of one machine's clock; the venue's match is by its own. News of a match that came before
    /// the answer, as it does where the answer is lost, stands before it.
    #[must_use]
    pub fn of(order: &Order) -> Self {
        let times = &order.times;
        let steps = [
            ("tick", Some(order.intent.tick_received_at)),
            ("signal", Some(order.intent.created_at)),
            ("consume", times.consumed_at),
            ("gate", times.gated_at),
            ("sign", times.signed_at),
            ("commit", times.committed_at),
            ("sent", times.sent_at),
            ("answered", times.answered_at),
            ("matched", times.matched_at),
            ("confirmed", times.confirmed_at),
        ];
        Self::through(steps.into_iter().filter_map(|(step, at)| Some((step, at?))))
    }

    fn through(instants: impl IntoIterator<Item = (&'static str, Timestamp)>) -> Self {
        let mut instants: Vec<_> = instants.into_iter().collect();
        let place = |step| instants.iter().position(|(name, _)| *name == step);
        if let (Some(answered), Some(matched)) = (place("answered"), place("matched"))
            && instants[matched].1 < instants[answered].1
        {
            instants.swap(answered, matched);
        }
        let mut steps: Vec<Reached> = Vec::new();
        for (step, at) in instants {
            let since = |from: Option<&Reached>| from.map_or(0, |from| at.micros().saturating_sub(from.at.micros()));
            let (took_us, total_us) = (since(steps.last()), since(steps.first()));
            steps.push(Reached { step, at, took_us, total_us });
        }
        Self { steps }
    }

    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[Reached] {
        &self.steps
    }

    /// Each step with its share of a scale of so many columns, which ends where our own steps do.
    pub fn shares(&self, cols: usize) -> impl Iterator<Item = (&Reached, Share)> {
        let ours = self.steps.iter().filter(|reached| !BEYOND_US.contains(&reached.step));
        let span = ours.map(|reached| reached.total_us).max().unwrap_or(0).max(1);
        let place = move |micros: i64| {
            let scaled = i128::from(micros.clamp(0, span)) * i128::try_from(cols).unwrap_or(0) / i128::from(span);
            usize::try_from(scaled).unwrap_or(0)
        };
        self.steps.iter().map(move |reached| {
            if reached.total_us > span {
                return (reached, Share::Beyond);
            }
            let before = place(reached.total_us.saturating_sub(reached.took_us)).min(cols.saturating_sub(1));
            let own = place(reached.total_us).saturating_sub(before).max(1);
            (reached, Share::Within { before, own })
        })
    }
}

/// A span of microseconds, read at a glance: `950 us`, `12.3 ms`, `4.567 s`, `1 min 5 s`, `2 h 10 min`, `3 d 4 h`.
#[must_use]
pub fn span_us(micros: i64) -> String {
    let size = micros.unsigned_abs();
    let sign = if micros < 0 { "-" } else { "" };
    match size {
        0..1_000 => format!("{sign}{size} us"),
        1_000..1_000_000 => format!("{sign}{}.{} ms", size / 1_000, size % 1_000 / 100),
        1_000_000..60_000_000 => format!("{sign}{}.{:03} s", size / 1_000_000, size % 1_000_000 / 1_000),
        _ => {
            let secs = size / 1_000_000;
            match secs {
                0..3_600 => format!("{sign}{} min {} s", secs / 60, secs % 60),
                3_600..86_400 => format!("{sign}{} h {} min", secs / 3_600, secs % 3_600 / 60),
                _ => format!("{sign}{} d {} h", secs / 86_400, secs % 86_400 / 3_600),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(steps: &[(&'static str, i64)]) -> Waterfall {
        Waterfall::through(steps.iter().map(|(step, at)| (*step, Timestamp::from_micros(*at))))
    }

    #[test]
    fn every_step_has_its_share_and_what_comes_after_the_answer_has_none() {
        let way = through(&[
            ("tick", 0),
            ("signal", 100),
            ("consume", 400),
            ("commit", 900),
            ("sent", 910),
            ("answered", 2_000),
            ("matched", 5_000_000),
            ("confirmed", 65_000_000),
        ]);
        let shares: Vec<_> = way.shares(41).map(|(_, share)| share).collect();
        let within = |before, own| Share::Within { before, own };
        assert_eq!(shares[..3], [within(0, 1), within(0, 2), within(2, 6)]);
        assert_eq!(shares[5..], [within(18, 23), Share::Beyond, Share::Beyond]);
        let last = way.steps()[7];
        assert_eq!((last.took_us, last.total_us), (60_000_000, 65_000_000));
        assert_eq!(through(&[]).shares(41).count(), 0);
        assert!(way.shares(0).all(|(_, share)| matches!(share, Share::Beyond | Share::Within { before: 0, own: 1 })));
    }

    #[test]
    fn a_match_that_is_known_before_the_answer_stands_before_it() {
        let way = through(&[("tick", 0), ("sent", 400), ("answered", 1_000), ("matched", 700), ("confirmed", 9_000)]);
        let steps: Vec<_> = way.steps().iter().map(|reached| (reached.step, reached.took_us)).collect();
        assert_eq!(steps, [("tick", 0), ("sent", 400), ("matched", 300), ("answered", 300), ("confirmed", 8_000)]);
        let shares: Vec<_> = way.shares(10).map(|(_, share)| share).collect();
        let within = |before, own| Share::Within { before, own };
        assert_eq!(shares[1..], [within(0, 4), within(4, 3), within(7, 3), Share::Beyond]);
    }

    #[test]
    fn clocks_that_disagree_show_as_a_negative_step() {
        let way = through(&[("tick", 1_000), ("signal", 400)]);
        assert_eq!((way.steps()[1].took_us, span_us(way.steps()[1].took_us)), (-600, "-600 us".to_owned()));
    }

    #[test]
    fn spans_are_read_at_a_glance() {
        let shown = [0, 999, 1_000, 12_345, 999_999, 4_567_890, -1_500].map(span_us);
        assert_eq!(shown, ["0 us", "999 us", "1.0 ms", "12.3 ms", "999.9 ms", "4.567 s", "-1.5 ms"]);
        let shown = [59_999_999, 60_000_000, 3_599_999_999, 3_605_817_000, 100_000_000_000, -65_000_000].map(span_us);
        assert_eq!(shown, ["59.999 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "1 d 3 h", "-1 min 5 s"]);
    }
}
