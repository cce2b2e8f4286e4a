//! Looks at prices: how many must agree before a loss kills or a peak counts, and what counts as one.

use super::ended::{another, both, hold_another};
use super::risk::{hold, kills, play, with};
use super::*;

/// A look at nothing new.
fn look(desk: &mut Desk, second: i64) -> Vec<String> {
    kills(&desk.on_tick(at(second * 1_000)))
}

#[test]
fn shares_that_nobody_bids_for_count_as_nothing_for_losses_and_one_such_book_proves_nothing() {
    let mut desk = desk();
    hold(&mut desk, dec!(200), 100);
    assert!(play(&mut desk, 1, &[dec!(0.50); 4]).is_empty());
    let without_bids = |desk: &mut Desk, now: i64| {
        desk.on_data(PolymarketData::Book(Book { bids: Vec::new(), ..book(at(now)) }), at(now));
        kills(&desk.on_tick(at(now)))
    };
    for second in [5, 6] {
        assert!(without_bids(&mut desk, second * 1_000).is_empty());
    }
    assert!(play(&mut desk, 7, &[dec!(0.50)]).is_empty());
    let emptied = |desk: &mut Desk, now: i64| {
        let book = Book { bids: Vec::new(), asks: Vec::new(), ..book(at(now)) };
        desk.on_data(PolymarketData::Book(book), at(now));
        kills(&desk.on_tick(at(now)))
    };
    assert!((8..14).all(|second| emptied(&mut desk, second * 1_000).is_empty()), "an empty book says nothing");
    let killed: Vec<String> = (14..20).flat_map(|second| without_bids(&mut desk, second * 1_000)).collect();
    assert_eq!(killed, ["daily_drawdown: 100 pUSD (limit 50 pUSD below the day's peak)"]);
    assert!(play(&mut desk, 20, &[dec!(0.50)]).is_empty());
    let ended = Market { accepting_orders: false, closes_at: Some(at(20_500)), ..market() };
    desk.on_data(PolymarketData::Market(ended), at(20_500));
    assert!(without_bids(&mut desk, 21_000).is_empty());
    assert!(
        desk.losses_beyond(at(21_000)).is_empty(),
        "after the end there are no bids anywhere: the last mark stands"
    );
}

#[test]
fn one_false_frame_kills_nothing_however_often_it_is_looked_at_and_a_quiet_book_that_is_renewed_does() {
    let look = |desk: &mut Desk, second: i64| kills(&desk.on_tick(at(second * 1_000)));
    let mut desk = desk();
    hold(&mut desk, dec!(200), 100);
    assert!(play(&mut desk, 1, &[dec!(0.50); 4]).is_empty());
    assert!(play(&mut desk, 5, &[dec!(0.01)]).is_empty());
    assert!((6..20).all(|second| look(&mut desk, second).is_empty()), "no news of it");
    // Nothing changes, and the venue's answers say that it is so still.
    let renewed = |desk: &mut Desk, second: i64| {
        let bids = vec![Level { price: Price(dec!(0.01)), size: Size(dec!(1000)) }];
        let book = Book { bids, heard_at: Some(at(second * 1_000)), ..book(at(5_000)) };
        desk.on_data(PolymarketData::Book(book), at(second * 1_000));
        look(desk, second)
    };
    assert!(renewed(&mut desk, 20).is_empty());
    assert_eq!(renewed(&mut desk, 21), ["daily_drawdown: 98 pUSD (limit 50 pUSD below the day's peak)"]);

    // Nor does it set a peak from which the truth would be a fall.
    let mut desk = super::desk();
    hold(&mut desk, dec!(200), 100);
    play(&mut desk, 1, &[dec!(0.50), dec!(0.50), dec!(0.50), dec!(0.99)]);
    assert!((5..20).all(|second| look(&mut desk, second).is_empty()));
    assert!(play(&mut desk, 20, &[dec!(0.50); 5]).is_empty());
}

#[test]
fn a_loss_of_the_last_seconds_of_a_market_waits_for_its_result() {
    let mut desk = desk();
    hold(&mut desk, dec!(200), 100);
    play(&mut desk, 1, &[dec!(0.50), dec!(0.50), dec!(0.50), dec!(0.01)]);
    let told = |desk: &mut Desk, payouts: Option<[i64; 2]>| {
        let payouts = payouts.map(|payouts| payouts.map(|payout| Price(payout.into())));
        let market = Market { closes_at: Some(at(4_500)), accepting_orders: false, payouts, ..market() };
        desk.on_data(PolymarketData::Market(market), at(4_500));
    };
    told(&mut desk, None);
    let looks = |desk: &mut Desk, seconds: std::ops::Range<i64>| {
        seconds.flat_map(|at_s| kills(&desk.on_tick(at(at_s * 1_000)))).count()
    };
    assert_eq!(looks(&mut desk, 5..20), 0, "one price, and no other can come");
    told(&mut desk, Some([0, 1]));
    assert_eq!(looks(&mut desk, 20..21), 1, "a result is certain");
    assert_eq!(looks(&mut desk, 21..30), 0, "told once");
}

#[test]
fn a_phantom_bid_upwards_leaves_no_peak_that_would_kill_afterwards() {
    let mut desk = desk();
    hold(&mut desk, dec!(200), 100);
    play(&mut desk, 1, &[dec!(0.50); 4]);
    assert!(play(&mut desk, 5, &[dec!(0.99), dec!(0.50), dec!(0.50), dec!(0.50), dec!(0.50), dec!(0.50)]).is_empty());
}

#[test]
fn a_drawdown_must_last_to_kill() {
    let mut desk = desk();
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(200), FillStatus::Confirmed)), at(100));
    let crash = |desk: &mut Desk, bid: Decimal, now: i64| {
        let bids = vec![Level { price: Price(bid), size: Size(dec!(1000)) }];
        desk.on_data(PolymarketData::Book(Book { bids, ..book(at(now)) }), at(now));
        let step = desk.on_tick(at(now));
        step.urgent.iter().any(|effect| matches!(effect, Effect::Kill(_)))
    };
    assert!(!crash(&mut desk, dec!(0.50), 1_000));
    assert!(!crash(&mut desk, dec!(0.01), 2_000));
    assert!(!crash(&mut desk, dec!(0.50), 3_000), "a phantom");
    assert!(!crash(&mut desk, dec!(0.01), 4_000));
    assert!(!crash(&mut desk, dec!(0.01), 5_000));
    assert!(crash(&mut desk, dec!(0.01), 6_000));
}

#[test]
fn a_token_that_falls_silent_hides_no_fall_of_another_and_its_one_false_frame_is_none() {
    for last in [dec!(0.50), dec!(0.01), dec!(0.99)] {
        let mut desk = desk();
        desk.on_data(another(None, None), at(50));
        hold(&mut desk, dec!(200), 100);
        hold_another(&mut desk, dec!(10));
        assert!(both(&mut desk, 1..5, dec!(0.50), Some(dec!(0.50))).is_empty());
        assert!(both(&mut desk, 5..6, dec!(0.50), Some(last)).is_empty());
        assert!(both(&mut desk, 6..8, dec!(0.05), None).is_empty(), "two looks");
        assert_eq!(both(&mut desk, 8..9, dec!(0.05), None).len(), 1, "the other was silent since it stood at {last}");
    }
}

#[test]
fn what_rises_while_another_is_silent_is_no_peak_since_the_silence_may_be_a_fall() {
    let mut desk = desk();
    desk.on_data(another(None, None), at(50));
    hold(&mut desk, dec!(200), 100);
    hold_another(&mut desk, dec!(200));
    assert!(both(&mut desk, 1..6, dec!(0.50), Some(dec!(0.50))).is_empty());
    let before = desk.track.day().map(|day| day.peak);
    assert!(both(&mut desk, 6..12, dec!(0.90), None).is_empty());
    assert_eq!(desk.track.day().map(|day| day.peak), before);
    assert!(both(&mut desk, 12..20, dec!(0.90), Some(dec!(0.10))).is_empty(), "one rose as the other fell");
    assert!(both(&mut desk, 20..25, dec!(0.90), Some(dec!(0.50))).is_empty());
    assert!(desk.track.day().map(|day| day.peak) > before, "and this is one");
}

#[test]
fn false_frames_of_one_token_after_the_other_are_neither_a_loss_nor_a_peak() {
    for false_frame in [dec!(0.01), dec!(0.99)] {
        let mut desk = desk();
        desk.on_data(another(None, None), at(50));
        hold(&mut desk, dec!(200), 100);
        hold_another(&mut desk, dec!(200));
        assert!(both(&mut desk, 1..6, dec!(0.50), Some(dec!(0.50))).is_empty());
        let before = desk.track.day().map(|day| day.peak);
        assert!(both(&mut desk, 6..7, false_frame, Some(dec!(0.50))).is_empty());
        assert!(both(&mut desk, 7..8, dec!(0.50), Some(false_frame)).is_empty());
        assert!(both(&mut desk, 8..12, dec!(0.50), Some(dec!(0.50))).is_empty());
        assert_eq!(desk.track.day().map(|day| day.peak), before);
    }
}

#[test]
fn the_last_book_of_before_the_named_end_is_one_look_however_often_it_is_told_again_until_the_market_trades_on() {
    let renewed = |desk: &mut Desk, bid: Decimal, second: i64| {
        let bids = vec![Level { price: Price(bid), size: Size(dec!(1000)) }];
        let book = Book { bids, heard_at: Some(at(second * 1_000)), ..book(at(4_000)) };
        desk.on_data(PolymarketData::Book(book), at(second * 1_000));
        kills(&desk.on_tick(at(second * 1_000)))
    };
    for last in [dec!(0.01), dec!(0.99)] {
        let mut desk = desk();
        hold(&mut desk, dec!(200), 100);
        let ends = |accepting_orders| Market { closes_at: Some(at(4_500)), accepting_orders, ..market() };
        desk.on_data(PolymarketData::Market(ends(true)), at(200));
        play(&mut desk, 1, &[dec!(0.50), dec!(0.50), dec!(0.50), last]);
        let before = desk.track.day().map(|day| day.peak);
        assert!((5..9).all(|second| renewed(&mut desk, last, second).is_empty()));
        desk.on_data(PolymarketData::Market(ends(false)), at(8_500));
        assert!((9..20).all(|second| look(&mut desk, second).is_empty()), "{last}");
        assert_eq!(desk.track.day().map(|day| day.peak), before, "{last}");
    }
    // A market that trades on says so by a book of after its end, or by not having ended for long enough.
    let mut desk = desk();
    hold(&mut desk, dec!(200), 100);
    desk.on_data(PolymarketData::Market(Market { closes_at: Some(at(4_500)), ..market() }), at(200));
    play(&mut desk, 1, &[dec!(0.50), dec!(0.50), dec!(0.50), dec!(0.01)]);
    let most = i64::try_from(desk.gate.limits().mark_age.as_secs()).expect("short");
    let mut killed = (5..100).filter(|second| !renewed(&mut desk, dec!(0.01), *second).is_empty());
    assert_eq!(killed.next(), Some(4 + most + 2), "two more looks");
}

#[test]
fn bids_that_are_taken_back_right_before_the_end_are_no_loss_and_the_result_is() {
    let stub = |price, size| vec![Level { price: Price(price), size: Size(size) }];
    for bids in [Vec::new(), stub(dec!(0.01), dec!(5000)), stub(dec!(0.49), dec!(1))] {
        for (blackout, kill) in [(5, 0), (2, 1)] {
            let mut desk = with(|limits| limits.blackout = Duration::from_secs(blackout));
            hold(&mut desk, dec!(200), 100);
            let market = |payouts| Market { closes_at: Some(at(10_000)), payouts, ..market() };
            desk.on_data(PolymarketData::Market(market(None)), at(200));
            play(&mut desk, 1, &[dec!(0.50); 4]);
            let killed = (5..10).flat_map(|second| {
                let now = at(second * 1_000);
                desk.on_data(PolymarketData::Book(Book { bids: bids.clone(), ..book(now) }), now);
                look(&mut desk, second)
            });
            assert_eq!(killed.count(), kill, "{blackout} s: {bids:?}");
            let lost = market(Some([0, 1].map(|payout| Price(payout.into()))));
            desk.on_data(PolymarketData::Market(lost), at(10_500));
            assert_eq!(look(&mut desk, 11).len(), 1 - kill, "a result is certain, and told once");
        }
    }
}
