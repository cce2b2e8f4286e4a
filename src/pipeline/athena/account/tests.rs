use rust_decimal::dec;

use super::*;
use crate::domain::OrderState;
use crate::pipeline::athena::scene::{OPENS, hermes};
use crate::risk::checks::bench::{buy, position, sell};

const NOW: Timestamp = Timestamp::from_secs(OPENS + 60);

fn h1() -> Arc<str> {
    Arc::from("h1")
}

fn order(state: OrderState, matched: &str) -> Order {
    let mut order = Order::new(buy("0.50", "20"), NOW);
    let matched: Size = matched.parse().expect("a size");
    (order.state, order.matched, order.traded) = (state, matched, matched);
    order
}

/// Held, being bought and on sale of the token `up`.
fn up(account: &mut Account, now: Timestamp) -> (Size, Size, Size) {
    account.refresh(&Markets::default(), now);
    let holding = account.holdings().token(&"up".into());
    (holding.held, holding.buying, holding.selling)
}

fn sizes(held: i64, buying: i64, selling: i64) -> (Size, Size, Size) {
    (Size(held.into()), Size(buying.into()), Size(selling.into()))
}

#[test]
fn an_intent_counts_until_it_is_an_order_and_never_twice() {
    let mut account = Account::default();
    account.reserve(&buy("0.50", "20"));
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 0));
    account.event(&h1(), 1, &TradeEvent::Order(order(OrderState::Pending, "0")));
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 0));
    account.reserve(&buy("0.50", "20"));
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 0), "its order is known already");
    account.event(&h1(), 2, &TradeEvent::Order(order(OrderState::Cancelled, "0")));
    assert_eq!(up(&mut account, NOW), sizes(0, 0, 0));
}

#[test]
fn an_intent_that_never_becomes_an_order_counts_until_deadline_and_grace() {
    let mut account = Account::default();
    let intent = buy("0.50", "20");
    account.reserve(&intent);
    let last = intent.deadline.plus(GRACE);
    assert_eq!(up(&mut account, last), sizes(0, 20, 0));
    assert_eq!(up(&mut account, Timestamp::from_micros(last.micros() + 1)), sizes(0, 0, 0));
}

fn denied(intent: OrderIntent) -> TradeEvent {
    let denial =
        crate::domain::Denial { control: crate::domain::Control::Deadline, value: String::new(), limit: String::new() };
    let (by, rationale, checks) = (crate::domain::DeniedBy::Hermes, None, Vec::new());
    TradeEvent::Denied { by, intent, denial, rationale, checks, at: NOW }
}

#[test]
fn an_unknown_order_counts_at_full_size_and_a_denied_one_not_at_all() {
    let mut account = Account::default();
    account.event(&h1(), 1, &TradeEvent::Order(order(OrderState::Unknown, "0")));
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 0));
    let mut other = Account::default();
    other.reserve(&buy("0.50", "20"));
    other.event(&h1(), 1, &denied(buy("0.50", "20")));
    assert_eq!(up(&mut other, NOW), sizes(0, 0, 0));
}

/// An order of 20 as Hermes tells it once he knows trades of `traded` of the `matched` shares.
fn traded(state: OrderState, matched: &str, traded: &str) -> TradeEvent {
    let traded = traded.parse().expect("a size");
    TradeEvent::Order(Order { traded, ..order(state, matched) })
}

#[test]
fn matched_shares_stay_counted_until_a_position_shows_them() {
    let mut account = Account::default();
    let mark = |size: &str| TradeEvent::Position(position("up", size, "0.50"));
    account.event(&h1(), 1, &traded(OrderState::Live, "0", "0"));
    account.event(&h1(), 2, &traded(OrderState::PartiallyFilled, "5", "0"));
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 0));
    account.event(&h1(), 3, &traded(OrderState::Filled, "20", "0"));
    account.event(&h1(), 4, &mark("0"));
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 0), "a mark shows no trade");
    account.event(&h1(), 5, &traded(OrderState::Filled, "20", "8"));
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 0), "told, and booked with the next position");
    account.event(&h1(), 6, &mark("8"));
    assert_eq!(up(&mut account, NOW), sizes(8, 12, 0));
    account.event(&h1(), 7, &traded(OrderState::Filled, "20", "20"));
    assert_eq!(up(&mut account, NOW), sizes(8, 12, 0));
    assert_eq!(account.holdings().open_count(), 0, "nothing of it is open");
    account.event(&h1(), 8, &mark("20"));
    assert_eq!(up(&mut account, NOW), sizes(20, 0, 0));
    assert_eq!(account.holdings().gross(), crate::domain::Usd(dec!(10)));
}

#[test]
fn that_the_trades_of_an_order_which_has_ended_are_settled_is_no_trade_again() {
    let mut account = Account::default();
    let filled = |traded_at: &str| traded(OrderState::Filled, "20", traded_at);
    account.event(&h1(), 1, &TradeEvent::Order(order(OrderState::Live, "0")));
    account.event(&h1(), 2, &filled("12"));
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 0), "eight of them have no trade yet");
    account.event(&h1(), 3, &filled("20"));
    account.event(&h1(), 4, &TradeEvent::Position(position("up", "20", "0.50")));
    let held = up(&mut account, NOW);
    account.event(&h1(), 5, &filled("20"));
    assert_eq!((up(&mut account, NOW), held), (held, sizes(20, 0, 0)));
    for number in 0..2 * ENDED {
        let mut other = order(OrderState::Filled, "20");
        other.intent.intent = format!("other-{number}").into();
        account.ended.put(&other);
    }
    assert_eq!((account.ended.traded.len(), account.ended.oldest_first.len()), (ENDED, ENDED));
}

#[test]
fn a_snapshot_between_match_and_trade_keeps_the_shares_counted() {
    let mut account = Account::default();
    account.event(&h1(), 1, &traded(OrderState::Filled, "20", "0"));
    let mut state = hermes(2, NOW);
    state.recent_orders.push(Order { traded: Size::ZERO, ..order(OrderState::Filled, "20") });
    account.snapshot(&state);
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 0));
    (state.seq, state.recent_orders[0].traded) = (3, state.recent_orders[0].matched);
    state.positions.push(position("up", "20", "0.50"));
    account.snapshot(&state);
    assert_eq!(up(&mut account, NOW), sizes(20, 0, 0));
}

#[test]
fn events_that_the_snapshot_includes_are_skipped_and_jumps_counted() {
    let mut account = Account::default();
    let mut state = hermes(5, NOW);
    state.positions.push(position("up", "20", "0.50"));
    account.snapshot(&state);
    account.event(&h1(), 5, &TradeEvent::Position(position("up", "7", "0.50")));
    assert_eq!(up(&mut account, NOW), sizes(20, 0, 0));
    account.event(&h1(), 8, &TradeEvent::Position(position("up", "30", "0.50")));
    assert_eq!((up(&mut account, NOW), account.gaps()), (sizes(30, 0, 0), 2));
    account.snapshot(&state);
    assert_eq!(up(&mut account, NOW), sizes(30, 0, 0), "a snapshot behind the events changes nothing");
}

#[test]
fn a_snapshot_replaces_orders_but_keeps_what_it_cannot_know() {
    let mut account = Account::default();
    account.event(&h1(), 1, &TradeEvent::Order(order(OrderState::Live, "0")));
    account.reserve(&OrderIntent { intent: "momentum-2".into(), ..sell("0.50", "3") });
    let mut state = hermes(2, NOW);
    account.snapshot(&state);
    assert_eq!(up(&mut account, NOW), sizes(0, 0, 3), "the order is gone, the intent still on its way");
    state.seq = 3;
    state.recent_orders.push(order(OrderState::Live, "0"));
    state.orders.open = 2;
    account.snapshot(&state);
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 3));
    state.seq = 4;
    state.recent_orders.clear();
    account.snapshot(&state);
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 3), "a list that was cut proves no order gone");
}

#[test]
fn a_pending_order_outlives_a_snapshot_that_lists_open_ones_only() {
    let mut account = Account::default();
    account.event(&h1(), 1, &TradeEvent::Order(order(OrderState::Signed, "0")));
    account.snapshot(&hermes(2, NOW));
    assert_eq!(up(&mut account, NOW), sizes(0, 20, 0));
}

#[test]
fn the_run_before_a_restart_has_no_say_any_more() {
    let mut account = Account::default();
    account.snapshot(&hermes(50, NOW));
    let mut restarted = hermes(1, NOW);
    restarted.boot = "h2".into();
    restarted.positions.push(position("up", "20", "0.50"));
    account.snapshot(&restarted);
    account.event(&h1(), 51, &TradeEvent::Position(position("up", "99", "0.50")));
    account.snapshot(&hermes(52, NOW));
    assert_eq!((up(&mut account, NOW), account.gaps()), (sizes(20, 0, 0), 0));
    // Two takeovers within the delay of what the first one told last.
    let mut third = hermes(1, NOW);
    third.boot = "h3".into();
    account.snapshot(&third);
    account.event(&h1(), 53, &TradeEvent::Position(position("up", "99", "0.50")));
    third.seq = 2;
    third.positions.push(position("up", "7", "0.50"));
    account.snapshot(&third);
    assert_eq!(up(&mut account, NOW), sizes(7, 0, 0));
}

#[test]
fn a_mark_counts_nothing_anew() {
    let mut account = Account::default();
    let held = position("up", "20", "0.50");
    account.event(&h1(), 1, &TradeEvent::Position(held.clone()));
    account.event(&h1(), 2, &TradeEvent::Order(order(OrderState::Live, "0")));
    assert_eq!(up(&mut account, NOW), sizes(20, 20, 0));
    // Whatever is counted from now on shows.
    account.holdings = Holdings::new();
    let marked = Position { mark: Some(crate::domain::Price(dec!(0.7))), unrealised: Some(Usd(dec!(4))), ..held };
    account.event(&h1(), 3, &TradeEvent::Position(marked.clone()));
    let mut state = hermes(4, NOW);
    state.positions.push(Position { mark: Some(crate::domain::Price(dec!(0.8))), ..marked });
    state.recent_orders.push(order(OrderState::Live, "0"));
    account.snapshot(&state);
    assert_eq!((&account.holdings, account.touched.len()), (&Holdings::new(), 0));
}

#[test]
fn what_is_flat_or_resolved_is_not_kept() {
    let mut account = Account::default();
    let held = |token: usize| position(&format!("t{token}"), "20", "0.50");
    let resolved = |token: usize| Position { payout: Some(crate::domain::Price::ZERO), ..held(token) };
    let flat = |token: usize| Position { paid: Usd::ZERO, ..position(&format!("t{token}"), "0", "0.50") };
    let kept = |account: &mut Account| {
        account.refresh(&Markets::default(), NOW);
        (account.positions.len(), account.holdings.token_count())
    };
    let mut state = hermes(1, NOW);
    state.positions =
        (0..5_000).map(resolved).chain((5_000..5_010).map(flat)).chain([held(5_010), held(5_011)]).collect();
    account.snapshot(&state);
    assert_eq!(kept(&mut account), (2, 2));
    account.event(&h1(), 2, &TradeEvent::Position(resolved(5_010)));
    account.event(&h1(), 3, &TradeEvent::Position(flat(5_011)));
    assert_eq!(kept(&mut account), (0, 0));
    assert_eq!((account.holdings.gross(), account.holdings.by_strategy().count()), (Usd::ZERO, 0));
}

mod counted_anew;
