//! What became of every intent, and whether ledger and venue agree; each told by itself, so that nothing is taken on trust.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use cockpit::bus::{BusRef, Stream, decode};
use cockpit::domain::{DeadLetter, HermesState, OrderState};
use cockpit::store::ledger::Memory;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::desk::decimal;
use crate::intents::Intents;

/// What a run led to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// Orders that the venue accepted.
    pub(crate) accepted: usize,
    /// Accepted orders beyond one an intent.
    pub(crate) duplicates: usize,
    /// Intents that ended as dead letters.
    pub(crate) dead: usize,
    /// Intents whose order the venue knows and killed at once, with which it refused them too.
    pub(crate) killed: usize,
    /// Intents that our gate refused.
    pub(crate) denied: usize,
    /// Intents that led to nothing at all.
    pub(crate) lost: usize,
    /// Everything that should not be.
    pub(crate) wrong: Vec<String>,
}

/// One order as the venue tells it.
struct Theirs {
    size: Decimal,
    matched: Decimal,
    open: bool,
    /// Had to be matched at once, and nothing was: refused, and yet known.
    killed: bool,
}

/// Compares the ledger of a Hermes that has stopped, its last snapshot and the dead letters with the venue's own view.
pub(crate) async fn compare(
    intents: &Intents,
    ledger: &Memory,
    state: &HermesState,
    truth: &Value,
    account: &str,
    bus: &BusRef,
) -> Verdict {
    let mut verdict = Verdict::default();
    let theirs = orders(truth, account);
    let buried = dead_letters(bus).await;
    fates(intents, ledger, &theirs, &buried, &mut verdict);
    orders_agree(ledger, &theirs, &mut verdict.wrong);
    fills_agree(ledger, truth, &theirs, &mut verdict.wrong);
    positions_agree(state, truth, account, &mut verdict.wrong);
    verdict
}

fn orders(truth: &Value, account: &str) -> BTreeMap<String, Theirs> {
    let mine = |order: &&Value| order["account"].as_str().is_some_and(|owner| owner.eq_ignore_ascii_case(account));
    let list = truth["orders"].as_array().expect("orders").iter().filter(mine);
    list.map(|order| {
        let id = order["id"].as_str().expect("an id").to_owned();
        let is = |word: &str| order["status"].as_str().is_some_and(|status| status.to_lowercase().contains(word));
        let (size, matched) = (decimal(&order["size"]), decimal(&order["matched"]));
        (id, Theirs { size, matched, open: is("live"), killed: is("killed") && matched.is_zero() })
    })
    .collect()
}

/// Dead letters on the bus by intent. A letter may be there more than once; it is one letter.
async fn dead_letters(bus: &BusRef) -> BTreeMap<String, BTreeSet<String>> {
    let mut letters: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in bus.tail(Stream::Dlq, 10_000).await.expect("the stream of dead letters") {
        let letter = decode::<DeadLetter>(&entry.payload).expect("a dead letter").body;
        let intent = letter.intent.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        letters.entry(intent).or_default().insert(format!("{} {}", letter.entry, letter.reason));
    }
    letters
}

fn fates(
    intents: &Intents,
    ledger: &Memory,
    theirs: &BTreeMap<String, Theirs>,
    buried: &BTreeMap<String, BTreeSet<String>>,
    verdict: &mut Verdict,
) {
    verdict.accepted = theirs.len();
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    let mut killed = BTreeSet::new();
    for (id, order) in theirs {
        match intents.of_size(order.size) {
            Some(intent) => {
                *accepted.entry(intent.to_string()).or_default() += 1;
                killed.extend(order.killed.then(|| intent.to_string()));
            }
            None => verdict.wrong.push(format!("order {id} at the venue is of no intent")),
        }
    }
    for intent in &intents.all {
        let name = intent.intent.to_string();
        let orders = accepted.get(&name).copied().unwrap_or(0);
        let letters = buried.get(&name).map_or(0, BTreeSet::len);
        let rows: Vec<_> = ledger.orders.iter().filter(|row| row.order.intent.intent == intent.intent).collect();
        let denied = rows.iter().filter(|row| row.order.state == OrderState::Denied).count();
        verdict.duplicates += orders.saturating_sub(1);
        match (orders, letters, denied) {
            (1, 0, 0) => {}
            (1, 1, 0) if killed.contains(&name) => verdict.killed += 1,
            (0, 1, _) => verdict.dead += 1,
            (0, 0, 1) => verdict.denied += 1,
            (0, 0, 0) => {
                verdict.lost += 1;
                verdict.wrong.push(format!("{name} led to nothing: {rows:?}"));
            }
            other => {
                let letters = buried.get(&name);
                verdict.wrong.push(format!(
                    "{name} ended more than one way (orders, letters, denials): {other:?}: {letters:?}, {rows:?}"
                ));
            }
        }
    }
}

fn orders_agree(ledger: &Memory, theirs: &BTreeMap<String, Theirs>, wrong: &mut Vec<String>) {
    let mut ours = BTreeSet::new();
    for row in &ledger.orders {
        let (name, state) = (&row.order.intent.intent, row.order.state);
        if !state.is_terminal() {
            wrong.push(format!("{name} is still {state} in the ledger"));
        }
        if row.adopted {
            wrong.push(format!("{name} was taken for a stranger's order"));
        }
        let id = row.order.order.as_ref().map(ToString::to_string).unwrap_or_default();
        match theirs.get(&id) {
            Some(order) => {
                ours.insert(id);
                if !(row.accepted || order.killed) || order.open || order.matched != row.order.matched.decimal() {
                    let matched = order.matched;
                    wrong.push(format!("{name}: ledger {row:?}, venue matched {matched}, open {}", order.open));
                }
            }
            None if row.accepted => wrong.push(format!("{name} is accepted in the ledger only")),
            None => {}
        }
    }
    wrong.extend(theirs.keys().filter(|id| !ours.contains(*id)).map(|id| format!("order {id} is at the venue only")));
}

/// Every leg of ours in every trade, and how that trade ended.
fn fills_agree(ledger: &Memory, truth: &Value, theirs: &BTreeMap<String, Theirs>, wrong: &mut Vec<String>) {
    let mut legs = BTreeSet::new();
    for trade in truth["trades"].as_array().expect("trades") {
        let makers = trade["maker_order_ids"].as_array().expect("makers").iter();
        let ids = makers.chain(std::iter::once(&trade["taker_order_id"])).filter_map(Value::as_str);
        for id in ids.filter(|id| theirs.contains_key(*id)) {
            let status = trade["status"].as_str().expect("a status").to_lowercase();
            legs.insert((trade["id"].as_str().expect("an id").to_owned(), id.to_owned(), status));
        }
    }
    let ours: BTreeSet<_> = ledger
        .fills
        .iter()
        .map(|fill| (fill.trade.to_string(), fill.order.to_string(), fill.status.to_string()))
        .collect();
    wrong.extend(legs.difference(&ours).map(|fill| format!("fill {fill:?} is at the venue only")));
    wrong.extend(ours.difference(&legs).map(|fill| format!("fill {fill:?} is in the ledger only")));
}

fn positions_agree(state: &HermesState, truth: &Value, account: &str, wrong: &mut Vec<String>) {
    let balances = truth["balances"].as_object().expect("balances");
    let (_, mine) = balances.iter().find(|(owner, _)| owner.eq_ignore_ascii_case(account)).expect("our account");
    let held: BTreeMap<String, Decimal> = mine["tokens"]
        .as_object()
        .expect("tokens")
        .iter()
        .map(|(token, size)| (token.clone(), decimal(size).normalize()))
        .filter(|(_, size)| !size.is_zero())
        .collect();
    let ours: BTreeMap<String, Decimal> = state
        .positions
        .iter()
        .map(|position| (position.token.to_string(), position.size.decimal().normalize()))
        .filter(|(_, size)| !size.is_zero())
        .collect();
    if held != ours {
        wrong.push(format!("positions {ours:?}, the venue has {held:?}"));
    }
}
