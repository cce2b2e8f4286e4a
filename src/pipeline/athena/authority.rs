//! The limits that Hermes has in force, as far as Athena has heard: his gate decides, and hers goes by the same numbers.

use crate::domain::ParamProblem;
use crate::domain::params::Params;
use crate::domain::params::book::Values;
use crate::risk::Limits;

/// What was heard last.
#[derive(Debug, Default)]
pub(super) struct Authority {
    boot: String,
    version: u64,
    values: Values,
}

impl Authority {
    /// Limits of a snapshot: the present of the run that wrote it. Nothing when they are known.
    pub(super) fn snapshot(&mut self, boot: &str, version: u64, values: &Values) -> Option<Heard> {
        let behind = self.boot == boot && version < self.version;
        if behind || (self.boot == boot && self.values == *values) {
            return None;
        }
        Some(self.take(boot, version, values))
    }

    /// Limits of an event. Nothing when newer ones are known already.
    pub(super) fn event(&mut self, boot: &str, version: u64, values: &Values) -> Option<Heard> {
        (version > self.version).then(|| self.take(boot, version, values))
    }

    fn take(&mut self, boot: &str, version: u64, values: &Values) -> Heard {
        *self = Self { boot: boot.to_owned(), version, values: values.clone() };
        Limits::from_texts(values)
    }
}

/// Limits, or what this Athena cannot read of them.
pub(super) type Heard = Result<Limits, Vec<ParamProblem>>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench;

    fn values(open_orders: &str) -> Values {
        let mut values = bench::limits().texts();
        values.insert("open_orders".into(), open_orders.into());
        values
    }

    fn orders(heard: Option<Heard>) -> Option<u32> {
        heard.map(|heard| heard.expect("they fit").open_orders)
    }

    #[test]
    fn the_newest_counts_wherever_it_is_told() {
        let mut authority = Authority::default();
        assert_eq!(orders(authority.snapshot("h1", 1, &values("10"))), Some(10));
        assert_eq!(orders(authority.snapshot("h1", 1, &values("10"))), None, "known");
        assert_eq!(orders(authority.event("h1", 3, &values("30"))), Some(30));
        assert_eq!(orders(authority.event("h1", 2, &values("20"))), None, "an older one comes late");
        assert_eq!(orders(authority.snapshot("h1", 2, &values("20"))), None, "and so does a snapshot");
        assert_eq!(orders(authority.snapshot("h1", 3, &values("25"))), Some(25), "tightened, and not durable yet");
    }

    #[test]
    fn another_run_begins_anew() {
        let mut authority = Authority::default();
        authority.snapshot("h1", 9, &values("90"));
        assert_eq!(orders(authority.snapshot("h2", 1, &values("10"))), Some(10));
        assert_eq!(orders(authority.event("h2", 2, &values("20"))), Some(20));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let heard = Authority::default().snapshot("h1", 1, &values("many")).expect("news");
        assert_eq!(heard.expect_err("no number")[0].name, "open_orders");
    }
}
