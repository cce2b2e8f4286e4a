use super::*;
use crate::domain::RejectScope;

const ID: &str = "0x46c18a256ff9edf421a42e848c161242a9791e5dda5f259efcdbce21e31258a6";

/// A class in one word, with its code.
fn class(answer: &PostAnswer) -> String {
    match answer {
        PostAnswer::Accepted { status, .. } => format!("accepted {status}").trim_end().to_owned(),
        PostAnswer::ForeignId { .. } => "foreign".to_owned(),
        PostAnswer::Duplicate => "duplicate".to_owned(),
        PostAnswer::Rejected { code, .. } => format!("rejected {code}"),
        PostAnswer::Transient { code, .. } => format!("transient {code}"),
        PostAnswer::Unknown { .. } => "unknown".to_owned(),
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

fn expect(rows: &[(u16, String, &str)]) {
    for (status, body, expected) in rows {
        assert_eq!(class(&answer(*status, body)), *expected, "{status} {body}");
    }
}

/// One row for each fault that the simulated venue can be told to make, as the client meets it.
#[test]
fn every_fault_of_the_venue_has_its_class() {
    let reply = |status, retry_after: Option<u64>, body: String| {
        Ok(Reply { status, retry_after: retry_after.map(Duration::from_secs), body: body.into_bytes() })
    };
    let lost = |reason: &str| Err(TransportError::Lost(reason.into()));
    let accepted = ok(true, "", ID, "live");
    let post_only = r#"{"error":"post-only mode: only post-only orders and cancels are allowed",
        "code":"post_only_mode","retry_after_seconds":79}"#;
    let rows = [
        ("accepted", reply(200, None, accepted.clone()), "accepted live"),
        ("accepted, reply dropped", lost("connection lost"), "unknown"),
        ("accepted late", lost("no answer within 5s"), "unknown"),
        ("accepted, body truncated", reply(200, None, accepted[..60].to_owned()), "unknown"),
        ("refused, body truncated", reply(400, None, error("not enough balance")[..20].to_owned()), "unknown"),
        ("held", reply(200, None, ok(true, "", ID, "delayed")), "accepted delayed"),
        ("sent twice", reply(400, None, error(&format!("order {ID} is invalid. Duplicated."))), "duplicate"),
        ("engine restarting", reply(425, Some(2), String::new()), "transient restarting"),
        ("post-only window", reply(503, Some(79), post_only.into()), "transient post_only_mode"),
        ("rate limit", reply(429, Some(3), error("Too Many Requests")), "transient rate_limited"),
        ("500 without effect", reply(500, None, error("could not insert order")), "unknown"),
        ("500 with effect", reply(500, None, error("could not run the execution")), "unknown"),
        ("500 after a deadline", reply(500, None, error("order timed out")), "unknown"),
        (
            "503 cancel-only",
            reply(
                503,
                None,
                error("Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."),
            ),
            "transient cancel_only",
        ),
        (
            "503 disabled",
            reply(503, None, error("Trading is currently disabled. Check polymarket.com for updates")),
            "transient trading_disabled",
        ),
        ("503 of a proxy", reply(503, None, "<html>upstream</html>".into()), "unknown"),
        (
            "tick changed",
            reply(400, None, error(&format!("order {ID} is invalid. Price (0.52) breaks minimum tick size rule: 0.1"))),
            "rejected tick",
        ),
        (
            "market closing",
            reply(400, None, error("the market is not yet ready to process new orders")),
            "rejected market_not_accepting",
        ),
        ("balance cache behind", reply(400, None, error("not enough balance / allowance")), "rejected balance"),
        ("key revoked", reply(401, None, error("Unauthorized/Invalid api key")), "rejected unauthorized"),
        ("geoblock", reply(403, None, "<title>Attention Required! | Cloudflare</title>".into()), "rejected forbidden"),
        ("banned", reply(400, None, error("'0xf39F' address banned")), "rejected banned"),
        ("connection refused", Err(TransportError::NotSent("cannot connect".into())), "transient unreachable"),
    ];
    for (fault, outcome, expected) in rows {
        assert_eq!(class(&classify(&OrderId::new(ID), &outcome)), expected, "{fault}");
    }
}

#[test]
fn a_cancel_is_answered_by_a_list_or_it_is_not_answered() {
    let cancel = |status, retry_after: Option<u64>, body: &str| {
        let retry_after = retry_after.map(Duration::from_secs);
        classify_cancel(&Reply { status, retry_after, body: body.as_bytes().to_vec() })
    };
    let both = r#"{"canceled":["0xA"],"not_canceled":{"0xB":"Order already matched","0xC":7}}"#;
    let not = |id: &str, why: &str| (order_id(id), why.to_owned());
    let cancelled = vec![order_id("0xa")];
    let expected =
        CancelAnswer { cancelled, not_cancelled: vec![not("0xb", "Order already matched"), not("0xc", "7")] };
    assert_eq!(cancel(200, None, both), Ok(expected));
    let none = Ok(CancelAnswer::default());
    assert_eq!(cancel(200, None, r#"{"canceled":[],"not_canceled":{}}"#), none);
    assert_eq!(cancel(200, None, r#"{"canceled":[],"not_canceled":null}"#), none);
    for body in
        ["", "{}", "[]", "null", &both[..20], r#"{"canceled":"0xa"}"#, r#"{"canceled":[7]}"#, r#"{"error":"later"}"#]
    {
        assert!(matches!(cancel(200, None, body), Err(VenueError::Unreadable(_))), "{body}");
    }
    for (status, retry_after) in [(425, Some(9)), (429, Some(7)), (500, None), (503, None)] {
        match cancel(status, retry_after, r#"{"error":"not now"}"#) {
            Err(error @ VenueError::Refused { .. }) => {
                assert_eq!(error.wait(), retry_after.map(Duration::from_secs), "{status}");
            }
            other => panic!("{status}: {other:?}"),
        }
    }
    let barred = cancel(401, None, "").expect_err("refused");
    assert!(matches!(barred, VenueError::Barred { code: RejectCode::Unauthorized, .. }), "{barred:?}");
}

#[test]
fn a_refusal_about_another_order_is_no_answer_to_ours() {
    let other = ID.replace("46c1", "46c2");
    let killed = "order couldn't be fully filled. FOK orders are fully filled or killed.";
    let with_id = |id: &str| serde_json::json!({ "error": killed, "orderID": id }).to_string();
    expect(&[
        (400, with_id(ID), "rejected not_filled"),
        (400, with_id(&other), "unknown"),
        (400, error(&format!("order {other} is invalid. Size (4) lower than the minimum: 5")), "unknown"),
        (400, error(&format!("order {other} is invalid. Duplicated.")), "unknown"),
        (400, error(&format!("order {} is invalid. Duplicated.", ID.to_uppercase().replace("0X", "0x"))), "duplicate"),
        (400, error("order 0x12 is invalid. Size (4) lower than the minimum: 5"), "rejected min_size"),
    ]);
}

#[test]
fn what_bars_the_account_is_told_from_what_bars_an_order() {
    let scope = |status, text: &str| match answer(status, &error(text)) {
        PostAnswer::Rejected { code, .. } => code.scope(),
        other => panic!("{other:?}"),
    };
    for (status, text) in [
        (401, "Unauthorized/Invalid api key"),
        (403, "no"),
        (400, "'0xf39F' address banned"),
        (400, "'0xf39F' address in closed only mode"),
        (400, "invalid signature"),
        (400, "order_version_mismatch"),
        (400, "maker address not allowed, please use the deposit wallet flow"),
    ] {
        assert_eq!(scope(status, text), RejectScope::Account, "{text}");
    }
    assert_eq!(scope(400, "the orderbook 123 does not exist"), RejectScope::Market);
    assert_eq!(scope(400, "not enough balance / allowance"), RejectScope::Order);
}

#[test]
fn a_200_is_accepted_only_when_all_of_it_says_so() {
    let other = ID.replace("46c1", "46c2");
    let upper = ID.to_uppercase().replace("0X", "0x");
    expect(&[
        (200, ok(true, "", ID, "live"), "accepted live"),
        (200, ok(true, "", ID, "matched"), "accepted matched"),
        (200, ok(true, "", ID, "delayed"), "accepted delayed"),
        (200, ok(true, "", ID, "unmatched"), "accepted unmatched"),
        (200, ok(true, "", &upper, "LIVE"), "accepted live"),
        (200, format!(r#"{{"success":true,"orderID":"{ID}","errorMsg":null}}"#), "accepted"),
        (200, ok(true, "", &other, "live"), "foreign"),
        (200, ok(false, "not enough balance / allowance", &other, ""), "foreign"),
        (200, ok(true, "", ID, "archived"), "unknown"),
        (200, ok(false, "", ID, "live"), "unknown"),
        (200, ok(true, "something", ID, "live"), "unknown"),
        (200, ok(true, "", "", "live"), "unknown"),
        (200, ok(true, "", "", ""), "unknown"),
        (200, format!(r#"{{"success":"true","orderID":"{ID}"}}"#), "unknown"),
        (200, r#"{"success":true,"orderID":7,"status":"live"}"#.into(), "unknown"),
        (200, "{}".into(), "unknown"),
        (200, "[]".into(), "unknown"),
        (200, "null".into(), "unknown"),
        (200, String::new(), "unknown"),
        (200, ok(true, "", ID, "live")[..60].to_owned(), "unknown"),
        (200, "<html>ok</html>".into(), "unknown"),
    ]);
}

#[test]
fn a_200_with_an_error_and_no_id_is_what_the_error_says() {
    expect(&[
        (200, ok(false, "not enough balance / allowance", "", ""), "rejected balance"),
        (
            200,
            ok(false, "order couldn't be fully filled. FOK orders are fully filled or killed.", "", ""),
            "rejected not_filled",
        ),
        (
            200,
            ok(true, "post-only mode: only post-only orders and cancels are allowed", "", ""),
            "transient post_only_mode",
        ),
        (200, ok(false, "Rate limit exceeded for tokenId 71321", "", "delayed"), "transient rate_limited"),
        (200, ok(false, &format!("order {ID} is invalid. Duplicated."), "", ""), "duplicate"),
        (200, ok(false, &format!("order {ID} is invalid. Duplicated."), ID, ""), "duplicate"),
        (200, ok(false, "INVALID_ORDER_DUPLICATED", "", ""), "duplicate"),
        (200, error("not enough balance / allowance"), "rejected balance"),
        (200, ok(false, "the engine sneezed", "", ""), "unknown"),
    ]);
}

#[test]
fn every_documented_refusal_has_its_code() {
    let prefixed = |text: &str| error(&format!("order {ID} is invalid. {text}"));
    let mut rows: Vec<_> = [
        ("Invalid order payload", "rejected malformed"),
        ("the order owner has to be the owner of the API KEY", "rejected owner"),
        ("the order signer address has to be the address of the API KEY", "rejected owner"),
        ("invalid signature", "rejected signature"),
        ("order_version_mismatch", "rejected version"),
        ("invalid expiration", "rejected expiration"),
        ("invalid post-only order: order crosses book", "rejected post_only_crosses"),
        ("not enough balance / allowance", "rejected balance"),
        (
            "not enough balance / allowance: balance: 1, sum of active orders: 2, order amount: 3",
            "rejected balance",
        ),
        (
            "not enough balance / allowance: the allowance is not enough -> spender: 0xe1, allowance: 0, order amount: 5",
            "rejected allowance",
        ),
        ("order couldn't be fully filled. FOK orders are fully filled or killed.", "rejected not_filled"),
        (
            "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
            "rejected not_filled",
        ),
        ("'0xf39F' address banned", "rejected banned"),
        ("'0xf39F' address in closed only mode", "rejected closed_only"),
        ("maker address not allowed, please use the deposit wallet flow", "rejected maker_not_allowed"),
        ("the orderbook 123 does not exist", "rejected market_unknown"),
        ("the market is not yet ready to process new orders", "rejected market_not_accepting"),
        (
            "invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals, taker amount a max of 2 decimals",
            "rejected precision",
        ),
        ("the venue has found something new", "rejected other"),
        ("order match delayed due to market conditions", "unknown"),
        ("order canceled in the CTF exchange contract", "unknown"),
        ("Too Many Requests", "transient rate_limited"),
    ]
    .into_iter()
    .map(|(text, class)| (400, error(text), class))
    .collect();
    rows.extend([
        (400, prefixed("Price (0.123) breaks minimum tick size rule: 0.01"), "rejected tick"),
        (400, prefixed("Size (4) lower than the minimum: 5"), "rejected min_size"),
        (400, prefixed("invalid amounts"), "rejected precision"),
        (400, error(&format!("order {ID} crosses the book")), "rejected post_only_crosses"),
        (400, r#"{"error":"invalid signature","status":400,"code":12}"#.into(), "rejected signature"),
        (401, error("Unauthorized/Invalid api key"), "rejected unauthorized"),
        (401, error("Invalid L1 Request headers"), "rejected unauthorized"),
        (401, String::new(), "rejected unauthorized"),
        (403, "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>".into(), "rejected forbidden"),
        (403, error("'0xf39F' address in closed only mode"), "rejected closed_only"),
        (404, error("No orderbook exists for the requested token id"), "rejected market_unknown"),
        (404, error("no such route"), "unknown"),
    ]);
    expect(&rows);
}

#[test]
fn a_duplicate_is_ours_and_never_a_rejection() {
    expect(&[
        (400, error(&format!("order {ID} is invalid. Duplicated.")), "duplicate"),
        (400, error(&format!("order {ID} already exists")), "duplicate"),
        (400, error("INVALID_ORDER_DUPLICATED"), "duplicate"),
    ]);
}

#[test]
fn maintenance_and_throttling_are_transient() {
    expect(&[
        (425, String::new(), "transient restarting"),
        (425, error("service not ready"), "transient restarting"),
        (429, error("Too Many Requests"), "transient rate_limited"),
        (429, "<html>slow down</html>".into(), "transient rate_limited"),
        (503, error("post-only mode: only post-only orders and cancels are allowed"), "transient post_only_mode"),
        (
            503,
            r#"{"error":"Unavailable","code":"post_only_mode","retry_after_seconds":79}"#.into(),
            "transient post_only_mode",
        ),
        (503, error("Trading is currently disabled."), "transient trading_disabled"),
        (503, error("Trading is currently cancel-only. New orders are not accepted"), "transient cancel_only"),
    ]);
}

#[test]
fn whatever_else_comes_is_unknown() {
    expect(&[
        (500, error("could not insert order"), "unknown"),
        (500, error("could not run the execution"), "unknown"),
        (500, error("there are no orders: rate limit exceeded"), "unknown"),
        (502, "<html>bad gateway</html>".into(), "unknown"),
        (503, error("upstream connect error"), "unknown"),
        (503, String::new(), "unknown"),
        (504, String::new(), "unknown"),
        (520, String::new(), "unknown"),
        (400, String::new(), "unknown"),
        (400, r#"{"error":"order 0x46c1 is inv"#.into(), "unknown"),
        (404, "<html>not here</html>".into(), "unknown"),
        (408, error("timeout"), "unknown"),
        (201, ok(true, "", ID, "live"), "unknown"),
        (204, String::new(), "unknown"),
        (302, String::new(), "unknown"),
    ]);
}

#[test]
fn transport_errors_are_transient_only_before_the_first_byte() {
    let order = OrderId::new(ID);
    let not_sent = classify(&order, &Err(TransportError::NotSent("connection refused".into())));
    let reason = "connection refused".into();
    assert_eq!(not_sent, PostAnswer::Transient { code: TransientCode::Unreachable, reason, retry_after: None });
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
        PostAnswer::Rejected { reason, .. } => {
            assert!(reason.len() <= REASON_CHARS && !reason.contains('\u{1b}'), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}
