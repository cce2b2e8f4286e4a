//! The desk's decisions, case by case; what the cases share is here too.

mod account;
mod compared;
mod depth;
mod ended;
mod folding;
mod health;
mod holes;
mod joined;
mod lasting;
mod letters;
mod limits;
mod looks;
mod markets;
mod money;
mod overbuy;
mod pieces;
mod recall;
mod restore;
mod risen;
mod risk;
mod sequences;
mod stake;
mod tries;
mod unknown;

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use rust_decimal::{Decimal, dec};

use super::*;
use crate::bus::{Entry, Origin as Writer, encode};
use crate::domain::*;
use crate::exec::Settings;
use crate::exec::bench::{market, rationale};
use crate::exec::portfolio::{correction, opening};
use crate::exec::venue::{Allowance, PostAnswer, SignError, SignedOrder, UserEvent, VenueError, VenueOrderStatus};
use crate::risk::checks::bench;
use crate::risk::{Approved, Limits};
use crate::store::ledger::{Known, Memory};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(20_000_000 + millis)
}

fn limits() -> Limits {
    Limits {
        order_size: Size(dec!(1000)),
        order_notional: Usd(dec!(1000)),
        price_collar: dec!(0.5),
        position_cap: Size(dec!(10000)),
        gross_exposure: Usd(dec!(10000)),
        daily_drawdown: Usd(dec!(50)),
        data_age: Duration::from_secs(30),
        ..bench::wide()
    }
}

fn book(now: Timestamp) -> Book {
    let level = |price| vec![Level { price: Price(price), size: Size(dec!(100)) }];
    Book {
        market: "0xm".into(),
        token: "1".into(),
        bids: level(dec!(0.48)),
        asks: level(dec!(0.50)),
        event_at: now,
        received_at: now,
        heard_at: None,
    }
}

fn intent(name: &str, tif: TimeInForce) -> OrderIntent {
    OrderIntent {
        intent: name.into(),
        strategy: "momentum".into(),
        market: "0xm".into(),
        slug: "btc-updown-5m-0".into(),
        token: "1".into(),
        outcome: "Up".into(),
        side: Side::Buy,
        price: Price(dec!(0.50)),
        size: Size(dec!(10)),
        tif,
        post_only: false,
        tick_received_at: at(0),
        created_at: at(0),
        deadline: at(2_000),
        rest_until: at(10_000),
        epoch: 1,
        attempt: 1,
    }
}

fn entry(n: u64, intent: OrderIntent) -> Entry {
    let body = SignalEntry { intent, rationale: rationale(), checks: Vec::new(), doubt: None };
    let payload = encode(&Writer::new("athena", "b").wrap(body, at(0))).expect("encodes");
    Entry { id: EntryId { millis: n, index: 0 }, payload, deliveries: 1 }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a signer")]
fn sign(approved: &Approved<OrderIntent>, _market: &Market) -> Result<Signed, SignError> {
    let (intent, attempt) = (&approved.inner().intent, approved.inner().attempt);
    let id = if attempt == 1 { format!("0x{intent}") } else { format!("0x{intent}#{attempt}") };
    let order = SignedOrder::new(
        approved,
        OrderId::new(id),
        approved.inner().size,
        Bytes::from_static(b"body"),
        "digest".into(),
    );
    Ok(Signed { order, begun: at(2), done: at(2) })
}

fn latch(epoch: u64, state: KillState) -> KillLatch {
    KillLatch { epoch, state, by: "t".into(), why: "w".into(), at: at(0) }
}

/// A desk as the ledger has it, with a million pUSD that nobody limits, unless the ledger knows better.
fn restored(mut memory: Memory) -> (Desk, Step) {
    if memory.corrections.is_empty() {
        memory.corrections.push(opening(Asset::Usd, "account".into(), (dec!(1_000_000), Usd::ZERO), at(0)));
    }
    let (mut desk, step) = restored_as_it_is(memory);
    desk.purse.counted(&[unbounded()]);
    (desk, step)
}

fn unbounded() -> Allowance {
    Allowance { spender: "exchange".into(), amount: None }
}

fn restored_as_it_is(memory: Memory) -> (Desk, Step) {
    restored_under(latch(1, KillState::Armed), memory, at(0))
}

fn restored_under(latch: KillLatch, memory: Memory, now: Timestamp) -> (Desk, Step) {
    let settings = Settings {
        mode: Mode::Sim,
        state_dir: "/nowhere".into(),
        reconcile_every: Duration::from_secs(30),
        heartbeat_every: Duration::from_secs(5),
        claim_after: Duration::from_secs(5),
        signals_kept: Duration::from_mins(1),
        dead_letters_kept: Duration::from_mins(1),
    };
    let origin = Origin { mode: Mode::Sim, boot: "boot".into(), takeover: false };
    let rules = Rules::of(&settings);
    Desk::restore(origin, RiskGate::new(limits()), rules, latch, memory, now).expect("restores")
}

/// A desk that has compared its books with an empty venue and knows the market.
fn desk() -> Desk {
    let (mut desk, _) = restored(Memory::default());
    ready(&mut desk);
    desk
}

/// The same before the first balance was taken over.
fn unopened() -> Desk {
    let (mut desk, _) = restored_as_it_is(Memory::default());
    ready(&mut desk);
    desk
}

fn ready(desk: &mut Desk) {
    desk.on_user_event(UserEvent::Connected, at(0));
    desk.on_tick(at(0));
    desk.on_snapshot(at(0), Ok(Snapshot::default()), at(1));
    desk.on_data(PolymarketData::Market(market()), at(1));
    desk.on_data(PolymarketData::Book(book(at(1))), at(1));
}

fn key(name: &str) -> Key {
    (name.into(), 1)
}

fn state(desk: &Desk, name: &str) -> OrderState {
    desk.orders[&key(name)].state()
}

fn posts(step: &Step) -> Vec<Key> {
    step.effects().filter_map(|effect| if let Effect::Post(key) = effect { Some(key.clone()) } else { None }).collect()
}

fn acks(step: &Step) -> usize {
    step.effects().filter(|effect| matches!(effect, Effect::Ack(_))).count()
}

fn lookups(step: &Step) -> usize {
    step.effects().filter(|effect| matches!(effect, Effect::Lookup { .. })).count()
}

fn denials(step: &Step) -> Vec<String> {
    let denial = |effect: &Effect| match effect {
        Effect::Emit(event) => match event.as_ref() {
            TradeEvent::Denied { denial, rationale, .. } => {
                assert_eq!(rationale.as_ref(), Some(&self::rationale()), "why it was wanted is told as well");
                Some(denial.to_string())
            }
            _ => None,
        },
        _ => None,
    };
    step.effects().filter_map(denial).collect()
}

fn letters(step: &Step) -> Vec<DeadLetterReason> {
    let reason = |effect: &Effect| if let Effect::DeadLetter(letter) = effect { Some(letter.reason) } else { None };
    step.effects().filter_map(reason).collect()
}

fn mismatches(step: &Step) -> usize {
    let is = |effect: &&Effect| matches!(effect, Effect::Emit(event) if matches!(**event, TradeEvent::Mismatch(_)));
    step.effects().filter(is).count()
}

fn venue_order(name: &str, status: VenueOrderStatus, matched: Option<Decimal>) -> VenueOrder {
    VenueOrder {
        order: OrderId::new(format!("0x{name}")),
        status,
        status_text: "X".into(),
        market: "0xm".into(),
        token: "1".into(),
        outcome: "Up".into(),
        side: Side::Buy,
        price: Price(dec!(0.50)),
        size: Size(dec!(10)),
        matched: matched.map(Size),
    }
}

fn venue_fill(name: &str, trade: &str, size: Decimal, status: FillStatus) -> VenueFill {
    VenueFill {
        met: Vec::new(),
        trade: trade.into(),
        order: OrderId::new(format!("0x{name}")),
        market: "0xm".into(),
        token: "1".into(),
        outcome: "Up".into(),
        side: Side::Buy,
        size: Size(size),
        price: Price(dec!(0.50)),
        role: Role::Taker,
        status,
        matched_at: at(100),
    }
}

/// Takes an intent and lets its POST begin.
fn sent(desk: &mut Desk, name: &str, tif: TimeInForce) {
    let step = desk.on_entry(&entry(desk.orders.len() as u64 + 1, intent(name, tif)), &sign, at(2));
    assert_eq!(posts(&step), [key(name)]);
    desk.clear_to_send(&key(name), at(3)).expect("clear to send");
}

fn answered(desk: &mut Desk, name: &str, answer: PostAnswer, now: i64) -> Step {
    desk.on_posted(&key(name), answer, Some(at(4)), at(now))
}

fn accepted() -> PostAnswer {
    PostAnswer::Accepted { status: "live".into(), trades: Vec::new() }
}

fn unknown() -> PostAnswer {
    PostAnswer::Unknown { reason: "timeout".into() }
}

#[expect(clippy::unnecessary_wraps, reason = "what a lookup gives")]
fn absent() -> Result<Lookup, VenueError> {
    Ok(Lookup { order: None, fills: Vec::new() })
}

#[test]
fn identity_is_durable_before_the_post_and_the_ack_follows_the_answer() {
    let mut desk = desk();
    let step = desk.on_entry(&entry(1, intent("a", TimeInForce::Gtc)), &sign, at(2));
    assert!(step.urgent.is_empty(), "nothing leaves before the commit");
    assert!(matches!(step.writes[0], Write::Inbox(_)));
    let row = step.writes.iter().find_map(|write| if let Write::Order { row, .. } = write { Some(row) } else { None });
    let row = row.expect("the order is written");
    assert_eq!((row.order.state, row.digest.as_deref()), (OrderState::Signed, Some("digest")));
    assert_eq!(row.order.order, Some("0xa".into()));
    assert_eq!((posts(&step).len(), acks(&step)), (1, 0));
    desk.clear_to_send(&key("a"), at(3)).expect("clear");
    assert_eq!(state(&desk, "a"), OrderState::Sent);
    let step = answered(&mut desk, "a", accepted(), 5);
    assert_eq!((state(&desk, "a"), acks(&step)), (OrderState::Live, 1));
    assert_eq!((desk.counts.sent, desk.counts.accepted, desk.counts.open), (1, 1, 1));
    let shown = desk.snapshot(KillReport::idle(latch(1, KillState::Armed)), 0, at(6));
    assert!(shown.tick_to_order.p50.is_some_and(|micros| micros.abs_diff(4_000) <= 4), "{:?}", shown.tick_to_order);
}

#[test]
fn a_second_delivery_is_not_executed_again() {
    let mut desk = desk();
    let first = entry(1, intent("a", TimeInForce::Gtc));
    desk.on_entry(&first, &sign, at(2));
    let again = desk.on_entry(&first, &sign, at(2));
    assert!(again.writes.is_empty() && again.effects().count() == 0, "in hand: its ack comes with its answer");
    let other = Entry { id: EntryId { millis: 9, index: 9 }, ..first };
    let step = desk.on_entry(&other, &sign, at(2));
    assert_eq!((posts(&step).len(), acks(&step), step.writes.len()), (0, 1, 0));
}

#[test]
fn an_intent_that_another_run_took_is_forgotten_and_acknowledged() {
    let mut desk = desk();
    let entry = entry(1, intent("a", TimeInForce::Gtc));
    desk.on_entry(&entry, &sign, at(2));
    let step = desk.on_taken_before(&entry);
    assert_eq!(acks(&step), 1);
    assert!(desk.clear_to_send(&key("a"), at(3)).is_err());
    assert_eq!((desk.sending(), desk.orders.len(), desk.index.len()), (0, 0, 0));
}

#[test]
fn what_may_not_be_executed_goes_to_the_dead_letters_and_the_line_moves() {
    use DeadLetterReason as R;
    let mut desk = desk();
    let mut case = |entry: Entry, now: i64, reason: R| {
        let step = desk.on_entry(&entry, &sign, at(now));
        assert_eq!((letters(&step), acks(&step), posts(&step).len()), (vec![reason], 1, 0), "{reason:?}");
        assert!(step.writes.iter().any(|write| matches!(write, Write::DeadLetter(_))), "durable");
        denials(&step)
    };
    let good = || intent("a", TimeInForce::Gtc);
    let raw =
        |text: &'static str| Entry { id: EntryId::START, payload: Bytes::from_static(text.as_bytes()), deliveries: 1 };
    assert!(case(raw("{\"nonsense\":true}"), 2, R::Malformed).is_empty());
    assert!(case(raw(""), 2, R::Trimmed).is_empty());
    let told = case(entry(2, OrderIntent { epoch: 0, ..good() }), 2, R::StaleEpoch);
    assert_eq!(told, ["arm_epoch: epoch 0 (limit epoch 1)"]);
    let told = case(entry(3, good()), 2_001, R::Expired);
    assert_eq!(told, ["deadline: 2.001 s after its tick (limit 2.000 s)"]);
    let told = case(entry(4, OrderIntent { market: "0xother".into(), ..good() }), 2, R::UnknownMarket);
    assert_eq!(told, ["market: market 0xother is not known (limit a known market)"]);
    let refuse = |_: &Approved<OrderIntent>, _: &Market| Err(SignError::Signer("no key".into()));
    let step = desk.on_entry(&entry(5, good()), &refuse, at(2));
    assert_eq!((letters(&step), acks(&step)), (vec![R::Unsignable], 1));
    desk.on_latch(latch(1, KillState::Killed), at(2));
    let step = desk.on_entry(&entry(6, good()), &sign, at(2));
    assert_eq!((letters(&step), acks(&step)), (vec![R::Killed], 1));
    let told = denials(&step).join("; ");
    assert!(told.starts_with("trading_state: killed by ") && told.ends_with("(limit active)"), "{told}");
}

#[test]
fn a_kill_between_commit_and_post_stops_the_post() {
    let mut desk = desk();
    desk.on_entry(&entry(1, intent("a", TimeInForce::Gtc)), &sign, at(2));
    desk.on_latch(latch(1, KillState::Killed), at(3));
    let step = desk.clear_to_send(&key("a"), at(3)).expect_err("killed");
    assert_eq!(
        (state(&desk, "a"), letters(&step), acks(&step)),
        (OrderState::Denied, vec![DeadLetterReason::Killed], 1)
    );
    assert_eq!(denials(&step).len(), 1, "told as what it is: {:?}", denials(&step));
    assert_eq!(desk.counts.sent, 0);
}

#[test]
fn a_transient_answer_is_retried_after_a_lookup_and_given_up_at_the_deadline() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    let busy = || PostAnswer::Transient { code: TransientCode::Restarting, reason: "425".into(), retry_after: None };
    let step = answered(&mut desk, "a", busy(), 5);
    assert_eq!(acks(&step), 0, "still in hand");
    assert!(posts(&desk.on_tick(at(20))).is_empty(), "backs off");
    assert!(posts(&desk.on_tick(at(1_000))).is_empty(), "a restart is given a second at least");
    let step = desk.on_tick(at(1_300));
    assert_eq!((lookups(&step), posts(&step).len()), (1, 0), "asks before it sends again");
    let step = desk.on_lookup(&"0xa".into(), at(1_300), absent(), at(1_310));
    assert_eq!(posts(&step), [key("a")]);
    let (signed, _) = desk.clear_to_send(&key("a"), at(1_311)).expect("clear");
    assert_eq!(signed.body().as_ref(), b"body", "identical bytes");
    let step = desk.on_posted(
        &key("a"),
        PostAnswer::Transient {
            code: TransientCode::RateLimited,
            reason: "429".into(),
            retry_after: Some(Duration::from_secs(9)),
        },
        Some(at(1_312)),
        at(1_313),
    );
    assert_eq!((letters(&step), acks(&step)), (vec![], 0), "what was sent is looked up first, at its deadline");
    let step = desk.on_tick(at(2_001));
    assert_eq!((lookups(&step), letters(&step)), (1, vec![]));
    let step = desk.on_lookup(&"0xa".into(), at(2_001), absent(), at(2_010));
    assert_eq!((letters(&step), acks(&step)), (vec![DeadLetterReason::Exhausted], 1));
    assert_eq!(state(&desk, "a"), OrderState::Expired);
}

#[test]
fn a_rejected_order_is_a_dead_letter() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    let step = answered(
        &mut desk,
        "a",
        PostAnswer::Rejected { code: RejectCode::Balance, reason: "not enough balance".into() },
        5,
    );
    assert_eq!(
        (state(&desk, "a"), letters(&step), acks(&step)),
        (OrderState::Rejected, vec![DeadLetterReason::Balance], 1)
    );
    assert_eq!((desk.counts.rejected, desk.counts.open), (1, 0));
}

#[test]
fn an_unknown_outcome_reserves_until_evidence_and_is_found() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    let step = answered(&mut desk, "a", unknown(), 5);
    assert_eq!((state(&desk, "a"), acks(&step), lookups(&step)), (OrderState::Unknown, 1, 1));
    assert_eq!(desk.holdings(None).gross(), Usd(dec!(5.175)), "full size stays reserved");
    let seen = venue_order("a", VenueOrderStatus::Live, Some(dec!(4)));
    let fills = vec![venue_fill("a", "t1", dec!(4), FillStatus::Matched)];
    desk.on_lookup(&"0xa".into(), at(6), Ok(Lookup { order: Some(seen), fills }), at(7));
    assert_eq!(state(&desk, "a"), OrderState::PartiallyFilled);
    assert_eq!(desk.portfolio.position(&"1".into()).expect("held").size, Size(dec!(4)));
    assert_eq!(desk.counts.unknown, 0);
}

#[test]
fn only_three_absences_and_the_late_window_prove_that_an_order_never_arrived() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", unknown(), 0);
    for begun in [0, 2_000, 4_000, 6_000, 19_999] {
        desk.on_tick(at(begun));
        let step = desk.on_lookup(&"0xa".into(), at(begun), absent(), at(begun));
        assert_eq!((state(&desk, "a"), letters(&step).len()), (OrderState::Unknown, 0), "at {begun}");
    }
    let step = desk.on_lookup(&"0xa".into(), at(20_000), Err(VenueError::Unreachable("x".into())), at(20_001));
    assert_eq!((state(&desk, "a"), letters(&step).len()), (OrderState::Unknown, 0), "an error is no evidence");
    let step = desk.on_lookup(&"0xa".into(), at(22_000), absent(), at(22_001));
    assert_eq!((state(&desk, "a"), letters(&step)), (OrderState::Rejected, vec![DeadLetterReason::NeverArrived]));
}

#[test]
fn a_fill_of_an_absent_order_is_evidence_that_it_arrived() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Fok);
    answered(&mut desk, "a", unknown(), 0);
    let fills = vec![venue_fill("a", "t1", dec!(10), FillStatus::Matched)];
    let step = desk.on_lookup(&"0xa".into(), at(30_000), Ok(Lookup { order: None, fills }), at(30_001));
    assert_eq!((state(&desk, "a"), letters(&step).len()), (OrderState::Filled, 0));
}

#[test]
fn a_duplicate_is_looked_up_and_an_id_that_is_not_ours_kills() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    let step = answered(&mut desk, "a", PostAnswer::Duplicate, 5);
    assert_eq!((lookups(&step), letters(&step).len()), (1, 0));
    sent(&mut desk, "b", TimeInForce::Gtc);
    let step = answered(&mut desk, "b", PostAnswer::ForeignId { got: "0xzz".into() }, 6);
    assert!(step.urgent.iter().any(|effect| matches!(effect, Effect::Kill(_))));
    assert_eq!((state(&desk, "b"), mismatches(&step)), (OrderState::Unknown, 1));
}

#[test]
fn what_rests_too_long_is_cancelled_and_a_fill_wins_the_race() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    let cancels = |step: &Step| step.urgent.iter().filter(|effect| matches!(effect, Effect::Cancel(_))).count();
    assert_eq!(cancels(&desk.on_tick(at(9_999))), 0);
    assert_eq!(cancels(&desk.on_tick(at(10_000))), 1);
    assert_eq!(state(&desk, "a"), OrderState::CancelPending);
    let refused = CancelAnswerOf::not("0xa", "already matched");
    let step = desk.on_cancelled(&["0xa".into()], &Ok(refused), at(10_100));
    assert_eq!((lookups(&step), state(&desk, "a")), (1, OrderState::CancelPending), "only evidence ends it");
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Cancelled, None)), at(10_200));
    assert_eq!(state(&desk, "a"), OrderState::Cancelled);
    desk.on_user_event(UserEvent::Fill(venue_fill("a", "t1", dec!(10), FillStatus::Matched)), at(10_300));
    assert_eq!(state(&desk, "a"), OrderState::Filled);
    assert_eq!((desk.counts.filled, desk.counts.cancelled, desk.counts.open), (1, 0, 0));
}

struct CancelAnswerOf;
impl CancelAnswerOf {
    fn not(order: &str, why: &str) -> crate::exec::venue::CancelAnswer {
        crate::exec::venue::CancelAnswer { cancelled: Vec::new(), not_cancelled: vec![(order.into(), why.into())] }
    }
}

#[test]
fn an_order_that_is_not_ours_is_adopted_shown_counted_and_reserved() {
    let mut desk = desk();
    desk.reconcile_now(at(10));
    desk.on_tick(at(10));
    let orders = vec![venue_order("manual", VenueOrderStatus::Live, None)];
    desk.on_snapshot(at(10), Ok(Snapshot { orders, ..Snapshot::default() }), at(20));
    assert_eq!(desk.trading_state(at(20)), TradingState::Halted, "the ledger may know it");
    let step = desk.on_recalled(&"0xmanual".into(), Ok(Known::default()), at(20));
    assert_eq!((mismatches(&step), desk.trading_state(at(20))), (1, TradingState::Active));
    let shown = desk.snapshot(KillReport::idle(latch(1, KillState::Armed)), 0, at(20));
    assert_eq!((shown.orders.open, shown.orders.sent, shown.recent_orders.len()), (1, 0, 1));
    let foreign = |order: &Order| (order.intent.is_adopted(), order.reason.clone());
    assert_eq!(foreign(&shown.recent_orders[0]), (true, Some("not placed by this desk".into())));
    let told = step.effects().find_map(|effect| match effect {
        Effect::Emit(event) => {
            if let TradeEvent::Order(order) = &**event {
                Some(foreign(order))
            } else {
                None
            }
        }
        _ => None,
    });
    assert_eq!(told, Some((true, Some("not placed by this desk".into()))));
    assert_eq!(shown.exposure.gross, Usd(dec!(5.175)));
    desk.on_user_event(UserEvent::Order(venue_order("manual", VenueOrderStatus::Cancelled, None)), at(30));
    assert_eq!(desk.counts.open, 0);
}

#[test]
fn after_a_crash_what_may_have_been_sent_is_searched_and_never_sent_again() {
    let mut before = desk();
    let step = before.on_entry(&entry(1, intent("a", TimeInForce::Gtc)), &sign, at(2));
    let row = step
        .writes
        .iter()
        .find_map(|write| if let Write::Order { row, .. } = write { Some(*row.clone()) } else { None });
    let orders = vec![row.expect("written")];
    let (mut desk, step) = restored(Memory { orders, ..Memory::default() });
    assert_eq!((state(&desk, "a"), posts(&step).len()), (OrderState::Unknown, 0));
    ready(&mut desk);
    let step = desk.on_tick(at(60_000));
    assert!(posts(&step).is_empty());
    let redelivered = desk.on_entry(&entry(1, intent("a", TimeInForce::Gtc)), &sign, at(2));
    assert_eq!((posts(&redelivered).len(), acks(&redelivered)), (0, 1));
    let seen = venue_order("a", VenueOrderStatus::Live, None);
    desk.on_lookup(&"0xa".into(), at(60_000), Ok(Lookup { order: Some(seen), fills: Vec::new() }), at(60_001));
    assert_eq!((state(&desk, "a"), desk.counts.sent, desk.counts.accepted), (OrderState::Live, 1, 1));
}
