//! A plan of faults as it is written, read strictly: what is not understood is refused, never passed over.

use serde::Serialize;
use serde_json::{Map, Value};

use super::fault::Fault;

/// More rules than this are a mistake.
const MOST_RULES: usize = 64;

/// What goes wrong, how often, and at most how many times.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
    /// Chance at each occasion, 0 to 1.
    pub probability: f64,
    /// At most this many times; without end when absent.
    pub limit: Option<u64>,
}

/// Which faults are injected. Without rules, which is the default, none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// Decides which occasions are struck: the same seed and the same occasions, the same faults.
    pub seed: u64,
    /// The first rule that strikes on an occasion is the one that acts.
    pub faults: Vec<Rule>,
}

/// Why a plan was refused: where, what stands there and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault plan: {place} {problem}")]
pub struct BadPlan {
    place: String,
    problem: String,
}

impl BadPlan {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

impl Plan {
    /// Reads `{"seed": 1, "faults": [{"kind": ..., "probability": ..., "limit": ..., ...}]}`. `seed` is 0 and `limit` without
    /// end when left out.
    ///
    /// # Errors
    /// [`BadPlan`]: the first thing in it that is unknown, missing or out of range.
    pub fn parse(json: &[u8]) -> Result<Self, BadPlan> {
        let whole: Value =
            serde_json::from_slice(json).map_err(|error| BadPlan::new("is not JSON:", error.to_string()))?;
        let Value::Object(mut fields) = whole else {
            return Err(BadPlan::new(clip(&whole), "is not an object with seed and faults"));
        };
        let seed = match fields.remove("seed") {
            None => 0,
            Some(seed) => seed.as_u64().ok_or_else(|| {
                BadPlan::new("seed", format!("'{}' is not a whole number from 0 to {}", clip(&seed), u64::MAX))
            })?,
        };
        let rules = match fields.remove("faults") {
            Some(Value::Array(rules)) => rules,
            Some(other) => return Err(BadPlan::new("faults", format!("'{}' is not a list", clip(&other)))),
            None => return Err(BadPlan::new("faults", "is missing; an empty list injects nothing")),
        };
        if let Some(name) = fields.keys().next() {
            return Err(BadPlan::new(name.as_str(), "is unknown; a plan has seed and faults"));
        }
        if rules.len() > MOST_RULES {
            return Err(BadPlan::new("faults", format!("has {} rules; at most {MOST_RULES}", rules.len())));
        }
        let faults =
            rules.into_iter().enumerate().map(|(index, rule)| read_rule(index, rule)).collect::<Result<_, _>>()?;
        Ok(Self { seed, faults })
    }
}

fn read_rule(index: usize, rule: Value) -> Result<Rule, BadPlan> {
    let place = format!("faults[{index}]");
    let Value::Object(mut fields) = rule else {
        return Err(BadPlan::new(place, format!("'{}' is not an object with a kind", clip(&rule))));
    };
    let probability = read_probability(&place, &mut fields)?;
    let limit = match fields.remove("limit") {
        None | Some(Value::Null) => None,
        Some(limit) => Some(limit.as_u64().ok_or_else(|| {
            let problem = format!("'{}' is not a whole number from 0 on", clip(&limit));
            BadPlan::new(format!("{place}.limit"), problem)
        })?),
    };
    let fault: Fault = serde_json::from_value(Value::Object(fields))
        .map_err(|error| BadPlan::new(place.as_str(), error.to_string()))?;
    fault.check().map_err(|(name, value, allowed)| {
        BadPlan::new(format!("{place}.{name}"), format!("'{value}' of {} is not {allowed}", fault.kind()))
    })?;
    Ok(Rule { fault, probability, limit })
}

fn read_probability(place: &str, fields: &mut Map<String, Value>) -> Result<f64, BadPlan> {
    let place = format!("{place}.probability");
    let Some(given) = fields.remove("probability") else {
        return Err(BadPlan::new(place, "is missing; a number from 0 to 1"));
    };
    let in_range = given.as_f64().filter(|number| (0.0..=1.0).contains(number));
    in_range.ok_or_else(|| BadPlan::new(place, format!("'{}' is not a number from 0 to 1", clip(&given))))
}

/// A value as text that fits in a message.
fn clip(value: &Value) -> String {
    value.to_string().chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fault::Call;
    use super::*;

    fn read(plan: &Value) -> Result<Plan, String> {
        Plan::parse(plan.to_string().as_bytes()).map_err(|bad| bad.to_string())
    }

    #[test]
    fn what_is_left_out_has_its_default_and_the_plan_is_shown_as_it_is_written() {
        let written = json!({ "faults": [{ "kind": "accept_then_drop_reply", "probability": 0.1 }] });
        let plan = read(&written).expect("right");
        let fault = Fault::AcceptThenDropReply { on: vec![Call::Orders] };
        assert_eq!(plan, Plan { seed: 0, faults: vec![Rule { fault, probability: 0.1, limit: None }] });
        assert_eq!(read(&json!(plan)), Ok(plan), "what is shown can be written again");
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        let rule = |more: Value| {
            let mut rule = json!({ "kind": "accept_then_drop_reply", "probability": 1 });
            rule.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            json!({ "faults": [rule] })
        };
        let rows = [
            (json!([]), "[] is not an object"),
            (json!({}), "faults is missing"),
            (json!({ "faults": 3 }), "faults '3' is not a list"),
            (json!({ "faults": [], "sed": 1 }), "sed is unknown"),
            (json!({ "faults": [], "seed": -1 }), "seed '-1' is not a whole number from 0"),
            (json!({ "faults": [7] }), "faults[0] '7' is not an object"),
            (json!({ "faults": [{ "kind": "accept_then_drop_reply" }] }), "faults[0].probability is missing"),
            (json!({ "faults": [{ "probability": 1 }] }), "faults[0] missing field `kind`"),
            (rule(json!({ "kind": "flood" })), "faults[0] unknown variant `flood`, expected"),
            (rule(json!({ "probability": 1.01 })), "faults[0].probability '1.01' is not a number from 0 to 1"),
            (rule(json!({ "probability": "1" })), "faults[0].probability '\"1\"' is not a number from 0 to 1"),
            (rule(json!({ "limit": -3 })), "faults[0].limit '-3' is not a whole number"),
            (rule(json!({ "colour": 3 })), "faults[0] unknown field `colour`, expected `on`"),
            (rule(json!({ "on": ["weather"] })), "faults[0] unknown variant `weather`, expected one of `orders`"),
            (json!({ "faults": [{ "kind": "late_accept", "probability": 1 }] }), "faults[0] missing field `delay_ms`"),
            (
                json!({ "faults": [{ "kind": "late_accept", "probability": 1, "delay_ms": 0 }] }),
                "faults[0].delay_ms '0' of late_accept is not a whole number from 1 to 600000",
            ),
            (rule(json!({ "on": [] })), "faults[0].on '[]' of accept_then_drop_reply is not a list of at least one"),
            (
                json!({ "faults": [{ "kind": "tick_change", "probability": 1, "tick_size": "0.02" }] }),
                "faults[0].tick_size '0.02' of tick_change is not one of 0.1, 0.01, 0.005",
            ),
            (
                json!({ "faults": [{ "kind": "cancel_race", "probability": 1, "part": "0" }] }),
                "faults[0].part '0' of cancel_race is not above 0 and at most 1",
            ),
            (
                json!({ "faults": [{ "kind": "market_close", "probability": 1, "market": "x" }] }),
                "faults[0] unknown field `market`",
            ),
        ];
        for (plan, words) in rows {
            let refused = read(&plan).expect_err("must be refused");
            assert!(refused.contains(words), "{plan}: {refused}");
        }
        assert!(Plan::parse(b"{").expect_err("cut off").to_string().contains("is not JSON"));
    }
}
