//! Things to be written down.

use cockpit::domain::*;
use cockpit::store::ledger::{InboxRow, OrderRow, Write};
use rust_decimal::{Decimal, dec};

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(crate) fn order(n: u32, state: OrderState) -> OrderRow {
    let intent = OrderIntent {
        intent: IntentId::new(format!("i{n}")),
        strategy: "momentum".into(),
        market: "0xm".into(),
        slug: "btc".into(),
        token: "1".into(),
        outcome: "Up".into(),
        side: Side::Buy,
        price: Price(dec!(0.5)),
        size: Size(dec!(10)),
        tif: TimeInForce::Gtc,
        post_only: false,
        tick_received_at: at(1),
        created_at: at(i64::from(n)),
        deadline: at(100),
        rest_until: at(200),
        epoch: 1,
        attempt: 1,
    };
    let mut order = Order::new(intent, at(2));
    order.state = state;
    order.order = Some(OrderId::new(format!("0x{n}")));
    if state != OrderState::Denied {
        order.times.sent_at = Some(at(3));
    }
    OrderRow {
        order,
        digest: Some("d".into()),
        accepted: state == OrderState::Live,
        adopted: false,
        posts: 0,
        first_error: None,
        shares: None,
        token: 0,
    }
}

pub(crate) fn put(row: &OrderRow) -> Write {
    Write::Order { row: Box::new(row.clone()), what: "test", at: at(5) }
}

pub(crate) fn inbox(n: u32, entry: &str, boot: &str) -> Write {
    Write::Inbox(InboxRow {
        intent: IntentId::new(format!("i{n}")),
        attempt: 1,
        entry: entry.into(),
        boot: boot.into(),
        payload: "{}".into(),
        at: at(1),
    })
}

pub(crate) fn fill(n: u32, status: FillStatus) -> Fill {
    Fill {
        trade: TradeId::new(format!("t{n}")),
        order: OrderId::new(format!("0x{n}")),
        strategy: Some("momentum".into()),
        market: "0xm".into(),
        token: "1".into(),
        outcome: "Up".into(),
        side: Side::Buy,
        size: Size(dec!(10)),
        price: Price(dec!(0.5)),
        fee: Usd(dec!(0.1)),
        role: Role::Taker,
        status,
        matched_at: at(i64::from(n)),
    }
}

pub(crate) fn a_market() -> Market {
    let outcome = |token: &str, outcome: &str| OutcomeToken { token: token.into(), outcome: outcome.into() };
    Market {
        slug: "btc".into(),
        market: "0xm".into(),
        tokens: [outcome("1", "Up"), outcome("2", "Down")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee: FeeSchedule { rate: dec!(0.07), exponent: 1 },
        opens_at: None,
        closes_at: None,
        accepting_orders: true,
        payouts: None,
        question: None,
        group: None,
    }
}

pub(crate) fn seen(fill: &Fill) -> Write {
    Write::Fill { fill: Box::new(fill.clone()), at: at(6) }
}

fn posting(account: Account, asset: Asset, amount: Decimal) -> Posting {
    Posting { account, asset, amount }
}

pub(crate) fn journal(n: u32) -> Journal {
    let token = || Asset::Token("1".into());
    let ours = Account::Position(Some("momentum".into()));
    Journal {
        id: format!("t{n}/0x{n}/fill"),
        kind: JournalKind::Fill,
        at: at(i64::from(n)),
        market: "0xm".into(),
        trade: Some(TradeId::new(format!("t{n}"))),
        order: Some(OrderId::new(format!("0x{n}"))),
        reverses: None,
        postings: vec![
            posting(ours, token(), dec!(10)),
            posting(Account::Venue, token(), dec!(-10)),
            posting(Account::Cash, Asset::Usd, dec!(-5.1)),
            posting(Account::Venue, Asset::Usd, dec!(5)),
            posting(Account::Fees, Asset::Usd, dec!(0.1)),
        ],
        note: None,
    }
}

pub(crate) fn correction(amount: Decimal) -> Journal {
    Journal {
        id: "correction/usd/1".into(),
        kind: JournalKind::Correction,
        trade: None,
        order: None,
        postings: vec![posting(Account::Cash, Asset::Usd, amount), posting(Account::Venue, Asset::Usd, -amount)],
        note: Some("the venue's balance".into()),
        ..journal(0)
    }
}

pub(crate) fn book(journal: &Journal) -> Write {
    Write::Journal(Box::new(journal.clone()))
}

pub(crate) fn letter(n: u32) -> DeadLetter {
    let reason = DeadLetterReason::StaleEpoch;
    let entry = format!("{n}-0");
    DeadLetter {
        id: DeadLetter::id_of(&entry, reason),
        entry,
        intent: Some(IntentId::new(format!("i{n}"))),
        attempt: 1,
        reason,
        first_error: "epoch 1 is over".into(),
        last_error: "epoch 1 is over".into(),
        original: "{}".into(),
        posts: 0,
        first_at: at(1),
        last_at: at(1),
        build: "0.1.0".into(),
        state: DeadLetterState::Waiting,
    }
}

pub(crate) fn bury(letter: &DeadLetter) -> Write {
    Write::DeadLetter(Box::new(letter.clone()))
}

pub(crate) fn command(n: u32) -> Write {
    let action = Action::Arm { why: "a new day".into() };
    let command =
        Command { id: format!("c{n}"), actor: "cli:alice".into(), issued_at: at(1), expires_at: at(60), action };
    Write::Command { command: Box::new(command), verdict: AckVerdict::Applied, epoch: 2, at: at(2) }
}

pub(crate) fn latch(epoch: u64, state: KillState) -> KillLatch {
    KillLatch { epoch, state, by: "t".into(), why: "w".into(), at: at(9) }
}

pub(crate) fn alert() -> Alert {
    Alert {
        control: Control::DailyLoss,
        subject: "account".into(),
        level: 80,
        value: dec!(120),
        limit: dec!(150),
        unit: "pUSD".into(),
        at: at(5),
    }
}

/// The book of the limits with so many versions.
pub(crate) fn limits(versions: u64) -> Write {
    let version = |version| ParamVersion {
        strategy: cockpit::domain::params::RISK.into(),
        version,
        values: std::collections::BTreeMap::from([("open_orders".to_owned(), version.to_string())]),
        changed: Vec::new(),
        by: "cli:alice".into(),
        why: "calmer".into(),
        at: at(6),
        command: None,
    };
    let file = std::collections::BTreeMap::new();
    let versions = (1..=versions).map(version).collect();
    Write::Params(Box::new(ParamBook {
        strategy: cockpit::domain::params::RISK.into(),
        table: Vec::new(),
        file,
        versions,
    }))
}
