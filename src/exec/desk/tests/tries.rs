//! What is remembered of the tries of an order, and what was planned and never became durable.

use super::*;
use crate::store::ledger::OrderRow;

fn refused(code: TransientCode) -> PostAnswer {
    PostAnswer::Transient { code, reason: "come back later".into(), retry_after: None }
}

/// The order's row as it was written last.
fn written(step: &Step) -> OrderRow {
    let row = |write: &Write| if let Write::Order { row, .. } = write { Some(OrderRow::clone(row)) } else { None };
    step.writes.iter().rev().find_map(row).expect("an order was written")
}

/// A desk that begins with this order in its ledger.
fn after_a_crash(row: OrderRow) -> Desk {
    let (mut desk, _) = restored(Memory { orders: vec![row], markets: vec![market()], ..Memory::default() });
    ready(&mut desk);
    desk
}

fn letter(step: &Step) -> Option<DeadLetter> {
    step.effects().find_map(|effect| if let Effect::DeadLetter(letter) = effect { Some(*letter.clone()) } else { None })
}

#[test]
fn a_dead_letter_knows_its_tries_and_its_first_error_after_a_crash() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    let step = answered(&mut desk, "a", refused(TransientCode::Restarting), 5);
    let mut desk = after_a_crash(written(&step));
    let buried = (1..=4).find_map(|n| letter(&desk.on_lookup(&"0xa".into(), at(n * 10_000), absent(), at(n * 10_000))));
    let buried = buried.expect("it never arrived");
    assert_eq!((buried.posts, buried.first_error.as_str()), (1, "come back later"));
    assert_eq!(buried.last_error, "never arrived: 3 lookups found nothing");
}

#[test]
fn a_try_whose_answer_a_crash_lost_counts_as_one() {
    let mut desk = desk();
    let step = desk.on_entry(&entry(1, intent("a", TimeInForce::Gtc)), &sign, at(2));
    let mut desk = after_a_crash(written(&step));
    let buried = (1..=4).find_map(|n| letter(&desk.on_lookup(&"0xa".into(), at(n * 10_000), absent(), at(n * 10_000))));
    let buried = buried.expect("it never arrived");
    assert_eq!((buried.posts, buried.first_error.as_str()), (1, "Hermes restarted before the venue's answer"));
}

#[test]
fn what_kept_an_order_from_the_venue_is_not_said_of_one_that_it_has() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", refused(TransientCode::Unreachable), 5);
    let reason = |desk: &Desk| desk.orders[&key("a")].row.order.reason.clone();
    assert_eq!(reason(&desk).as_deref(), Some("come back later"));
    desk.on_tick(at(500));
    desk.on_lookup(&"0xa".into(), at(500), absent(), at(501));
    desk.clear_to_send(&key("a"), at(502)).expect("clear to send");
    let step = desk.on_posted(&key("a"), accepted(), Some(at(503)), at(504));
    assert_eq!((reason(&desk), written(&step).posts), (None, 2));
    assert_eq!(written(&step).first_error.as_deref(), Some("come back later"), "the record has it");

    sent(&mut desk, "b", TimeInForce::Gtc);
    let no = PostAnswer::Rejected { code: RejectCode::Other, reason: "no".into() };
    answered(&mut desk, "b", no, 5);
    desk.on_user_event(UserEvent::Order(venue_order("b", VenueOrderStatus::Live, None)), at(6));
    let risen = &desk.orders[&key("b")].row.order;
    assert_eq!((risen.state, risen.reason.as_deref()), (OrderState::Rejected, Some("no")), "that is why it ended");
}

#[test]
fn while_nothing_may_be_sent_nothing_is_looked_up_for_it() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", refused(TransientCode::Unreachable), 5);
    desk.health.user = Some("the socket is down".into());
    let looked: usize = (2..15).map(|n| lookups(&desk.on_tick(at(n * 100)))).sum();
    assert_eq!(looked, 0);
    desk.health.user = None;
    let looked: usize = (15..19).map(|n| lookups(&desk.on_tick(at(n * 100)))).sum();
    assert_eq!(looked, 1, "once, before it is sent again");
    desk.health.user = Some("the socket is down".into());
    desk.on_lookup(&"0xa".into(), at(1_900), absent(), at(1_901));
    desk.clear_to_send(&key("a"), at(1_902)).expect_err("not now");
    let looked: usize = (20..30).map(|n| lookups(&desk.on_tick(at(n * 100)))).sum();
    assert_eq!(looked, 1, "at its deadline it is looked for once more, to be given up");
    let step = desk.on_lookup(&"0xa".into(), at(3_000), absent(), at(3_001));
    assert_eq!(letters(&step), [DeadLetterReason::Exhausted]);
}

/// The same entry with a note of this length.
fn long(n: u64, name: &str, note: usize) -> Entry {
    let entry = entry(n, intent(name, TimeInForce::Gtc));
    let mut signal = crate::bus::decode::<SignalEntry>(&entry.payload).expect("a signal");
    signal.body.rationale.note = "n".repeat(note).into();
    Entry { payload: encode(&signal).expect("encodes"), ..entry }
}

#[test]
fn a_long_signal_is_kept_whole_and_tried_again_and_one_that_is_too_long_is_refused() {
    let mut desk = desk();
    desk.on_entry(&long(1, "a", 20_000), &sign, at(2));
    desk.clear_to_send(&key("a"), at(3)).expect("clear to send");
    let no = PostAnswer::Rejected { code: RejectCode::Balance, reason: "no".into() };
    let buried = letter(&answered(&mut desk, "a", no, 5)).expect("buried");
    assert!(buried.original.len() > 20_000);
    let step = desk.retry_dead_letter(&buried.id, "alice", &sign, at(10)).expect("it can be read");
    assert_eq!(posts(&step), [("a".into(), 2)]);

    let step = desk.on_entry(&long(2, "b", SIGNAL_MOST), &sign, at(11));
    let buried = letter(&step).expect("buried");
    assert_eq!((buried.reason, buried.original.len(), acks(&step)), (DeadLetterReason::Malformed, PAYLOAD_KEPT, 1));
    assert!(buried.last_error.contains("bytes; at most 32768 are taken"), "{}", buried.last_error);
}

#[test]
fn a_denial_or_an_order_that_another_run_had_taken_leaves_nothing_behind() {
    let mut desk = desk();
    let zero = OrderIntent { size: Size(dec!(1001)), ..intent("a", TimeInForce::Gtc) };
    let denied = entry(1, zero);
    desk.on_entry(&denied, &sign, at(2));
    assert_eq!((state(&desk, "a"), desk.counts.denied), (OrderState::Denied, 1));
    assert_eq!(acks(&desk.on_taken_before(&denied)), 1);
    assert_eq!((desk.orders.len(), desk.counts.denied), (0, 0));

    let signed = entry(2, intent("b", TimeInForce::Gtc));
    desk.on_entry(&signed, &sign, at(2));
    desk.on_taken_before(&signed);
    assert_eq!((desk.orders.len(), desk.index.len(), desk.active.len()), (0, 0, 0));

    desk.on_entry(&denied, &sign, at(3));
    desk.on_set_aside(Some(&denied), &[], at(4));
    assert_eq!((desk.orders.len(), desk.counts.denied), (0, 0), "nor one that the ledger refuses for good");
}

#[test]
fn a_purchase_for_whole_cents_is_filled_when_all_of_them_are_spent() {
    let signer = |approved: &Approved<OrderIntent>, _: &Market| {
        let (body, digest) = (Bytes::from_static(b"body"), "digest".to_owned());
        let order = SignedOrder::new(approved, "0xa".into(), Size(dec!(9.9607)), body, digest);
        Ok(Signed { order, begun: at(2), done: at(2) })
    };
    let mut desk = desk();
    desk.on_entry(&entry(1, intent("a", TimeInForce::Fak)), &signer, at(2));
    desk.clear_to_send(&key("a"), at(3)).expect("clear to send");
    let step = answered(&mut desk, "a", accepted(), 5);
    let row = written(&step);
    assert_eq!(row.shares, Some(Size(dec!(9.9607))));
    let matched = || UserEvent::Order(venue_order("a", VenueOrderStatus::Matched, Some(dec!(9.96))));
    desk.on_user_event(matched(), at(6));
    assert_eq!(state(&desk, "a"), OrderState::Filled);

    let mut desk = after_a_crash(row.clone());
    desk.on_user_event(matched(), at(6));
    assert_eq!(state(&desk, "a"), OrderState::Filled, "as well after a crash");
    let mut desk = after_a_crash(row);
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Matched, Some(dec!(5)))), at(6));
    assert_eq!(state(&desk, "a"), OrderState::Cancelled, "the rest was killed");
}
