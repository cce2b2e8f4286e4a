//! All news about an order, each part twice and in any order, leads to the same books.

use super::*;

#[derive(Clone, Debug)]
enum News {
    Order(VenueOrderStatus, i64),
    Fill(u8, FillStatus),
    Answer,
}

/// All that the venue says about one order that was matched by `trades` and then ended: each part twice, in any order.
fn history() -> impl Strategy<Value = (usize, Vec<News>)> {
    (0..=4_usize).prop_flat_map(|trades| {
        let mut news = vec![News::Answer, News::Order(VenueOrderStatus::Live, 0)];
        for trade in 0..trades {
            let number = u8::try_from(trade).expect("few");
            let matched = (i64::from(number) + 1) * 2;
            news.push(News::Order(VenueOrderStatus::Live, matched));
            news.extend([FillStatus::Matched, FillStatus::Mined, FillStatus::Confirmed].map(|s| News::Fill(number, s)));
        }
        news.push(News::Order(VenueOrderStatus::Cancelled, i64::try_from(trades).expect("few") * 2));
        let twice: Vec<News> = news.iter().chain(&news).cloned().collect();
        (Just(trades), Just(twice).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn any_order_of_news_leads_to_the_same_books((trades, news) in history()) {
        let mut desk = desk();
        sent(&mut desk, "a", TimeInForce::Gtc);
        let mut step_now = 5;
        for item in news {
            step_now += 1;
            match item {
                News::Answer => { answered(&mut desk, "a", accepted(), step_now); }
                News::Order(status, matched) => {
                    let order = venue_order("a", status, Some(Decimal::from(matched)));
                    desk.on_user_event(UserEvent::Order(order), at(step_now));
                }
                News::Fill(trade, status) => {
                    let fill = venue_fill("a", &format!("t{trade}"), dec!(2), status);
                    desk.on_user_event(UserEvent::Fill(fill), at(step_now));
                }
            }
        }
        let shares = Size(Decimal::from(trades * 2));
        prop_assert_eq!(state(&desk, "a"), OrderState::Cancelled);
        prop_assert_eq!(desk.orders[&key("a")].row.order.matched, shares);
        prop_assert_eq!(desk.portfolio.position(&"1".into()).map_or(Size::ZERO, |held| held.size), shares);
        prop_assert_eq!(desk.counts, OrderCounts { sent: 1, accepted: 1, cancelled: 1, ..OrderCounts::default() });
        prop_assert_eq!(desk.active.len(), 0);
    }
}
