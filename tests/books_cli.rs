//! The books on the command line: the binary over a ledger that was written by the store.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use cockpit::bus::{Origin, encode};
use cockpit::domain::*;
use cockpit::store::ledger::{InboxRow, Ledger, OrderRow, Write};
use cockpit::store::sqlite::SqliteLedger;
use rust_decimal::{Decimal, dec};
use tempfile::TempDir;

const COCKPIT: &str = env!("CARGO_BIN_EXE_cockpit");
const NOON: i64 = 1_795_348_800_000_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(NOON + micros)
}

fn intent(name: &str, side: Side, price: Decimal) -> OrderIntent {
    OrderIntent {
        intent: name.into(),
        strategy: "momentum".into(),
        market: "0xm".into(),
        slug: "btc-updown-5m-1795348800".into(),
        token: "1".into(),
        outcome: "Up".into(),
        side,
        price: Price(price),
        size: Size(dec!(20)),
        tif: TimeInForce::Gtc,
        post_only: false,
        tick_received_at: at(0),
        created_at: at(150),
        deadline: at(2_000_000),
        rest_until: at(15_000_000),
        epoch: 1,
        attempt: 1,
    }
}

fn entry(intent: &OrderIntent) -> String {
    let signal = SignalEntry {
        intent: intent.clone(),
        rationale: Rationale {
            source: "BTC/USD".into(),
            change: dec!(0.0006),
            threshold: dec!(0.0005),
            measure: cockpit::domain::Measure::Relative,
            window_ms: 15_000,
            window_ticks: 40,
            first: Price(dec!(100000)),
            last: Price(dec!(100060)),
            reference: Price(dec!(0.54)),
            fair: Some(Price(dec!(0.58))),
            edge: Some(Price(dec!(0.03))),
            note: "BTC/USD rose by 0.06 % in 15 s".into(),
            params: 7,
            inputs: vec![cockpit::domain::Figure { name: "volume".into(), value: "0.25 BTC".into() }],
        },
        checks: vec![CheckResult {
            control: Control::OrderSize,
            value: "20".into(),
            limit: "100".into(),
            passed: true,
        }],
        doubt: None,
    };
    let payload = encode(&Origin::new("athena", "b").wrap(&signal, at(200))).expect("encodes");
    String::from_utf8(payload.to_vec()).expect("text")
}

fn filled(name: &str, side: Side, price: Decimal) -> Vec<Write> {
    let wanted = intent(name, side, price);
    let payload = entry(&wanted);
    let id = format!("0x{name:0<64}");
    let mut order = Order::new(wanted, at(400));
    order.order = Some(id.as_str().into());
    order.state = OrderState::Unknown;
    order.reason = Some("no answer within 5 s: the connection was reset by the peer while reading".into());
    order.times = OrderTimes {
        consumed_at: Some(at(400)),
        gated_at: Some(at(420)),
        signed_at: Some(at(800)),
        committed_at: Some(at(1_300)),
        sent_at: Some(at(1_350)),
        answered_at: Some(at(2_900)),
        matched_at: Some(at(3_500_000)),
        confirmed_at: Some(at(63_000_000)),
        ended_at: Some(at(3_500_000)),
    };
    let row = |order: &Order| {
        let row = OrderRow {
            order: order.clone(),
            digest: None,
            accepted: true,
            adopted: false,
            posts: 0,
            first_error: None,
            shares: None,
            token: 0,
        };
        Box::new(row)
    };
    let lost = Write::Order { row: row(&order), what: "answered", at: at(2_900) };
    order.state = OrderState::Filled;
    order.matched = Size(dec!(20));
    order.reason = None;
    let fill = Fill {
        trade: format!("t{name}-4f6c-4d0e-9a4e-7d4bde9a0001").into(),
        order: id.as_str().into(),
        strategy: Some("momentum".into()),
        market: "0xm".into(),
        token: "1".into(),
        outcome: "Up".into(),
        side,
        size: Size(dec!(20)),
        price: Price(price),
        fee: Usd(dec!(0.25)),
        role: Role::Taker,
        status: FillStatus::Confirmed,
        matched_at: at(3_400_000),
    };
    let inbox = InboxRow {
        intent: name.into(),
        attempt: 1,
        entry: format!("1-{name}"),
        boot: "boot".into(),
        payload,
        at: at(400),
    };
    let journal = Write::Journal(Box::new(booked(&fill)));
    let found = Write::Order { row: row(&order), what: "found", at: at(3_500_000) };
    vec![Write::Inbox(inbox), lost, found, Write::Fill { fill: Box::new(fill), at: at(3_500_000) }, journal]
}

fn booked(fill: &Fill) -> Journal {
    let sign = if fill.side == Side::Buy { dec!(1) } else { dec!(-1) };
    let (shares, paid) = (sign * fill.size.0, sign * fill.price.notional(fill.size).0);
    let token = || Asset::Token(fill.token.clone());
    let posting = |account, asset, amount| Posting { account, asset, amount };
    Journal {
        id: format!("{}/{}/fill", fill.trade, fill.order),
        kind: JournalKind::Fill,
        at: fill.matched_at,
        market: fill.market.clone(),
        trade: Some(fill.trade.clone()),
        order: Some(fill.order.clone()),
        reverses: None,
        postings: vec![
            posting(Account::Position(fill.strategy.clone()), token(), shares),
            posting(Account::Venue, token(), -shares),
            posting(Account::Cash, Asset::Usd, -paid - fill.fee.0),
            posting(Account::Venue, Asset::Usd, paid),
            posting(Account::Fees, Asset::Usd, fill.fee.0),
        ],
        note: None,
    }
}

async fn ledger() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = SqliteLedger::open(&dir.path().join("embedded.db")).await.expect("opens");
    ledger.commit(&filled("a1", Side::Buy, dec!(0.50))).await.expect("commits");
    ledger.commit(&filled("b2", Side::Sell, dec!(0.60))).await.expect("commits");
    ledger.commit(&filled("b3", Side::Buy, dec!(0.55))).await.expect("commits");
    ledger.close().await;
    dir
}

fn run(dir: &Path, args: &[&str]) -> Output {
    Command::new(COCKPIT).args(args).arg("--state-dir").arg(dir).output().expect("the binary runs")
}

fn shown(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn json(dir: &Path, args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&shown(dir, &[args, &["--json"]].concat())).expect("JSON")
}

#[tokio::test]
async fn the_books_are_printed_for_people_and_programs() {
    let dir = ledger().await;
    let dir = dir.path();
    let orders = json(dir, &["orders"]);
    assert_eq!((orders.as_array().map(Vec::len), &orders[0]["state"]), (Some(3), &"filled".into()));
    assert_eq!(json(dir, &["orders", "--open"]), serde_json::json!([]));
    for (args, rows, column) in [
        (&["orders"][..], 3, "state"),
        (&["fills"], 3, "trade"),
        (&["positions"], 1, "size"),
        (&["pnl"], 2, "realised"),
        (&["pnl", "--by", "day"], 2, "realised"),
    ] {
        let csv = shown(dir, &[args, &["--csv"]].concat());
        let width = csv.lines().next().expect("a header").split(',').count();
        assert!(
            csv.lines().next().is_some_and(|header| header.split(',').any(|name| name == column)),
            "{args:?}: {csv}"
        );
        assert_eq!(csv.lines().count(), rows + 1, "{args:?}: {csv}");
        assert!(csv.lines().all(|line| line.contains('"') || line.split(',').count() == width), "{args:?}: {csv}");
        assert_eq!(json(dir, args).as_array().map(Vec::len), Some(rows), "{args:?}");
    }
    let csv = shown(dir, &["fills", "--csv"]);
    assert!(csv.starts_with("matched,trade,order,status,side,size,price,fee,role,outcome,"), "{csv}");
    assert_eq!(csv.lines().count(), 4, "{csv}");
    let position = &json(dir, &["positions"])[0];
    assert_eq!((&position["size"], &position["avg_price"]), (&"20".into(), &"0.55".into()), "{position}");
    for by in ["strategy", "market", "day"] {
        let pnl = json(dir, &["pnl", "--by", by]);
        assert_eq!((&pnl[0]["realised"], &pnl[1]["of"]), (&"2".into(), &"total".into()), "{pnl}");
        assert_eq!((&pnl[1]["fees"], &pnl[1]["total"]), (&"0.75".into(), &"1.25".into()), "{pnl}");
    }
    for args in [&["orders"][..], &["fills"], &["positions"], &["pnl"]] {
        let text = shown(dir, args);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{args:?} in 80 columns:\n{text}");
    }
}

#[tokio::test]
async fn what_the_account_began_with_has_its_markets_name_and_what_is_resolved_is_redeemable_or_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = SqliteLedger::open(&dir.path().join("embedded.db")).await.expect("opens");
    let taken_over = |token: &str| {
        let shares = |account, amount| Posting { account, asset: Asset::Token(token.into()), amount };
        Write::Journal(Box::new(Journal {
            id: format!("opening/{token}"),
            kind: JournalKind::Opening,
            at: at(0),
            market: "0xm".into(),
            trade: None,
            order: None,
            reverses: None,
            postings: vec![shares(Account::Position(None), dec!(20)), shares(Account::Venue, dec!(-20))],
            note: None,
        }))
    };
    let outcome = |token: &str, outcome: &str| OutcomeToken { token: token.into(), outcome: outcome.into() };
    let market = |payouts| Market {
        slug: "btc-updown-5m-1795348800".into(),
        market: "0xm".into(),
        tokens: [outcome("1", "Up"), outcome("2", "Down")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee: FeeSchedule { rate: dec!(0), exponent: 1 },
        opens_at: None,
        closes_at: None,
        accepting_orders: true,
        payouts,
        question: None,
        group: None,
    };
    let described = |payouts| Write::Market(Box::new(market(payouts)));
    let names = || {
        let listed = |args: &[&str]| {
            let rows = json(dir.path(), args);
            let name = |row: &serde_json::Value| row["outcome"].as_str().expect("a name").to_owned();
            rows.as_array().expect("a list").iter().map(name).collect::<Vec<_>>()
        };
        (listed(&["positions"]), listed(&["positions", "--all"]))
    };
    let both = vec!["Up".to_owned(), "Down".to_owned()];
    ledger.commit(&[taken_over("1"), taken_over("2"), described(None)]).await.expect("commits");
    assert_eq!(names(), (both.clone(), both.clone()));
    let redeemable = || {
        let rows = json(dir.path(), &["positions", "--all"]);
        [rows[0]["redeemable"].clone(), rows[1]["redeemable"].clone()]
    };
    assert_eq!(redeemable(), [serde_json::Value::Null, serde_json::Value::Null]);
    ledger.commit(&[described(Some([Price(dec!(1)), Price(dec!(0))]))]).await.expect("commits");
    assert_eq!(names(), (vec!["Up".to_owned()], both));
    assert_eq!(redeemable(), ["20", "0"]);
    ledger.close().await;
}

#[tokio::test]
async fn an_order_says_why_and_where_its_time_went() {
    let dir = ledger().await;
    let text = shown(dir.path(), &["orders", "--why", "0xa"]);
    for word in [
        "order answered: unknown",
        "BTC/USD rose",
        "momentum, version 7",
        "volume: 0.25 BTC",
        "order_size",
        "commit",
        "confirmed",
        "JOURNAL fill",
    ] {
        assert!(text.contains(word), "{word} in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let story = json(dir.path(), &["orders", "--why", "a1"]);
    let steps = story["waterfall"].as_array().expect("a list");
    assert_eq!(steps.len(), 10, "{story}");
    assert_eq!(
        (&steps[5]["step"], &steps[5]["took_us"], &steps[5]["total_us"]),
        (&"commit".into(), &500.into(), &1_300.into())
    );
    assert_eq!(story["signal"]["rationale"]["window_ticks"], 40);
    for (id, word) in [("b", "not unique"), ("zzz", "no order")] {
        let output = run(dir.path(), &["orders", "--why", id]);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(word));
    }
}

#[tokio::test]
async fn the_audit_passes_until_a_byte_is_changed() {
    let dir = ledger().await;
    let report = json(dir.path(), &["audit", "verify"]);
    let head = report["head"].as_str().expect("a hash").to_owned();
    assert!(shown(dir.path(), &["audit", "verify", "--expect", &head]).contains("sound"));

    let file = format!("sqlite://{}", dir.path().join("embedded.db").display());
    let pool = sqlx::SqlitePool::connect(&file).await.expect("opens");
    let sql =
        "DROP TRIGGER log_kept; UPDATE log SET document = replace(document, 'momentum', 'momentun') WHERE seq = 2";
    sqlx::raw_sql(sql).execute(&pool).await.expect("changed");
    pool.close().await;
    let output = run(dir.path(), &["audit", "verify"]);
    assert_eq!(output.status.code(), Some(6));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("WRONG      log 2:") && text.contains("NOT SOUND"), "{text}");
    assert_eq!(run(dir.path(), &["audit", "verify", "--expect", "abc"]).status.code(), Some(2));
}

#[tokio::test]
async fn a_pipe_that_is_closed_ends_it_quietly_and_a_missing_ledger_is_named() {
    let dir = ledger().await;
    let mut child = Command::new(COCKPIT)
        .args(["orders", "--json", "--state-dir"])
        .arg(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert!(child.wait().expect("ends").success() && said.is_empty(), "{said}");

    let empty = tempfile::tempdir().expect("a directory");
    let output = run(empty.path(), &["orders"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no ledger there yet"));
}
