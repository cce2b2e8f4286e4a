//! Three recorded minutes of real trades, to play strategies on.

use std::time::Duration;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Scene, trade};
use crate::domain::{Control, OrderIntent};
use crate::fixtures;
use crate::pipeline::athena::{Effect, Event};

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

/// A trade of BTC: microseconds since the first, number, price.
pub(in super::super) type Recorded = (i64, u64, Decimal);

/// The recording; nothing where there are no recordings.
pub(in super::super) fn recorded_trades() -> Option<Vec<Recorded>> {
    let text = fixtures::unpacked(RECORDING)?;
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

impl Scene {
    /// Plays the recording and gives back what was emitted.
    pub(in super::super) fn play_recording(&mut self, trades: &[Recorded]) -> Vec<OrderIntent> {
        let begin = self.now;
        let (mut intents, mut refreshed) = (Vec::new(), begin);
        for (offset, id, price) in trades {
            self.now = begin.plus(Duration::from_micros(u64::try_from(*offset).unwrap_or(0)));
            if self.now.since(refreshed) > Duration::from_secs(1) {
                refreshed = self.now;
                self.refresh();
            }
            for effect in self.play(&Event::Tick(trade(*id, *price, self.now))) {
                match effect {
                    Effect::Emit(emission) => intents.push(emission.approved.inner().clone()),
                    // Nothing fills here, so a turn meets the orders of the move before.
                    Effect::Deny(refusal) => assert_eq!(refusal.denied.denial.control, Control::SelfMatch),
                    Effect::Skip(_) => {}
                }
            }
        }
        intents
    }
}
