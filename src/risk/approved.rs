use crate::domain::{CheckResult, Denial, OrderIntent};

/// Proof that the gate has passed something. Only the gate can make one:
///
/// ```compile_fail,E0451
/// use cockpit::risk::Approved;
/// fn forge(intent: cockpit::domain::OrderIntent) -> Approved<cockpit::domain::OrderIntent> {
///     Approved { inner: intent, checks: Vec::new() }
/// }
/// ```
///
/// nor can it be read from the wire:
///
/// ```compile_fail,E0277
/// use cockpit::{domain::OrderIntent, risk::Approved};
/// fn forge(text: &str) -> Approved<OrderIntent> {
///     serde_json::from_str(text).unwrap()
/// }
/// ```
#[derive(Debug)]
pub struct Approved<T> {
    inner: T,
    checks: Vec<CheckResult>,
}

impl<T> Approved<T> {
    pub(super) const fn new(inner: T, checks: Vec<CheckResult>) -> Self {
        Self { inner, checks }
    }

    /// What was approved.
    #[must_use]
    pub const fn inner(&self) -> &T {
        &self.inner
    }

    /// What was approved and what each check measured, to be told or kept; neither is a proof of anything any more.
    #[must_use]
    pub fn into_parts(self) -> (T, Vec<CheckResult>) {
        (self.inner, self.checks)
    }

    /// What each check measured.
    #[must_use]
    pub fn checks(&self) -> &[CheckResult] {
        &self.checks
    }
}

/// A refusal: what was refused, by which control, and what every check before it measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What was refused.
    pub intent: OrderIntent,
    /// By which control, with value and limit.
    pub denial: Denial,
    /// What every check measured, the refusing one last.
    pub checks: Vec<CheckResult>,
}
