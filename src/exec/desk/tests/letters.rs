//! Dead letters and what a person does about them; retries by class; the circuit breaker at work.

use super::restore::Paper;
use super::*;

fn rejected(code: RejectCode) -> PostAnswer {
    PostAnswer::Rejected { code, reason: code.to_string() }
}

fn transient(code: TransientCode, after: Option<Duration>) -> PostAnswer {
    PostAnswer::Transient { code, reason: code.to_string(), retry_after: after }
}

/// Buries `name` as `code`; gives the letter's id.
fn buried(desk: &mut Desk, name: &str, code: RejectCode) -> String {
    sent(desk, name, TimeInForce::Gtc);
    let step = answered(desk, name, rejected(code), 5);
    let id = step.effects().find_map(|effect| match effect {
        Effect::DeadLetter(letter) => Some(letter.id.clone()),
        _ => None,
    });
    id.expect("a dead letter")
}

fn refusal(result: Result<Step, Vec<String>>) -> String {
    result.expect_err("refused").join("; ")
}

fn shown(desk: &Desk) -> HermesState {
    desk.snapshot(KillReport::idle(latch(1, KillState::Armed)), 0, at(50))
}

/// Under what a refusal is buried. A new code does not compile without a row.
const fn reason(code: RejectCode) -> DeadLetterReason {
    use DeadLetterReason as R;
    match code {
        RejectCode::Balance => R::Balance,
        RejectCode::Allowance => R::Allowance,
        RejectCode::Tick => R::Tick,
        RejectCode::MinSize | RejectCode::Precision => R::Size,
        RejectCode::MarketUnknown | RejectCode::MarketNotAccepting => R::MarketClosed,
        RejectCode::Banned
        | RejectCode::ClosedOnly
        | RejectCode::MakerNotAllowed
        | RejectCode::Unauthorized
        | RejectCode::Forbidden => R::Banned,
        RejectCode::Expiration
        | RejectCode::PostOnlyCrosses
        | RejectCode::NotFilled
        | RejectCode::Malformed
        | RejectCode::Signature
        | RejectCode::Version
        | RejectCode::Owner
        | RejectCode::Other => R::Rejected,
    }
}

/// Every code, as it reads itself.
fn codes() -> Vec<RejectCode> {
    let refused = serde_json::from_str::<RejectCode>("\"?\"").expect_err("no such code").to_string();
    let (_, list) = refused.split_once("expected one of ").expect("a list");
    list.split('`').skip(1).step_by(2).map(|name| serde_json::from_value(name.into()).expect("a code")).collect()
}

#[test]
fn a_refusal_is_buried_under_the_venues_code() {
    use DeadLetterReason as R;
    for code in codes() {
        let mut desk = desk();
        sent(&mut desk, "a", TimeInForce::Gtc);
        let step = answered(&mut desk, "a", rejected(code), 5);
        assert_eq!((letters(&step), acks(&step)), (vec![reason(code)], 1), "{code}: at once");
        let state = shown(&desk);
        let letter = &state.dead_letters[0];
        assert_eq!((state.dlq, letter.attempt, letter.posts), (1, 1, 1), "{code}");
        let said = code.to_string();
        assert_eq!((&letter.first_error, &letter.last_error), (&said, &said), "{code}");
        assert_eq!((letter.first_at, letter.last_at), (at(2), at(5)), "{code}");
        assert!(letter.build.starts_with(env!("CARGO_PKG_VERSION")), "{code}: {}", letter.build);
    }
    let mut desk = desk();
    let off_tick = |_: &Approved<OrderIntent>, _: &Market| {
        Err(SignError::OffTick { price: Price(dec!(0.505)), tick: Price(dec!(0.01)) })
    };
    let step = desk.on_entry(&entry(1, intent("a", TimeInForce::Gtc)), &off_tick, at(2));
    assert_eq!(letters(&step), [R::Tick]);
}

#[test]
fn a_retry_is_a_new_attempt_with_a_fresh_deadline_through_every_gate() {
    let mut desk = desk();
    let id = buried(&mut desk, "a", RejectCode::Balance);
    let step = desk.retry_dead_letter(&id, "cockpit:alice", &sign, at(1_000)).expect("tried again");
    let again: Key = ("a".into(), 2);
    assert_eq!(posts(&step), std::slice::from_ref(&again));
    assert!(matches!(&step.writes[0], Write::Inbox(row) if row.attempt == 2 && row.entry == format!("dlq:{id}")));
    let order = &desk.orders[&again].row.order;
    assert_eq!((order.order.clone(), order.intent.created_at), (Some("0xa#2".into()), at(1_000)));
    assert_eq!((order.intent.deadline, order.intent.rest_until), (at(3_000), at(11_000)), "as long as before");
    let letter = &shown(&desk).dead_letters[0];
    let retried = DeadLetterState::Retried { attempt: 2, by: "cockpit:alice".into(), at: at(1_000) };
    assert_eq!((letter.state.clone(), shown(&desk).dlq), (retried, 0));
    assert!(
        step.writes.iter().any(|write| matches!(write, Write::DeadLetterState { id: known, .. } if *known == id)),
        "durable"
    );
    assert!(refusal(desk.retry_dead_letter(&id, "bob", &sign, at(1_001))).contains("alice"), "only once");

    desk.clear_to_send(&again, at(1_002)).expect("clear");
    let step = desk.on_posted(&again, rejected(RejectCode::Balance), Some(at(1_002)), at(1_003));
    assert_eq!(letters(&step), [DeadLetterReason::Balance]);
    let second = shown(&desk).dead_letters[0].clone();
    assert_eq!((second.attempt, shown(&desk).dlq), (2, 1));
    let step = desk.retry_dead_letter(&second.id, "alice", &sign, at(1_010)).expect("a third time");
    assert_eq!(posts(&step), [("a".into(), 3)]);
}

#[test]
fn a_retry_is_refused_with_the_reason_and_the_letter_stays() {
    let mut desk = desk();
    assert!(refusal(desk.retry_dead_letter("nothing", "a", &sign, at(9))).contains("there is no dead letter"));
    let raw = Entry { id: EntryId { millis: 77, index: 0 }, payload: Bytes::from_static(b"{"), deliveries: 1 };
    desk.on_entry(&raw, &sign, at(2));
    assert!(refusal(desk.retry_dead_letter("77-0.malformed", "a", &sign, at(9))).contains("never"));
    let id = buried(&mut desk, "a", RejectCode::Other);

    desk.on_latch(latch(1, KillState::Killed), at(10));
    assert!(refusal(desk.retry_dead_letter(&id, "a", &sign, at(11))).contains("killed"));
    desk.on_latch(latch(2, KillState::Armed), at(12));
    desk.health.user = Some("socket down".into());
    assert!(refusal(desk.retry_dead_letter(&id, "a", &sign, at(13))).contains("socket down"));
    desk.health.user = None;
    desk.on_data(PolymarketData::Book(Book { asks: Vec::new(), bids: Vec::new(), ..book(at(14)) }), at(14));
    assert!(refusal(desk.retry_dead_letter(&id, "a", &sign, at(15))).contains("denied: price_collar"));
    desk.on_data(PolymarketData::Book(book(at(16))), at(16));
    let broken = |_: &Approved<OrderIntent>, _: &Market| Err(SignError::Signer("no key".into()));
    assert!(refusal(desk.retry_dead_letter(&id, "a", &broken, at(17))).contains("no key"));

    let state = shown(&desk);
    assert_eq!((state.dlq, desk.orders.len()), (2, 1), "still waiting, no attempt was made");
    let step = desk.retry_dead_letter(&id, "a", &sign, at(18)).expect("now");
    let epoch = desk.orders[&("a".into(), 2)].row.order.intent.epoch;
    assert_eq!((posts(&step).len(), epoch), (1, 2), "in the present epoch");
}

#[test]
fn a_retry_is_refused_while_the_earlier_attempt_may_live() {
    let mut desk = desk();
    let id = buried(&mut desk, "a", RejectCode::Other);
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Live, None)), at(20));
    assert!(refusal(desk.retry_dead_letter(&id, "a", &sign, at(21))).contains("not proven dead"));
    assert_eq!(desk.holdings(None).gross(), Usd(dec!(5.175)), "at stake while it lives");
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Cancelled, None)), at(22));
    assert_eq!(desk.holdings(None).gross(), Usd::ZERO);
    desk.retry_dead_letter(&id, "a", &sign, at(23)).expect("dead now");

    let id = buried(&mut desk, "b", RejectCode::Other);
    desk.on_user_event(UserEvent::Fill(venue_fill("b", "t1", dec!(3), FillStatus::Matched)), at(30));
    assert!(refusal(desk.retry_dead_letter(&id, "a", &sign, at(31))).contains("not proven dead"));
}

#[test]
fn a_dropped_letter_is_done_with() {
    let mut desk = desk();
    let id = buried(&mut desk, "a", RejectCode::Other);
    let step = desk.drop_dead_letter(&id, "alice", "stale", at(9)).expect("dropped");
    assert!(matches!(&step.writes[..], [Write::DeadLetterState { .. }]));
    assert_eq!(shown(&desk).dlq, 0);
    assert!(refusal(desk.drop_dead_letter(&id, "bob", "x", at(10))).contains("alice dropped it"));
    assert!(refusal(desk.retry_dead_letter(&id, "bob", &sign, at(10))).contains("alice dropped it"));
}

#[test]
fn a_letter_that_is_too_old_to_be_in_memory_is_dealt_with_once_the_ledger_tells_it() {
    let mut desk = desk();
    let id = buried(&mut desk, "a", RejectCode::Other);
    let old = shown(&desk).dead_letters.first().expect("a letter").clone();
    for n in 1..=crate::exec::desk::letters::KEPT as u64 {
        desk.on_entry(&entry(n, intent(&format!("i{n}"), TimeInForce::Gtc)), &sign, at(2_001));
    }
    assert!(
        !desk.has_letter(&id) && refusal(desk.drop_dead_letter(&id, "alice", "old", at(2_002))).contains("no dead")
    );
    let waiting = shown(&desk).dlq;
    desk.recall_letter(old.clone());
    assert!(desk.has_letter(&id));
    let step = desk.drop_dead_letter(&id, "alice", "old", at(2_003)).expect("dropped");
    assert!(matches!(&step.writes[..], [Write::DeadLetterState { .. }]));
    assert_eq!(shown(&desk).dlq, waiting - 1);
    desk.recall_letter(old);
    assert!(
        refusal(desk.retry_dead_letter(&id, "bob", &sign, at(2_004))).contains("alice dropped it"),
        "not what the ledger said before"
    );
}

#[test]
fn the_newest_hundred_letters_are_shown_and_all_that_wait_are_counted() {
    let mut desk = desk();
    for n in 1..=150 {
        desk.on_entry(&entry(n, intent(&format!("i{n}"), TimeInForce::Gtc)), &sign, at(2_001));
    }
    let state = shown(&desk);
    assert_eq!((state.dlq, state.dead_letters.len()), (150, 100));
    assert_eq!(state.dead_letters[0].intent, Some("i150".into()));
    desk.on_entry(&entry(150, intent("i150", TimeInForce::Gtc)), &sign, at(2_001));
    assert_eq!(shown(&desk).dlq, 150, "the same letter again");
    desk.on_taken_before(&entry(150, intent("i150", TimeInForce::Gtc)));
    assert_eq!(shown(&desk).dlq, 149, "another run had it");
}

#[test]
fn a_window_for_post_only_orders_lets_those_through_and_buries_what_cannot_wait() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    let step = answered(&mut desk, "a", transient(TransientCode::PostOnlyMode, None), 5);
    assert_eq!(letters(&step), [], "not before it was looked up");
    let step = desk.on_entry(&entry(7, intent("b", TimeInForce::Gtc)), &sign, at(10));
    assert_eq!((letters(&step), posts(&step).len()), (vec![DeadLetterReason::Exhausted], 0), "without asking again");
    let patient = OrderIntent { deadline: at(200_000), ..intent("c", TimeInForce::Gtc) };
    desk.on_entry(&entry(8, patient), &sign, at(10));
    let step = desk.clear_to_send(&key("c"), at(11)).expect_err("waits");
    assert!(letters(&step).is_empty());
    let passive = OrderIntent { post_only: true, price: Price(dec!(0.48)), ..intent("d", TimeInForce::Gtc) };
    desk.on_entry(&entry(9, passive), &sign, at(12));
    desk.clear_to_send(&key("d"), at(13)).expect("allowed");
    desk.on_data(PolymarketData::Book(book(at(120_004))), at(120_004));
    desk.on_tick(at(119_000));
    desk.on_snapshot(at(119_000), Ok(Snapshot::default()), at(119_001));
    assert!(posts(&desk.on_tick(at(120_004))).is_empty());
    assert_eq!(posts(&desk.on_tick(at(120_005))), [key("c")], "two minutes after it was first told");
}

#[test]
fn a_rate_limit_or_maintenance_closes_the_gate_for_its_time_and_cancels_go_on() {
    let mut desk = desk();
    sent(&mut desk, "r", TimeInForce::Gtc);
    answered(&mut desk, "r", accepted(), 5);
    sent(&mut desk, "a", TimeInForce::Gtc);
    sent(&mut desk, "b", TimeInForce::Gtc);
    let step = answered(&mut desk, "a", transient(TransientCode::RateLimited, Some(Duration::from_secs(1))), 5);
    assert_eq!(acks(&step), 0, "inside its deadline");
    assert!(desk.trouble(at(1_004)).expect("closed").contains("rate_limited"));
    assert_eq!(desk.trouble(at(1_005)), None);
    answered(&mut desk, "b", transient(TransientCode::CancelOnly, Some(Duration::from_mins(1))), 1_006);
    assert!(desk.trouble(at(10_000)).expect("closed").contains("cancel_only"));
    let step = desk.on_tick(at(10_000));
    assert!(step.urgent.iter().any(|effect| matches!(effect, Effect::Cancel(_))));
}

#[test]
fn a_cancel_that_is_refused_for_now_is_asked_for_again_when_the_venue_says_but_within_ten_seconds() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    let cancels = |step: &Step| step.urgent.iter().filter(|effect| matches!(effect, Effect::Cancel(_))).count();
    assert_eq!(cancels(&desk.on_tick(at(10_000))), 1);
    let mut now = 10_000;
    for (retry_after, again) in [(None, 2_000), (Some(7), 7_000), (Some(90), 10_000)] {
        let retry_after = retry_after.map(Duration::from_secs);
        let refused = VenueError::Refused { status: 429, reason: "later".into(), retry_after };
        desk.on_cancelled(&["0xa".into()], &Err(refused), at(now));
        assert_eq!(cancels(&desk.on_tick(at(now + again - 1))), 0, "{retry_after:?}");
        now += again;
        assert_eq!(cancels(&desk.on_tick(at(now))), 1, "{retry_after:?}");
    }
}

#[test]
fn what_was_sent_is_not_given_up_before_a_lookup_that_does_not_find_it() {
    let mut desk = desk();
    let maintenance = || transient(TransientCode::CancelOnly, Some(Duration::from_mins(1)));
    for name in ["a", "b"] {
        sent(&mut desk, name, TimeInForce::Gtc);
    }
    for name in ["a", "b"] {
        let step = answered(&mut desk, name, maintenance(), 5);
        assert_eq!((letters(&step), acks(&step)), (vec![], 0));
    }
    assert_eq!(lookups(&desk.on_tick(at(2_000))), 0, "inside its deadline");
    assert_eq!(lookups(&desk.on_tick(at(2_001))), 2);
    assert_eq!(desk.holdings(None).gross(), Usd(dec!(10.35)), "reserved until it is proved");
    let unreadable = Err(VenueError::Unreachable("reset".into()));
    let step = desk.on_lookup(&"0xb".into(), at(2_001), unreadable, at(2_010));
    assert_eq!((letters(&step), acks(&step)), (vec![], 0), "no answer proves nothing");
    // The venue has taken one of them against its word.
    let found = Lookup { order: Some(venue_order("a", VenueOrderStatus::Live, None)), fills: Vec::new() };
    desk.on_lookup(&"0xa".into(), at(2_001), Ok(found), at(2_010));
    assert_eq!((state(&desk, "a"), shown(&desk).dlq), (OrderState::Live, 0));
    let step = desk.on_tick(at(4_010));
    assert_eq!((lookups(&step), posts(&step).len()), (1, 0), "asked again, not sent again");
    let step = desk.on_lookup(&"0xb".into(), at(4_010), absent(), at(4_020));
    assert_eq!((letters(&step), acks(&step)), (vec![DeadLetterReason::Exhausted], 1));
    let letter = &shown(&desk).dead_letters[0];
    assert_eq!((letter.last_error.as_str(), letter.posts), ("cancel_only", 1));
}

#[test]
fn what_was_sent_and_meets_a_kill_is_looked_up_before_it_is_buried() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", transient(TransientCode::Restarting, None), 5);
    let step = desk.on_latch(latch(1, KillState::Killed), at(10));
    assert_eq!((lookups(&step), letters(&step)), (1, vec![]));
    let step = desk.on_lookup(&"0xa".into(), at(10), absent(), at(20));
    assert_eq!((letters(&step), acks(&step), posts(&step).len()), (vec![DeadLetterReason::Killed], 1, 0));
}

#[test]
fn refusals_one_after_the_other_open_the_breaker_and_an_accepted_probe_closes_it() {
    let mut desk = desk();
    for n in 0..5 {
        buried(&mut desk, &format!("n{n}"), RejectCode::Balance);
    }
    let step = desk.on_entry(&entry(50, intent("x", TimeInForce::Gtc)), &sign, at(6));
    let denial = step.effects().find_map(|effect| match effect {
        Effect::Emit(event) => match &**event {
            TradeEvent::Denied { denial, checks, .. } => Some((denial.clone(), checks.clone())),
            _ => None,
        },
        _ => None,
    });
    let (denial, checks) = denial.expect("denied");
    let last = checks.last().expect("what was checked");
    assert_eq!((last.control, last.passed, &*last.value.to_string()), (denial.control, false, denial.value.as_str()));
    assert_eq!(
        (denial.control, denial.value.as_str()),
        (Control::CircuitBreaker, "5 refused as balance for the account's purchases")
    );
    assert!(denial.limit.contains("fewer than 5 in 60 s; open until"), "{}", denial.limit);
    assert_eq!((state(&desk, "x"), acks(&step)), (OrderState::Denied, 1));
    assert!(shown(&desk).trouble.expect("said").contains("circuit breaker"));

    desk.on_data(PolymarketData::Book(book(at(30_010))), at(30_010));
    let late = |name: &str| OrderIntent { deadline: at(40_000), ..intent(name, TimeInForce::Gtc) };
    let step = desk.on_entry(&entry(51, late("probe")), &sign, at(30_010));
    assert_eq!(posts(&step), [key("probe")]);
    assert!(posts(&desk.on_entry(&entry(52, late("second")), &sign, at(30_011))).is_empty(), "one probe at a time");
    desk.clear_to_send(&key("probe"), at(30_012)).expect("clear");
    desk.on_posted(&key("probe"), accepted(), Some(at(30_013)), at(30_014));
    assert_eq!(posts(&desk.on_entry(&entry(53, late("third")), &sign, at(30_015))), [key("third")]);
}

#[test]
fn an_account_that_may_only_close_stays_closed_although_an_order_on_its_way_was_taken() {
    for refused_first in [true, false] {
        let mut desk = desk();
        for name in ["a", "b"] {
            sent(&mut desk, name, TimeInForce::Gtc);
        }
        let refused = || PostAnswer::Rejected { code: RejectCode::ClosedOnly, reason: "closed only mode".into() };
        let mut answers = [("a", refused()), ("b", accepted())];
        if !refused_first {
            answers.reverse();
        }
        for (name, answer) in answers {
            desk.on_posted(&key(name), answer, Some(at(3)), at(5));
        }
        assert!(posts(&desk.on_entry(&entry(50, intent("c", TimeInForce::Gtc)), &sign, at(6))).is_empty());
        let reason = desk.orders[&key("c")].row.order.reason.clone().expect("denied");
        assert!(reason.contains("until a person arms"), "{reason}");
    }
}

/// A desk that holds ten shares of momentum's, and whose next order was refused for this, `times` times.
fn refused_with_shares(code: RejectCode, times: usize) -> Desk {
    let mut desk = desk();
    sent(&mut desk, "held", TimeInForce::Gtc);
    answered(&mut desk, "held", accepted(), 1);
    desk.on_user_event(UserEvent::Fill(venue_fill("held", "t1", dec!(10), FillStatus::Confirmed)), at(2));
    for n in 0..times {
        buried(&mut desk, &format!("n{n}"), code);
    }
    desk
}

#[test]
fn an_account_that_may_not_buy_sells_what_it_holds() {
    for (code, times) in [(RejectCode::ClosedOnly, 1), (RejectCode::Balance, 5), (RejectCode::Allowance, 5)] {
        let mut desk = refused_with_shares(code, times);
        desk.on_entry(&entry(60, intent("b", TimeInForce::Gtc)), &sign, at(6));
        assert_eq!(state(&desk, "b"), OrderState::Denied, "{code}");
        let sale = OrderIntent { side: Side::Sell, ..intent("s", TimeInForce::Gtc) };
        assert_eq!(posts(&desk.on_entry(&entry(61, sale), &sign, at(7))), [key("s")], "{code}");
    }
    let mut desk = refused_with_shares(RejectCode::Banned, 1);
    let sale = OrderIntent { side: Side::Sell, ..intent("s", TimeInForce::Gtc) };
    assert!(posts(&desk.on_entry(&entry(61, sale), &sign, at(7))).is_empty(), "it would be refused as well");
}

#[test]
fn what_only_a_person_ends_is_kept_over_a_restart() {
    for (code, kept) in [(RejectCode::Banned, true), (RejectCode::Unauthorized, false), (RejectCode::Balance, false)] {
        let mut paper = Paper::default();
        paper.journals.push(opening(Asset::Usd, "account".into(), (dec!(1_000), Usd::ZERO), at(0)));
        let (mut desk, step) = restored(paper.memory());
        paper.keep(step);
        ready(&mut desk);
        sent(&mut desk, "a", TimeInForce::Gtc);
        let refused = PostAnswer::Rejected { code, reason: "no".into() };
        paper.keep(desk.on_posted(&key("a"), refused, Some(at(3)), at(5)));
        for (epoch, denied) in [(1, kept), (2, false)] {
            let (mut again, _) = restored_under(latch(epoch, KillState::Armed), paper.memory(), at(6));
            again.purse.counted(&[unbounded()]);
            ready(&mut again);
            let wanted = OrderIntent { epoch, ..intent("b", TimeInForce::Gtc) };
            again.on_entry(&entry(60, wanted), &sign, at(7));
            let state = if denied { OrderState::Denied } else { OrderState::Signed };
            let reason = again.orders[&key("b")].row.order.reason.clone();
            assert_eq!(again.orders[&key("b")].state(), state, "{code} in epoch {epoch}: {reason:?}");
        }
    }
}

#[test]
fn an_account_that_is_banned_stays_closed_until_a_person_arms() {
    let mut desk = desk();
    buried(&mut desk, "a", RejectCode::Banned);
    desk.on_user_event(UserEvent::Connected, at(6));
    ready(&mut desk);
    desk.on_entry(&entry(50, intent("x", TimeInForce::Gtc)), &sign, at(7));
    assert_eq!(state(&desk, "x"), OrderState::Denied);
    desk.on_latch(latch(1, KillState::Killed), at(8));
    desk.on_latch(latch(2, KillState::Armed), at(9));
    let armed = OrderIntent { epoch: 2, ..intent("y", TimeInForce::Gtc) };
    assert_eq!(posts(&desk.on_entry(&entry(51, armed), &sign, at(10))), [key("y")]);
}

#[test]
fn a_retry_that_meets_a_kill_is_buried_as_killed() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    let refused = PostAnswer::Transient { code: TransientCode::Unreachable, reason: "reset".into(), retry_after: None };
    answered(&mut desk, "a", refused, 5);
    desk.on_tick(at(500));
    let step = desk.on_lookup(&"0xa".into(), at(500), absent(), at(510));
    assert_eq!(posts(&step), [key("a")]);
    desk.clear_to_send(&key("a"), at(511)).expect("clear to send");
    // The switch was tripped between that and the first byte.
    let step = desk.on_posted(&key("a"), PostAnswer::NotSent { reason: "killed".into() }, None, at(520));
    assert_eq!(letters(&step), [DeadLetterReason::Killed]);
}

#[test]
fn a_refusal_of_everything_under_way_is_one_pause_and_nothing_is_looked_up_while_it_lasts() {
    let mut desk = desk();
    let names: Vec<String> = (0..8).map(|n| format!("o{n}")).collect();
    for name in &names {
        sent(&mut desk, name, TimeInForce::Gtc);
    }
    let refused = || PostAnswer::Transient { code: TransientCode::Restarting, reason: "425".into(), retry_after: None };
    for name in &names {
        let step = answered(&mut desk, name, refused(), 5);
        assert_eq!(letters(&step), [], "it can wait for a second");
    }
    assert!(desk.trouble(at(1_004)).is_some() && desk.trouble(at(1_005)).is_none(), "one second, as for one of them");
    let looked: usize = (1..10).map(|n| lookups(&desk.on_tick(at(n * 100)))).sum();
    assert_eq!(looked, 0);
    let later: usize = (10..20).map(|n| lookups(&desk.on_tick(at(n * 100)))).sum();
    assert_eq!(later, 8, "each once, before it is sent again");
}
