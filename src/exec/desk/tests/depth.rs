//! What of a book is ours is in no mark, on whichever outcome it rests.

use super::risk::{heard, hold, wish, with};
use super::*;

#[test]
fn a_book_of_nobody_but_us_says_nothing() {
    let mut desk = with(|limits| limits.mark_age = Duration::from_secs(30));
    hold(&mut desk, dec!(10), 100);
    heard(&mut desk, dec!(0.50), 1_000);
    wish(&mut desk, "a", 1_000);
    desk.clear_to_send(&key("a"), at(1_001)).expect("clear");
    answered(&mut desk, "a", accepted(), 1_002);
    let bids = vec![Level { price: Price(dec!(0.50)), size: Size(dec!(10)) }];
    for second in 2..40 {
        let alone = Book { bids: bids.clone(), asks: Vec::new(), ..book(at(second * 1_000)) };
        desk.on_data(PolymarketData::Book(alone), at(second * 1_000));
    }
    let words = desk.equity(at(31_001)).expect_err("nobody else has named a price");
    assert!(words.contains("at most 30 s are allowed"), "{words}");
}

/// A desk that holds ten of either outcome and has an order resting on the second.
fn rests(side: Side, price: Decimal) -> Desk {
    let mut desk = with(|limits| {
        limits.mark_age = Duration::from_secs(30);
        limits.price_collar = dec!(0.5);
    });
    hold(&mut desk, dec!(10), 100);
    for token in ["1", "2"] {
        desk.on_data(PolymarketData::Book(Book { token: token.into(), ..book(at(1_000)) }), at(1_000));
    }
    let rest = |desk: &mut Desk, number, name, side, price| {
        let wanted = OrderIntent {
            token: "2".into(),
            outcome: "Down".into(),
            side,
            price: Price(price),
            tick_received_at: at(1_000),
            deadline: at(3_000),
            ..intent(name, TimeInForce::Gtc)
        };
        desk.on_entry(&entry(number, wanted), &sign, at(1_000));
        desk.clear_to_send(&key(name), at(1_001)).expect("clear");
        answered(desk, name, accepted(), 1_002);
    };
    rest(&mut desk, 1, "y", Side::Buy, dec!(0.50));
    let second = VenueFill { token: "2".into(), ..venue_fill("y", "t2", dec!(10), FillStatus::Confirmed) };
    desk.on_user_event(UserEvent::Fill(second), at(1_003));
    rest(&mut desk, 2, "a", side, price);
    desk
}

/// By how much what is held is worth more after this book of the first outcome.
fn gained(desk: &mut Desk, bids: &[(Decimal, Decimal)], asks: &[(Decimal, Decimal)]) -> Usd {
    let levels = |levels: &[(Decimal, Decimal)]| -> Vec<Level> {
        levels.iter().map(|(price, size)| Level { price: Price(*price), size: Size(*size) }).collect()
    };
    let worth = |desk: &Desk| desk.portfolio.equity(at(2_001), Duration::from_secs(30)).expect("known");
    let before = worth(desk);
    let book = Book { bids: levels(bids), asks: levels(asks), ..book(at(2_000)) };
    desk.on_data(PolymarketData::Book(book), at(2_000));
    worth(desk) - before
}

#[test]
fn what_rests_on_the_other_outcome_is_mirrored_in_the_book_and_is_no_price_of_others() {
    // A sale of the second at 0.30 bids 0.70 for the first, where the others bid 0.40; it was worth 0.48.
    let bids = [(dec!(0.70), dec!(10)), (dec!(0.40), dec!(100))];
    let mut selling = rests(Side::Sell, dec!(0.30));
    assert_eq!(gained(&mut selling, &bids, &[(dec!(0.75), dec!(9))]), Usd(dec!(-0.80)));
    // A bid for the second at 0.45 asks 0.55 for the first, and nobody else is there: that is no worth of nothing.
    let mut buying = rests(Side::Buy, dec!(0.45));
    assert_eq!(gained(&mut buying, &[], &[(dec!(0.55), dec!(10))]), Usd::ZERO);
    // Others ask too, and nobody bids.
    let mut buying = rests(Side::Buy, dec!(0.45));
    assert_eq!(gained(&mut buying, &[], &[(dec!(0.55), dec!(11))]), Usd(dec!(-4.80)));
}
