//! Many orders whose answers are lost: what the ledger says of each is what the venue has.

use std::collections::BTreeMap;

use super::*;
use crate::exec::hermes::trades::Trades;
use crate::exec::hermes::venue_calls::look;
use crate::exec::venue::VenueOrderStatus;

const ORDERS: u32 = 1_000;

/// What happens to each POST: of ten, one answer is lost after the order was taken, or before, or the order comes late.
fn scripts() -> impl Iterator<Item = Script> {
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (noise >> 33) % 100 {
            0..4 => Script::LoseReply,
            4..7 => Script::LoseRequest,
            7..10 => Script::AcceptLate,
            10..20 => Script::Fill,
            _ => Script::Rest,
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_orders_with_a_tenth_of_the_answers_lost_every_verdict_is_the_truth() {
    let world = World::new();
    let hermes = world.start().await;
    for script in scripts().take(ORDERS as usize) {
        world.venue.next(script);
    }
    let (filled_or_open, all) = (u64::from(ORDERS), u64::from(ORDERS));
    for number in 0..ORDERS {
        let later = clock::now().plus(WAIT * 20);
        world.append(OrderIntent { deadline: later, rest_until: later, ..intent(&format!("n{number}"), 1) }).await;
    }
    let settled = |state: &HermesState| {
        let orders = state.orders;
        orders.sent == all && orders.unknown == 0 && orders.open + orders.filled + orders.rejected == filled_or_open
    };
    world.until_within(WAIT * 6, "every verdict", settled).await;
    let posts = world.venue.posts();
    assert_eq!(posts.len(), ORDERS as usize, "each was sent once");
    let truth = world.venue.truth();
    let ledger = SqliteLedger::open(&world.path().join("ledger.db")).await.expect("opens");
    // The snapshot may be a commit ahead of the ledger.
    let mut wrong = wrong_verdicts(&ledger, &posts, &truth).await;
    for _ in 0..100 {
        if wrong.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        wrong = wrong_verdicts(&ledger, &posts, &truth).await;
    }
    assert_eq!(wrong, []);
    assert!(
        truth.len() < posts.len() && truth.len() > posts.len() * 9 / 10,
        "{} of {} were taken",
        truth.len(),
        posts.len()
    );
    world.until("all acknowledged", |_| world.bus.unacknowledged() == 0).await;
    hermes.stop().await;
}

/// Orders of which the ledger says something else than the venue: what it says, and what it should.
async fn wrong_verdicts(
    ledger: &SqliteLedger,
    posts: &[OrderId],
    truth: &BTreeMap<OrderId, VenueOrderStatus>,
) -> Vec<(OrderId, OrderState, OrderState)> {
    let memory = ledger.load(2 * ORDERS).await.expect("loads");
    let verdict = |row: crate::store::ledger::OrderRow| (row.order.order.expect("signed"), row.order.state);
    let verdicts: BTreeMap<OrderId, OrderState> = memory.orders.into_iter().map(verdict).collect();
    let wrong = |order: &OrderId| {
        let expected = match truth.get(order) {
            None => OrderState::Rejected,
            Some(VenueOrderStatus::Matched) => OrderState::Filled,
            Some(_) => OrderState::Live,
        };
        (verdicts[order] != expected).then(|| (order.clone(), verdicts[order], expected))
    };
    posts.iter().filter_map(wrong).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_for_trades_at_one_time_share_a_read_that_begins_after_they_asked() {
    let venue = Arc::new(TestVenue::default());
    venue.holds_reads.store(true, Ordering::SeqCst);
    let trades = Trades::new(venue.clone(), TaskTracker::new(), CancellationToken::new());
    let since = Timestamp::default();
    let mut first = Box::pin(trades.since(since));
    assert!(futures::poll!(&mut first).is_pending());
    while venue.reads.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut others: Vec<_> = (0..100).map(|_| Box::pin(trades.since(since))).collect();
    for other in &mut others {
        assert!(futures::poll!(other).is_pending());
    }
    venue.holds_reads.store(false, Ordering::SeqCst);
    venue.released.notify_one();
    assert!(first.await.is_ok());
    assert!(
        tokio::time::timeout(WAIT, futures::future::join_all(others)).await.expect("in time").iter().all(Result::is_ok)
    );
    assert_eq!(venue.reads.load(Ordering::SeqCst), 2, "one that was under way, and one for all of them");
    assert!(trades.since(since).await.is_ok());
    assert_eq!(venue.reads.load(Ordering::SeqCst), 3, "nothing is remembered");
}

#[tokio::test]
async fn an_order_that_is_named_by_a_trade_which_cannot_be_read_is_not_absent() {
    let venue = Arc::new(TestVenue::default());
    venue.spoil("bad", r#"{"taker_order_id":"0xlost"}"#);
    let trades = Trades::new(venue.clone(), TaskTracker::new(), CancellationToken::new());
    let (venue, since) = (venue.as_ref(), Timestamp::default());
    let error = look(venue, &trades, &"0xLOST".into(), since).await.expect_err("nobody knows");
    assert!(error.to_string().contains("trade.market"), "{error}");
    let other = look(venue, &trades, &"0xother".into(), since).await.expect("an answer");
    assert!(other.order.is_none() && other.fills.is_empty());
}
