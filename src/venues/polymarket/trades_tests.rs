//! Lists of trades: whole, broken off, and with what cannot be read.

use super::*;

#[tokio::test]
async fn a_list_of_trades_names_its_holes_and_one_that_breaks_off_is_none() {
    let trade = |id: &str, market: &str| {
        json!({ "id": id, "taker_order_id": "0xt", "market": market, "asset_id": UP, "side": "BUY", "size": "4",
            "price": "0.5", "status": "CONFIRMED", "match_time": NOW.to_string(), "owner": API_KEY,
            "trader_side": "TAKER", "maker_orders": [] })
    };
    let fails = async |second: (u16, String), said: &str| {
        let first = page(&[trade("t-1", "0xm")], "Mg==");
        let (server, venue) = connected(move |seen, before| match (seen.path.as_str(), before) {
            ("/data/trades", 0) => first.clone(),
            ("/data/trades", _) => second.clone(),
            _ => (0, String::new()),
        })
        .await;
        let error = venue.fills(Timestamp::from_secs(NOW)).await.expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!(server.seen("/data/trades").len(), 2);
        assert!(server.seen("/data/trades").iter().all(|seen| !seen.query.contains("asset_id")));
    };
    fails(page(&[trade("t-2", "0xm")], "MA=="), "leads nowhere").await;
    fails((200, r#"{"data":[{"id":"t-2""#.into()), "/data/trades").await;
    fails((500, r#"{"error":"Internal server error"}"#.into()), "500").await;

    let (first, second) = (page(&[trade("t-1", ""), json!({})], "Mg=="), page(&[trade("t-2", "0xm")], "LTE="));
    let (_server, venue) = connected(move |seen, before| match (seen.path.as_str(), before) {
        ("/data/trades", 0 | 2) => first.clone(),
        ("/data/trades", _) => second.clone(),
        _ => (0, String::new()),
    })
    .await;
    let list = venue.fills(Timestamp::from_secs(NOW)).await.expect("a list");
    assert_eq!(list.fills.iter().map(|fill| fill.trade.as_str()).collect::<Vec<_>>(), ["t-2"]);
    let [hole, nameless] = &list.unreadable[..] else { panic!("{list:?}") };
    assert_eq!((hole.id.as_ref().map(TradeId::as_str), nameless.id.as_ref()), (Some("t-1"), None));
    assert!(hole.reason.contains("trade.market is 'absent'"), "{}", hole.reason);
    assert!(hole.names(&OrderId::new("0xT")) && !hole.names(&OrderId::new("0xU")));
    assert!(!format!("{list:?}").contains(API_KEY), "what is shown names no key");
    let error = venue.trade(&"t-1".into()).await.expect_err("a hole").to_string();
    assert!(error.contains("trade.market"), "{error}");
}

#[tokio::test]
async fn fills_are_asked_from_a_second_before_and_kept_from_the_second_itself() {
    let trade = |id: &str, secs: i64, owner: &str| {
        json!({ "id": id, "taker_order_id": "0xt", "market": "0xm", "asset_id": UP, "side": "SELL", "size": "4",
            "price": "0.5", "status": "TRADE_STATUS_MINED", "match_time": secs.to_string(), "outcome": "Up",
            "owner": "other", "maker_address": "0x0", "trader_side": "MAKER", "maker_orders": [
                { "order_id": "0xA", "owner": owner, "maker_address": "0x1", "matched_amount": "4", "price": "0.5",
                  "fee_rate_bps": "0", "asset_id": UP, "outcome": "Up", "side": "BUY" }] })
    };
    let rows = [trade("t-0", NOW - 1, API_KEY), trade("t-1", NOW, API_KEY), trade("t-2", NOW + 1, "stranger")];
    let (server, venue) = connected(move |seen, _| match seen.path.as_str() {
        "/data/trades" => page(&rows, "LTE="),
        _ => (0, String::new()),
    })
    .await;
    let since = Timestamp::from_secs(NOW).plus(Duration::from_millis(900));
    let fills = venue.fills(since).await.expect("fills").fills;
    let [fill] = &fills[..] else { panic!("{fills:?}") };
    assert_eq!((fill.trade.as_str(), fill.order.as_str(), fill.side), ("t-1", "0xa", Side::Buy));
    assert_eq!(server.seen("/data/trades")[0].query, format!("after={}&next_cursor=MA%3D%3D", NOW - 1));
    let old = venue.trade(&"t-0".into()).await.expect("a trade");
    assert_eq!(old.iter().map(|fill| fill.trade.as_str()).collect::<Vec<_>>(), ["t-0"], "nothing else, however old");
    assert_eq!(server.seen("/data/trades")[1].query, "id=t-0&next_cursor=MA%3D%3D");
}
