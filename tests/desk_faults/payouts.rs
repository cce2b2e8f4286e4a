//! What a market pays: somebody redeems, and nobody tells the desk.

use cockpit::domain::{JournalKind, OrderState, Size, Usd};
use rust_decimal::dec;

use crate::world::{Kind, LONG, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_that_are_paid_out_are_a_redemption_and_neither_a_mismatch_nor_a_profit() {
    let mut world = World::start(2, &[("reconcile_s = 30", "reconcile_s = 2")]).await;
    world.wish("won", 0, Kind::Take, LONG).await;
    let bought = world.order("won", "confirmed", |order| order.times.confirmed_at.is_some()).await;
    world.resolve(0, [dec!(1), dec!(0)]).await;
    let known =
        world.until("the result to be known", |state| state.positions.iter().any(|held| held.payout.is_some())).await;
    let gone = |state: &cockpit::domain::HermesState| state.positions.iter().all(|held| held.size.is_zero());
    let state = world.until("the shares to be paid out", gone).await;
    assert!(state.kill.latch.is_armed(), "{:?}", state.kill);
    let profit = (dec!(1) - dec!(0.6)) * bought.matched.decimal();
    assert_eq!((known.pnl.total + known.pnl.fees, state.pnl.total), (Usd(profit), known.pnl.total));
    assert_eq!((state.pnl.realised, state.pnl.unrealised), (Usd(profit), Usd::ZERO));
    world.wish("after", 1, Kind::Take, LONG).await;
    world.order("after", "filled", |order| order.state == OrderState::Filled).await;

    let ended = world.finish().await;
    ended.check_orders(0, 0);
    ended.check_mismatches(&[]);
    let kinds = |kind| ended.journals.iter().filter(move |journal| journal.kind == kind).count();
    assert_eq!(
        (kinds(JournalKind::Redemption), kinds(JournalKind::Opening), kinds(JournalKind::Correction)),
        (1, 1, 0)
    );
    ended.check_pusd();
    assert!(bought.matched > Size::ZERO);
}
