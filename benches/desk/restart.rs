//! Killed with open orders, positions and fills that it missed: how long until its books are right again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cockpit::clock;
use cockpit::domain::{HermesState, Market, Side, TimeInForce, TradingState};
use cockpit::exec::venue::{ExecutionVenue, PostAnswer};
use cockpit::venues::polymarket::signing::{LocalKey, SignatureType};
use cockpit::venues::polymarket::{PolymarketVenue, Rates, Settings};
use rust_decimal::{Decimal, dec};

use super::desk::decimal;
use super::stage::{self, Stage};
use super::store::Store;
use super::support::approved::approve;
use super::support::scene::Wish;

/// Resting orders of each of the twenty tokens.
const RESTING: usize = 10;
/// Fills that are missed; they are spread over the tokens.
const MISSED: usize = 50;
const SIZE: Decimal = dec!(5);
/// Between the quiet book's 0.40 and 0.60: the first that is sold to.
const REST_AT: Decimal = dec!(0.45);
const WANTED: Duration = Duration::from_secs(3);

pub(crate) async fn measure(store: &Store) {
    let mut stage = Stage::start(store.clone()).await;
    let tokens: Vec<(Market, usize)> =
        stage.markets.iter().flat_map(|market| (0..2).map(move |outcome| (market.clone(), outcome))).collect();
    let stranger = Stranger::connect(&stage).await;
    for (market, outcome) in &tokens {
        stranger.trade(market, *outcome, Side::Buy, dec!(0.60), dec!(15)).await;
    }
    // First what takes, then what rests: a bid for one outcome is an offer of the other.
    let held = tokens.len();
    // And of a market's two outcomes one after the other: together they would cross.
    for wanted in 0..2 {
        for (index, (market, outcome)) in tokens.iter().enumerate().filter(|(_, (_, outcome))| *outcome == wanted) {
            order(&stage, format!("held-{index:02}"), market, *outcome, true).await;
        }
        let filled = held / 2 * (wanted + 1);
        stage::wait(&stage.bus, "positions", |state| {
            holdings(state).len() == filled && state.orders.filled == u64::try_from(filled).expect("few orders")
        })
        .await;
    }
    for (index, (market, outcome)) in tokens.iter().cycle().take(held * RESTING).enumerate() {
        order(&stage, format!("open-{index:03}"), market, *outcome, false).await;
    }
    let open = u64::try_from(held * RESTING).expect("few orders");
    let before = stage::wait(&stage.bus, "open orders and positions", |state| {
        state.orders.open == open && holdings(state).len() == held
    })
    .await;

    stage.hermes.kill_hard();
    for index in 0..MISSED {
        let (market, outcome) = &tokens[index % tokens.len()];
        stranger.trade(market, *outcome, Side::Sell, REST_AT, SIZE).await;
    }
    let truth = theirs(&stage);
    let begun = clock::monotonic();
    stage.hermes = stage.home.start("hermes-again", &["run", "hermes"]);
    let missed = u64::try_from(MISSED).expect("few fills");
    let right = |state: &HermesState| {
        state.boot != before.boot
            && state.orders.open == open - missed
            && state.orders.unknown == 0
            && state.fills == before.fills + missed
            && state.trading_state == TradingState::Active
            && holdings(state) == truth
    };
    stage::wait(&stage.bus, "the books to be right", right).await;
    let took = begun.elapsed();
    println!(
        "\nRestart over {} after SIGKILL with {open} open orders, {held} positions and {MISSED} missed fills: correct and \
         trading after {} ms: {}",
        store.name(),
        took.as_millis(),
        if took < WANTED { "met" } else { "NOT met" }
    );
    stage.hermes.kill_hard();
}

async fn order(stage: &Stage, name: String, market: &Market, outcome: usize, takes: bool) {
    let wish = Wish {
        name,
        outcome,
        side: Side::Buy,
        price: if takes { dec!(0.60) } else { REST_AT },
        size: SIZE,
        tif: if takes { TimeInForce::Fak } else { TimeInForce::Gtc },
        send_within: Some(Duration::from_mins(1)),
        rest: Duration::from_hours(1),
    };
    stage.append(&wish.intent(market)).await;
}

fn holdings(state: &HermesState) -> BTreeMap<String, Decimal> {
    let held = state.positions.iter().filter(|position| !position.size.is_zero());
    held.map(|position| (position.token.to_string(), position.size.decimal().normalize())).collect()
}

/// What the venue says that the desk holds.
fn theirs(stage: &Stage) -> BTreeMap<String, Decimal> {
    let account = stage.sim.hello["accounts"][0]["address"].as_str().expect("an address");
    let truth = stage.sim.truth();
    let balances = truth["balances"].as_object().expect("balances");
    let (_, mine) = balances.iter().find(|(owner, _)| owner.eq_ignore_ascii_case(account)).expect("our account");
    let tokens = mine["tokens"].as_object().expect("tokens").iter();
    tokens.map(|(token, size)| (token.clone(), decimal(size).normalize())).filter(|(_, size)| !size.is_zero()).collect()
}

/// Another account of the venue, which trades with the desk while the desk is dead.
struct Stranger {
    venue: Arc<PolymarketVenue>,
    count: std::cell::Cell<usize>,
}

impl Stranger {
    async fn connect(stage: &Stage) -> Self {
        let key = stage.sim.hello["accounts"][1]["private_key"].as_str().expect("a key");
        let settings = Settings {
            clob: stage.sim.url("clob").to_owned(),
            clob_ws: stage.sim.url("clob_ws").to_owned(),
            chain_id: 137,
            signature_type: SignatureType::Eoa,
            wallet: None,
            rates: Rates { orders: 1_000, cancels: 1_000 },
        };
        let venue = PolymarketVenue::new(&settings, LocalKey::from_hex(key).expect("a key")).expect("a client");
        venue.connect().await.expect("the venue answers");
        Self { venue, count: std::cell::Cell::new(0) }
    }

    /// An order that is filled at once.
    async fn trade(&self, market: &Market, outcome: usize, side: Side, price: Decimal, size: Decimal) {
        self.count.set(self.count.get() + 1);
        let wish = Wish {
            name: format!("stranger-{}", self.count.get()),
            outcome,
            side,
            price,
            size,
            tif: TimeInForce::Fok,
            send_within: Some(Duration::from_mins(1)),
            rest: Duration::ZERO,
        };
        let approved = approve(wish.intent(market), market);
        let signed = self.venue.sign(&approved, market).expect("signed");
        let answer = self.venue.post(&signed, &|| Ok(())).await;
        assert!(matches!(answer, PostAnswer::Accepted { .. }), "{answer:?}");
    }
}
