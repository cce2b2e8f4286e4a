//! Orders that had ended and that the venue has all the same.

use super::*;

fn cancels(step: &Step) -> usize {
    step.effects().filter(|effect| matches!(effect, Effect::Cancel(orders) if orders == &["0xa".into()])).count()
}

fn buying(desk: &Desk) -> Size {
    desk.holdings(None).token(&"1".into()).buying
}

fn compared(desk: &mut Desk, begun: i64, orders: Vec<VenueOrder>, now: i64) -> Step {
    desk.on_snapshot(at(begun), Ok(Snapshot { orders, ..Snapshot::default() }), at(now))
}

/// A desk whose order has ended, by what the venue said.
fn ended(status: VenueOrderStatus, matched: Decimal) -> Desk {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    desk.on_user_event(UserEvent::Order(venue_order("a", status, Some(matched))), at(10));
    if !matched.is_zero() {
        desk.on_user_event(UserEvent::Fill(venue_fill("a", "t1", matched, FillStatus::Confirmed)), at(11));
    }
    assert!(state(&desk, "a").is_terminal() && buying(&desk).is_zero());
    desk
}

#[test]
fn an_order_that_is_open_again_after_its_end_is_at_stake_and_cancelled_until_it_is_gone() {
    let open = || vec![venue_order("a", VenueOrderStatus::Live, Some(dec!(0)))];
    let down = Err(VenueError::Unreachable("down".into()));
    for (status, matched) in [(VenueOrderStatus::Cancelled, dec!(0)), (VenueOrderStatus::Matched, dec!(10))] {
        let mut desk = ended(status, matched);
        let step = compared(&mut desk, 1_000, open(), 1_010);
        assert_eq!((cancels(&step), mismatches(&step), buying(&desk)), (1, 1, Size(dec!(10))), "{status:?}");
        desk.on_cancelled(&["0xa".into()], &down, at(1_020));
        assert_eq!(cancels(&desk.on_tick(at(1_030))), 0);
        assert_eq!(cancels(&desk.on_tick(at(3_020))), 1, "the cancel failed");
        assert_eq!(cancels(&desk.on_tick(at(3_030))), 0, "under way");
        assert_eq!(cancels(&desk.on_tick(at(13_020))), 1, "never answered");
        compared(&mut desk, 1_005, Vec::new(), 13_030);
        assert_eq!(buying(&desk), Size(dec!(10)), "a list that was begun before the last sign proves nothing");
        let step = compared(&mut desk, 14_000, open(), 14_010);
        assert_eq!((mismatches(&step), buying(&desk)), (0, Size(dec!(10))), "told once");
        compared(&mut desk, 15_000, Vec::new(), 15_010);
        assert_eq!((buying(&desk), cancels(&desk.on_tick(at(60_000)))), (Size::ZERO, 0));
    }
}

#[test]
fn a_frame_that_shows_an_ended_order_as_open_has_the_list_asked_for_at_once() {
    let mut desk = ended(VenueOrderStatus::Cancelled, dec!(0));
    let asks = |step: &Step| step.effects().any(|effect| matches!(effect, Effect::Snapshot { .. }));
    assert!(!asks(&desk.on_tick(at(20))));
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Live, Some(dec!(0)))), at(30));
    assert!(asks(&desk.on_tick(at(31))));
}

#[test]
fn a_refused_order_that_rose_after_a_list_was_begun_stays_at_stake() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", PostAnswer::Rejected { code: RejectCode::Other, reason: "no".into() }, 5);
    let live = || UserEvent::Order(venue_order("a", VenueOrderStatus::Live, Some(dec!(0))));
    let step = desk.on_user_event(live(), at(1_000));
    assert_eq!((cancels(&step), buying(&desk)), (1, Size(dec!(10))));
    compared(&mut desk, 900, Vec::new(), 1_010);
    assert_eq!(buying(&desk), Size(dec!(10)), "the list is older than the sign");
    compared(&mut desk, 2_000, Vec::new(), 2_010);
    assert_eq!(buying(&desk), Size::ZERO);
    desk.on_user_event(live(), at(3_000));
    assert_eq!(buying(&desk), Size(dec!(10)), "a later sign counts again");
}

#[test]
fn the_entry_of_an_order_that_turns_out_to_be_alive_is_acknowledged_whoever_tells() {
    let transient =
        || PostAnswer::Transient { code: TransientCode::Unreachable, reason: "reset".into(), retry_after: None };
    let live = || venue_order("a", VenueOrderStatus::Live, Some(dec!(0)));
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    assert_eq!(acks(&answered(&mut desk, "a", transient(), 5)), 0);
    let step = desk.on_tick(at(1_000));
    assert_eq!((lookups(&step), acks(&step)), (1, 0), "looked up before it is sent again");
    let found = Lookup { order: Some(live()), fills: Vec::new() };
    let step = desk.on_lookup(&"0xa".into(), at(1_000), Ok(found), at(1_010));
    assert_eq!((state(&desk, "a"), acks(&step), desk.in_hand.len()), (OrderState::Live, 1, 0));

    // By the socket, while it waits to be sent again; and by a list, before the answer.
    sent(&mut desk, "b", TimeInForce::Gtc);
    desk.on_posted(&key("b"), transient(), Some(at(4)), at(5));
    let fill = venue_fill("b", "t1", dec!(4), FillStatus::Matched);
    assert_eq!(acks(&desk.on_user_event(UserEvent::Fill(fill), at(6))), 1);
    sent(&mut desk, "c", TimeInForce::Gtc);
    let step = compared(&mut desk, 7, vec![live(), VenueOrder { order: "0xc".into(), ..live() }], 8);
    assert_eq!(acks(&step), 1);
    let step = desk.on_posted(&key("c"), transient(), Some(at(4)), at(9));
    assert_eq!((acks(&step), desk.in_hand.len(), desk.sending()), (0, 0, 0));
}

#[test]
fn an_order_risen_from_the_dead_is_cancelled() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", PostAnswer::Rejected { code: RejectCode::Other, reason: "no".into() }, 5);
    let orders = vec![venue_order("a", VenueOrderStatus::Live, None)];
    let step = desk.on_snapshot(at(1_000), Ok(Snapshot { orders, ..Snapshot::default() }), at(1_010));
    assert!(step.urgent.iter().any(|effect| matches!(effect, Effect::Cancel(orders) if orders == &["0xa".into()])));
    assert!(mismatches(&step) >= 1);
}
