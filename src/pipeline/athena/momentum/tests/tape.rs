//! The default thresholds on the recorded three minutes.

use std::path::{Path, PathBuf};
use std::process::Command;

use rust_decimal::dec;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::*;

const RECORDING: &str = "history/binance_spot_l1_trades_btc_eth_sol_20250325.jsonl.xz";
const BITCOIN: u32 = 0;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "Item", borrow)]
    item: Item<'a>,
}

#[derive(Deserialize)]
struct Item<'a> {
    time_exchange: &'a str,
    instrument: u32,
    #[serde(borrow)]
    kind: Kind<'a>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "Trade", borrow)]
    trade: Option<Trade<'a>>,
}

#[derive(Deserialize)]
struct Trade<'a> {
    id: &'a str,
    #[serde(borrow)]
    price: &'a RawValue,
}

/// The trades of BTC: microseconds since the first, number, price.
fn trades() -> Option<Vec<(i64, u64, Decimal)>> {
    let fixtures = std::env::var_os("SHARED_FIXTURES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"), PathBuf::from);
    let recording = fixtures.join(RECORDING);
    let unpacked = recording.exists().then(|| Command::new("xz").arg("-dc").arg(&recording).output().ok())??;
    let text = String::from_utf8(unpacked.stdout).expect("JSON lines");
    let mut trades = Vec::new();
    for line in text.lines() {
        let Ok(Line { item }) = serde_json::from_str(line) else { continue };
        let Some(trade) = item.kind.trade.filter(|_| item.instrument == BITCOIN) else { continue };
        let format = &time::format_description::well_known::Rfc3339;
        let at = time::OffsetDateTime::parse(item.time_exchange, format).expect("RFC 3339").unix_timestamp_nanos();
        let at = i64::try_from(at / 1_000).expect("this century");
        trades.push((at, trade.id.parse().expect("a number"), trade.price.get().parse().expect("a decimal")));
    }
    let first = trades.first()?.0;
    for trade in &mut trades {
        trade.0 -= first;
    }
    Some(trades)
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn the_default_thresholds_trade_in_three_calm_minutes() {
    let Some(trades) = trades() else { return eprintln!("skipped: no {RECORDING}, or no xz to unpack it") };
    let run = || {
        let mut scene = Scene::new();
        let begin = scene.now;
        let (mut intents, mut refreshed) = (Vec::new(), begin);
        for (offset, id, price) in &trades {
            scene.now = begin.plus(Duration::from_micros(u64::try_from(*offset).unwrap_or(0)));
            if scene.now.since(refreshed) > Duration::from_secs(1) {
                refreshed = scene.now;
                scene.refresh();
            }
            for effect in scene.play(&Event::Tick(trade(*id, *price, scene.now))) {
                match effect {
                    Effect::Emit(emission) => intents.push(emission.approved.inner().clone()),
                    // Nothing fills here, so a turn meets the orders of the move before.
                    Effect::Deny(refusal) => assert_eq!(refusal.denied.denial.control, Control::SelfMatch),
                    Effect::Skip(_) => {}
                }
            }
        }
        intents
    };
    let intents = run();
    assert!(trades.len() > 6_000 && intents.len() >= 5, "{} signals in {} trades", intents.len(), trades.len());
    assert!(intents.len() <= 37, "the cool-down allows one in five seconds");
    let (up, down): (Vec<_>, Vec<_>) = intents.iter().partition(|intent| intent.outcome == "Up");
    eprintln!("{} signals, {} up, {} down", intents.len(), up.len(), down.len());
    assert_eq!(intents, run(), "the same tape gives the same intents");
    assert!(intents.iter().all(|intent| intent.size == Size(dec!(20))));
}
