use proptest::prelude::*;
use rust_decimal::dec;
use serde_json::json;

use super::*;
use crate::domain::Usd;

const MAKER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const KEY: &str = "00000000-0000-0000-0000-000000000001";

fn account() -> Account {
    Account { api_key: KEY.into(), maker: MAKER.into() }
}

fn fixture(name: &str) -> Option<String> {
    crate::fixtures::text(&format!("feeds/polymarket/{name}"))
}

#[expect(clippy::needless_pass_by_value, reason = "every caller has just made it")]
fn trade(extra: serde_json::Value) -> String {
    let mut trade = json!({
        "id": "t-1", "taker_order_id": "0xTAKER", "market": "0xm", "asset_id": "1", "side": "BUY", "size": "10",
        "price": "0.52", "status": "MATCHED", "match_time": "1795348800", "outcome": "Up", "owner": "stranger",
        "maker_address": "0x0", "trader_side": "TAKER", "maker_orders": []
    });
    for (name, value) in extra.as_object().expect("an object") {
        trade[name] = value.clone();
    }
    trade.to_string()
}

fn maker(owner: &str, token: &str, side: &str, amount: &str, price: &str) -> serde_json::Value {
    json!({ "order_id": format!("0xM{amount}"), "owner": owner, "maker_address": "0x1", "asset_id": token,
        "outcome": "Down", "side": side, "matched_amount": amount, "price": price, "fee_rate_bps": "" })
}

#[test]
fn the_fixtures_are_read() {
    if let Some(json) = fixture("http_open_order.json") {
        let order = order(&json).expect("an order");
        assert_eq!((order.status, order.matched), (VenueOrderStatus::Live, Some(Size(dec!(25)))));
        assert_eq!((order.side, order.price, order.size), (Side::Buy, Price(dec!(0.5)), Size(dec!(100))));
        assert_eq!(order.outcome, "Yes");
    }
    if let Some(json) = fixture("ws_user_order_msg.json") {
        let order = order(&json).expect("an order");
        assert_eq!((order.status, order.status_text.as_str()), (VenueOrderStatus::Live, "LIVE"));
        assert_eq!(order.matched, Some(Size::ZERO));
    }
    if let Some(json) = fixture("ws_user_trade_msg.json") {
        let [fill] = &fills(&json, &account()).expect("a trade")[..] else { panic!("one leg is ours") };
        assert_eq!((fill.role, fill.status, fill.size), (Role::Taker, FillStatus::Confirmed, Size(dec!(25))));
        assert_eq!(fill.matched_at, Timestamp::from_secs(1_704_067_200));
        assert_eq!(fill.order.as_str(), "0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef12");
    }
}

#[test]
fn statuses_are_read_in_every_spelling() {
    let status = |kind: Option<&str>, status: &str, matched: &str| {
        let json = json!({ "id": "0xA", "status": status, "market": "0xm", "asset_id": "1", "side": "sell",
            "price": 0.5, "original_size": 5, "size_matched": matched, "type": kind });
        order(&json.to_string()).expect("an order").status
    };
    for (kind, text, matched, expected) in [
        (None, "LIVE", "0", VenueOrderStatus::Live),
        (None, "ORDER_STATUS_LIVE", "0", VenueOrderStatus::Live),
        (None, "live", "0", VenueOrderStatus::Live),
        (None, "ORDER_STATUS_MATCHED", "5", VenueOrderStatus::Matched),
        (None, "DELAYED", "", VenueOrderStatus::Delayed),
        (None, "CANCELED", "", VenueOrderStatus::Cancelled),
        (None, "CANCELED_MARKET_RESOLVED", "2", VenueOrderStatus::Cancelled),
        (None, "ORDER_STATUS_CANCELED_EXPIRED_ORDER", "2", VenueOrderStatus::Cancelled),
        (None, "CANCELED_order couldn't be fully filled. FOK", "", VenueOrderStatus::Cancelled),
        (None, "INVALID", "", VenueOrderStatus::Cancelled),
        (None, "UNMATCHED", "", VenueOrderStatus::Other),
        (None, "ASCENDED", "", VenueOrderStatus::Other),
        (None, "", "", VenueOrderStatus::Other),
        (Some("CANCELLATION"), "LIVE", "", VenueOrderStatus::Cancelled),
        (Some("PLACEMENT"), "", "0", VenueOrderStatus::Live),
        (Some("UPDATE"), "", "5", VenueOrderStatus::Matched),
        (Some("UPDATE"), "MATCHED", "5", VenueOrderStatus::Matched),
    ] {
        assert_eq!(status(kind, text, matched), expected, "{kind:?} {text}");
    }
}

#[test]
fn one_trade_may_hold_several_of_our_maker_orders() {
    let json = trade(json!({ "trader_side": "MAKER", "maker_orders": [
        maker(KEY, "1", "SELL", "4", "0.52"),
        maker("stranger", "1", "SELL", "3", "0.52"),
        maker("", "2", "BUY", "3", "0.48"),
    ] }));
    let mut by_address = account();
    let mut parsed = fills(&json, &by_address).expect("a trade");
    assert_eq!(parsed.len(), 1);
    let first = parsed.remove(0);
    assert_eq!((first.order.as_str(), first.role, first.side), ("0xm4", Role::Maker, Side::Sell));
    by_address.maker = "0x1".into();
    let all = fills(&json, &by_address).expect("a trade");
    assert_eq!(all.len(), 3, "every maker address is 0x1");
    assert_eq!((all[2].token.as_str(), all[2].side, all[2].price), ("2", Side::Buy, Price(dec!(0.48))));
    assert_eq!((all[2].outcome.as_str(), all[2].size), ("Down", Size(dec!(3))));
}

#[test]
fn the_taker_pays_what_the_makers_asked_seen_from_its_own_token() {
    let makers = json!([maker("a", "1", "SELL", "4", "0.50"), maker("b", "2", "BUY", "6", "0.48")]);
    let [fill] = &fills(&trade(json!({ "maker_orders": makers })), &account()).expect("a trade")[..] else {
        panic!("one leg is ours")
    };
    assert_eq!((fill.price, fill.size, fill.order.as_str()), (Price(dec!(0.512)), Size(dec!(10)), "0xtaker"));
    assert_eq!(fill.met.iter().map(|met| met.size).sum::<Size>(), fill.size);
    assert_eq!(fill.met.iter().map(|met| met.price.notional(met.size)).sum::<Usd>(), Usd(dec!(5.12)));
    let partial = json!([maker("a", "1", "SELL", "4", "0.50")]);
    let [fill] = &fills(&trade(json!({ "maker_orders": partial })), &account()).expect("a trade")[..] else {
        panic!("one leg is ours")
    };
    assert_eq!(fill.price, Price(dec!(0.52)), "makers that do not add up leave the stated price");
}

#[test]
fn a_trade_with_ourselves_has_both_legs() {
    let json = trade(json!({ "maker_orders": [maker(KEY, "1", "SELL", "10", "0.52")] }));
    let roles: Vec<_> = fills(&json, &account()).expect("a trade").into_iter().map(|fill| fill.role).collect();
    assert_eq!(roles, [Role::Maker, Role::Taker]);
}

#[test]
fn without_a_trader_side_the_owner_decides() {
    let legs = |extra| fills(&trade(extra), &account()).expect("a trade").len();
    assert_eq!(legs(json!({ "trader_side": "", "owner": KEY })), 1);
    assert_eq!(legs(json!({ "trader_side": null, "trade_owner": KEY })), 1);
    assert_eq!(legs(json!({ "trader_side": "", "maker_address": MAKER.to_lowercase() })), 1);
    assert_eq!(legs(json!({ "trader_side": "" })), 0);
    assert_eq!(legs(json!({ "trader_side": "BROKER", "owner": KEY })), 1);
    assert_eq!(legs(json!({ "trader_side": "BROKER" })), 0);
}

#[test]
fn settlement_statuses_and_times_are_read_in_every_spelling() {
    let fill = |extra| fills(&trade(extra), &account()).map(|mut fills| fills.remove(0));
    for (text, expected) in [
        ("MATCHED", FillStatus::Matched),
        ("TRADE_STATUS_MATCHED_NOT_BROADCASTED", FillStatus::Matched),
        ("TRADE_STATUS_MINED", FillStatus::Mined),
        ("retrying", FillStatus::Retrying),
        ("CONFIRMED", FillStatus::Confirmed),
        ("FAILED", FillStatus::Failed),
        ("SETTLED", FillStatus::Matched),
        ("", FillStatus::Matched),
    ] {
        assert_eq!(fill(json!({ "status": text })).expect("a trade").status, expected);
    }
    for (extra, expected) in [
        (json!({ "match_time": 1_795_348_800 }), Timestamp::from_secs(1_795_348_800)),
        (json!({ "match_time": "1795348800123" }), Timestamp::from_millis(1_795_348_800_123)),
        (json!({ "match_time": "1795348800", "matchtime": "1795348801" }), Timestamp::from_secs(1_795_348_800)),
        (json!({ "match_time": "", "timestamp": "1795348801" }), Timestamp::from_secs(1_795_348_801)),
        (json!({ "match_time": "2026-11-22T12:00:00.5Z" }), Timestamp::from_millis(1_795_348_800_500)),
    ] {
        assert_eq!(fill(extra.clone()).expect("a trade").matched_at, expected, "{extra}");
    }
    let mut wire: serde_json::Value = serde_json::from_str(&trade(json!({}))).expect("json");
    wire.as_object_mut().expect("object").remove("match_time");
    wire["matchtime"] = json!("1795348802");
    wire["last_update"] = json!("1795348999");
    let fill = fills(&wire.to_string(), &account()).expect("a trade").remove(0);
    assert_eq!(fill.matched_at, Timestamp::from_secs(1_795_348_802));
}

#[test]
fn what_cannot_be_read_is_named() {
    for (extra, said) in [
        (json!({ "size": "ten" }), "trade.size is 'ten'"),
        (json!({ "size": "-1" }), "trade.size is '-1'"),
        (json!({ "price": null }), "trade.price is 'absent'"),
        (json!({ "side": "HOLD" }), "trade.side is 'HOLD', not BUY or SELL"),
        (json!({ "match_time": "noon" }), "trade.match_time is 'noon'"),
        (json!({ "id": "" }), "trade.id"),
        (json!({ "size": { "n": 1 } }), "trade: "),
    ] {
        let error = fills(&trade(extra), &account()).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
    assert!(order("[]").is_err() && order("{}").is_err() && order("null").is_err());
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = order(&text);
        let _ = fills(&text, &account());
        let _ = instant(&text);
    }
}
