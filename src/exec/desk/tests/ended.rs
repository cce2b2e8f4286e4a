//! What has ended and waits for its result: neither its last price nor its silence decides.

use super::risk::{heard, hold, kills};
use super::*;

/// Shares of another market's first token.
pub(super) fn hold_another(desk: &mut Desk, shares: Decimal) {
    let fill = venue_fill("o", "t-o", shares, FillStatus::Confirmed);
    desk.on_user_event(UserEvent::Fill(VenueFill { market: "0xn".into(), token: "3".into(), ..fill }), at(100));
}

pub(super) fn another(payouts: Option<[i64; 2]>, end: Option<i64>) -> PolymarketData {
    let [mut up, mut down] = market().tokens;
    (up.token, down.token) = ("3".into(), "4".into());
    PolymarketData::Market(Market {
        market: "0xn".into(),
        slug: "another".into(),
        tokens: [up, down],
        closes_at: end.map(at),
        accepting_orders: end.is_none(),
        payouts: payouts.map(|payouts| payouts.map(|payout| Price(payout.into()))),
        ..market()
    })
}

/// A tick a second for which the books of both tokens are heard, while they trade; the kills of all of them.
pub(super) fn both(
    desk: &mut Desk,
    seconds: std::ops::Range<i64>,
    first: Decimal,
    other: Option<Decimal>,
) -> Vec<String> {
    let mut killed = Vec::new();
    for now in seconds.map(|second| second * 1_000) {
        heard(desk, first, now);
        if let Some(bid) = other {
            let bids = vec![Level { price: Price(bid), size: Size(dec!(1000)) }];
            let book = Book { market: "0xn".into(), token: "3".into(), bids, ..book(at(now)) };
            desk.on_data(PolymarketData::Book(book), at(now));
        }
        killed.extend(kills(&desk.on_tick(at(now))));
    }
    killed
}

#[test]
fn the_last_frame_of_a_market_is_no_loss_and_no_peak_however_often_others_are_heard() {
    for last in [dec!(0.01), dec!(0.99)] {
        let mut desk = desk();
        desk.on_data(another(None, None), at(50));
        hold(&mut desk, dec!(10), 100);
        hold_another(&mut desk, dec!(200));
        assert!(both(&mut desk, 1..6, dec!(0.50), Some(dec!(0.50))).is_empty());
        let before = desk.track.day().map(|day| day.peak);
        assert!(both(&mut desk, 6..7, dec!(0.50), Some(last)).is_empty());
        desk.on_data(another(None, Some(6_500)), at(6_500));
        assert!(both(&mut desk, 7..30, dec!(0.50), None).is_empty(), "{last}");
        assert_eq!(desk.track.day().map(|day| day.peak), before, "{last}");
    }
}

#[test]
fn a_market_that_waits_for_its_result_hides_no_loss_of_another() {
    let mut desk = desk();
    desk.on_data(another(None, None), at(50));
    hold(&mut desk, dec!(200), 100);
    hold_another(&mut desk, dec!(200));
    assert!(both(&mut desk, 1..6, dec!(0.50), Some(dec!(0.50))).is_empty());
    desk.on_data(another(None, Some(5_500)), at(5_500));
    assert!(both(&mut desk, 6..9, dec!(0.50), None).is_empty());
    let lost = Market { accepting_orders: false, payouts: Some([0, 1].map(|payout| Price(payout.into()))), ..market() };
    desk.on_data(PolymarketData::Market(lost), at(8_500));
    let killed: Vec<_> = (9..20).map(|second| kills(&desk.on_tick(at(second * 1_000))).len()).collect();
    assert_eq!(killed[..4], [1, 0, 0, 0], "a result is certain: {killed:?}");
}

#[test]
fn what_was_bought_too_late_to_be_looked_at_is_worth_what_it_cost_until_its_result() {
    let mut desk = desk();
    desk.on_data(another(None, None), at(50));
    hold(&mut desk, dec!(10), 100);
    assert!(both(&mut desk, 1..6, dec!(0.50), None).is_empty());
    hold_another(&mut desk, dec!(200));
    assert!(both(&mut desk, 6..8, dec!(0.50), Some(dec!(0.01))).is_empty());
    desk.on_data(another(None, Some(7_500)), at(7_500));
    assert!(both(&mut desk, 8..30, dec!(0.50), None).is_empty());
    desk.on_data(another(Some([0, 1]), Some(7_500)), at(30_000));
    assert_eq!(both(&mut desk, 31..36, dec!(0.50), None).len(), 1);
}
