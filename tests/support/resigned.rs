//! Whether the bytes that left were those of the intents: each order in the ledger is signed once more, and the digest of that is
//! compared with the one that was written down before the first byte.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use cockpit::config::Config;
use cockpit::exec::venue::ExecutionVenue;
use cockpit::sim::DESK_KEY;
use cockpit::store::ledger::Memory;
use cockpit::venues::polymarket::signing::{LocalKey, SignatureType};
use cockpit::venues::polymarket::{PolymarketVenue, Rates, Settings};

use crate::desk::{Home, Sim};
use crate::support::approved::approve;

/// Polygon.
const CHAIN: u64 = 137;

/// Compares every order that was signed; what differs is told in `wrong`.
pub(crate) async fn compare(ledger: &Memory, home: &Home, sim: &Sim, wrong: &mut Vec<String>) {
    let account = Config::load(&home.config()).expect("a configuration").account;
    let settings = Settings {
        clob: sim.url("clob").to_owned(),
        clob_ws: sim.url("clob_ws").to_owned(),
        chain_id: CHAIN,
        signature_type: SignatureType::from_word(&account.signature_type).expect("a kind of wallet"),
        wallet: account.wallet,
        rates: Rates { orders: account.orders_per_s, cancels: account.cancels_per_s },
    };
    let venue = PolymarketVenue::new(&settings, LocalKey::from_hex(DESK_KEY).expect("a key")).expect("an adapter");
    venue.connect().await.expect("the venue answers");
    let mut signed = 0;
    for row in ledger.orders.iter().filter(|row| !row.adopted) {
        let (Some(digest), intent) = (&row.digest, &row.order.intent) else { continue };
        let market = ledger.markets.iter().find(|market| market.market == intent.market).expect("its market");
        let again = venue.sign(&approve(intent.clone(), market), market).expect("it was signed before");
        signed += 1;
        if again.digest() != digest || Some(again.order()) != row.order.order.as_ref() {
            let (name, order) = (&intent.intent, again.order());
            wrong.push(format!("{name}: signed again it is {order} with digest {}; ledger {row:?}", again.digest()));
        }
    }
    if signed == 0 {
        let reasons: BTreeSet<_> = ledger.orders.iter().filter_map(|row| row.order.reason.as_deref()).collect();
        wrong.push(format!("no order was signed: {reasons:?}"));
    }
}
