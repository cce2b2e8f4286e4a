use super::*;

const ID: &str = "0x46c18a256ff9edf421a42e848c161242a9791e5dda5f259efcdbce21e31258a6";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Accepted,
    Foreign,
    Duplicate,
    Rejected,
    Transient,
    Unknown,
}
use Class::{Accepted, Duplicate, Foreign, Rejected, Transient, Unknown};

fn class(answer: &PostAnswer) -> Class {
    match answer {
        PostAnswer::Accepted { .. } => Accepted,
        PostAnswer::ForeignId { .. } => Foreign,
        PostAnswer::Duplicate => Duplicate,
        PostAnswer::Rejected { .. } => Rejected,
        PostAnswer::Transient { .. } => Transient,
        PostAnswer::Unknown { .. } => Unknown,
        PostAnswer::NotSent { .. } => panic!("the table never says NotSent"),
    }
}

fn answer(status: u16, body: &str) -> PostAnswer {
    classify(&OrderId::new(ID), &Ok(Reply { status, retry_after: None, body: body.as_bytes().to_vec() }))
}

fn error(text: &str) -> String {
    serde_json::json!({ "error": text }).to_string()
}

fn ok(success: bool, error: &str, id: &str, status: &str) -> String {
    serde_json::json!({
        "success": success, "errorMsg": error, "orderID": id, "status": status,
        "makingAmount": "", "takingAmount": "", "tradeIDs": [], "transactionsHashes": []
    })
    .to_string()
}

fn expect(rows: &[(u16, String, Class)]) {
    for (status, body, expected) in rows {
        assert_eq!(class(&answer(*status, body)), *expected, "{status} {body}");
    }
}

#[test]
fn a_200_is_accepted_only_when_all_of_it_says_so() {
    let other = ID.replace("46c1", "46c2");
    let upper = ID.to_uppercase().replace("0X", "0x");
    expect(&[
        (200, ok(true, "", ID, "live"), Accepted),
        (200, ok(true, "", ID, "matched"), Accepted),
        (200, ok(true, "", ID, "delayed"), Accepted),
        (200, ok(true, "", ID, "unmatched"), Accepted),
        (200, ok(true, "", &upper, "LIVE"), Accepted),
        (200, format!(r#"{{"success":true,"orderID":"{ID}","errorMsg":null}}"#), Accepted),
        (200, ok(true, "", &other, "live"), Foreign),
        (200, ok(false, "not enough balance / allowance", &other, ""), Foreign),
        (200, ok(true, "", ID, "archived"), Unknown),
        (200, ok(false, "", ID, "live"), Unknown),
        (200, ok(true, "something", ID, "live"), Unknown),
        (200, ok(true, "", "", "live"), Unknown),
        (200, ok(true, "", "", ""), Unknown),
        (200, format!(r#"{{"success":"true","orderID":"{ID}"}}"#), Unknown),
        (200, r#"{"success":true,"orderID":7,"status":"live"}"#.into(), Unknown),
        (200, "{}".into(), Unknown),
        (200, "[]".into(), Unknown),
        (200, "null".into(), Unknown),
        (200, String::new(), Unknown),
        (200, ok(true, "", ID, "live")[..60].to_owned(), Unknown),
        (200, "<html>ok</html>".into(), Unknown),
    ]);
}

#[test]
fn a_200_with_an_error_and_no_id_is_what_the_error_says() {
    expect(&[
        (200, ok(false, "not enough balance / allowance", "", ""), Rejected),
        (200, ok(false, "order couldn't be fully filled. FOK orders are fully filled or killed.", "", ""), Rejected),
        (200, ok(true, "post-only mode: only post-only orders and cancels are allowed", "", ""), Transient),
        (200, ok(false, "Rate limit exceeded for tokenId 71321", "", "delayed"), Transient),
        (200, ok(false, &format!("order {ID} is invalid. Duplicated."), "", ""), Duplicate),
        (200, ok(false, &format!("order {ID} is invalid. Duplicated."), ID, ""), Duplicate),
        (200, ok(false, "INVALID_ORDER_DUPLICATED", "", ""), Duplicate),
        (200, error("not enough balance / allowance"), Rejected),
        (200, ok(false, "the engine sneezed", "", ""), Unknown),
    ]);
}

#[test]
fn every_documented_refusal_is_a_rejection() {
    let prefixed = |text: &str| error(&format!("order {ID} is invalid. {text}"));
    let mut rows: Vec<_> = [
        "Invalid order payload",
        "the order owner has to be the owner of the API KEY",
        "the order signer address has to be the address of the API KEY",
        "invalid signature",
        "order_version_mismatch",
        "invalid expiration",
        "invalid post-only order: order crosses book",
        "not enough balance / allowance",
        "not enough balance / allowance: balance: 1, sum of active orders: 2, order amount: 3",
        "order couldn't be fully filled. FOK orders are fully filled or killed.",
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        "'0xf39F' address banned",
        "'0xf39F' address in closed only mode",
        "maker address not allowed, please use the deposit wallet flow",
        "the orderbook 123 does not exist",
        "the market is not yet ready to process new orders",
        "invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals, taker amount a max of 2 decimals",
    ]
    .into_iter()
    .map(|text| (400, error(text), Rejected))
    .collect();
    rows.extend([
        (400, prefixed("Price (0.123) breaks minimum tick size rule: 0.01"), Rejected),
        (400, prefixed("Size (4) lower than the minimum: 5"), Rejected),
        (401, error("Unauthorized/Invalid api key"), Rejected),
        (400, r#"{"error":"invalid signature","status":400,"code":12}"#.into(), Rejected),
        (401, error("Invalid L1 Request headers"), Rejected),
        (401, String::new(), Rejected),
        (403, "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>".into(), Rejected),
        (404, error("No orderbook exists for the requested token id"), Rejected),
    ]);
    expect(&rows);
}

#[test]
fn a_duplicate_is_ours_and_never_a_rejection() {
    expect(&[
        (400, error(&format!("order {ID} is invalid. Duplicated.")), Duplicate),
        (400, error(&format!("order {ID} already exists")), Duplicate),
        (400, error("INVALID_ORDER_DUPLICATED"), Duplicate),
    ]);
}

#[test]
fn maintenance_and_throttling_are_transient() {
    expect(&[
        (425, String::new(), Transient),
        (425, error("service not ready"), Transient),
        (429, error("Too Many Requests"), Transient),
        (429, "<html>slow down</html>".into(), Transient),
        (503, error("post-only mode: only post-only orders and cancels are allowed"), Transient),
        (503, r#"{"error":"Unavailable","code":"post_only_mode","retry_after_seconds":79}"#.into(), Transient),
        (503, error("Trading is currently disabled. Check polymarket.com for updates"), Transient),
        (
            503,
            error("Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."),
            Transient,
        ),
    ]);
}

#[test]
fn whatever_else_comes_is_unknown() {
    expect(&[
        (500, error("could not insert order"), Unknown),
        (500, error("could not run the execution"), Unknown),
        (500, error("there are no orders: rate limit exceeded"), Unknown),
        (502, "<html>bad gateway</html>".into(), Unknown),
        (503, error("upstream connect error"), Unknown),
        (503, String::new(), Unknown),
        (504, String::new(), Unknown),
        (520, String::new(), Unknown),
        (400, String::new(), Unknown),
        (400, r#"{"error":"order 0x46c1 is inv"#.into(), Unknown),
        (404, "<html>not here</html>".into(), Unknown),
        (408, error("timeout"), Unknown),
        (201, ok(true, "", ID, "live"), Unknown),
        (204, String::new(), Unknown),
        (302, String::new(), Unknown),
    ]);
}

#[test]
fn transport_errors_are_transient_only_before_the_first_byte() {
    let order = OrderId::new(ID);
    let not_sent = classify(&order, &Err(TransportError::NotSent("connection refused".into())));
    assert_eq!(not_sent, PostAnswer::Transient { reason: "connection refused".into(), retry_after: None });
    let lost = classify(&order, &Err(TransportError::Lost("no answer within 5 s".into())));
    assert_eq!(lost, PostAnswer::Unknown { reason: "no answer within 5 s".into() });
}

#[test]
fn the_wait_comes_from_the_header_and_else_from_the_body() {
    let order = OrderId::new(ID);
    let wait = |retry_after, body: &str| {
        let reply = Reply { status: 503, retry_after, body: body.as_bytes().to_vec() };
        match classify(&order, &Ok(reply)) {
            PostAnswer::Transient { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        }
    };
    let body = r#"{"error":"post-only mode: wait","code":"post_only_mode","retry_after_seconds":79}"#;
    assert_eq!(wait(None, body), Some(Duration::from_secs(79)));
    assert_eq!(wait(Some(Duration::from_secs(3)), body), Some(Duration::from_secs(3)));
    assert_eq!(wait(None, r#"{"error":"post-only mode: wait"}"#), None);
    let for_ever = r#"{"error":"post-only mode: wait","retry_after_seconds":18446744073709551615}"#;
    assert_eq!(wait(None, for_ever), Some(Duration::from_hours(1)));
}

#[test]
fn an_acceptance_names_its_status_and_trades() {
    let body = format!(
        r#"{{"success":true,"errorMsg":"","orderID":"{ID}","status":"matched","makingAmount":"5","takingAmount":"10","tradeIDs":["t-1","t-2"]}}"#
    );
    let expected =
        PostAnswer::Accepted { status: "matched".into(), trades: vec![TradeId::new("t-1"), TradeId::new("t-2")] };
    assert_eq!(answer(200, &body), expected);
}

#[test]
fn reasons_are_short_and_printable() {
    let long = format!("\u{1b}[31m{}", "x".repeat(10_000));
    match answer(400, &error(&long)) {
        PostAnswer::Rejected { reason } => {
            assert!(reason.len() <= REASON_CHARS && !reason.contains('\u{1b}'), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}
