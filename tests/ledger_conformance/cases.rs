//! What holds for every ledger.

use std::time::Duration;

use cockpit::clock;
use cockpit::domain::*;
use cockpit::store::ledger::{Barred, Hole, Known, Lease, Ledger, LedgerError, VenueList, Write};
use rust_decimal::dec;

use crate::place::{Place, commit};
use crate::sample::*;

/// Longer than any test takes.
const LONG: Duration = Duration::from_mins(1);

pub(crate) async fn what_is_committed_is_read_back_after_reopening(place: &Place) {
    let ledger = place.open().await;
    let mut live = order(1, OrderState::Signed);
    let day = |peak| Write::Day { day: 3, start: Usd(dec!(1.5)), peak: Usd(peak) };
    let mode = |value: &str| Write::Meta { key: "mode", value: value.into() };
    commit(&*ledger, &[mode("SIM"), inbox(1, "1-0", "b"), put(&live), day(dec!(2))]).await;
    let mark = |price| Write::Mark { token: "1".into(), price: Price(price), at: at(8) };
    live.order.state = OrderState::Live;
    live.accepted = true;
    let latches = [latch(1, KillState::Armed), latch(2, KillState::Killed)];
    let [armed, killed] = latches.clone().map(Write::Latch);
    commit(&*ledger, &[put(&live), armed, killed, day(dec!(4)), mark(dec!(0.4)), mark(dec!(0.45)), mode("LIVE")]).await;
    let fills = [fill(1, FillStatus::Confirmed), fill(2, FillStatus::Matched)];
    commit(&*ledger, &[seen(&fill(1, FillStatus::Matched)), seen(&fills[1]), seen(&fills[0]), command(1)]).await;
    let hole = |id: &str| Hole { list: VenueList::Trades, id: Some(id.into()), reason: "no market".into(), at: at(4) };
    let holes = |all: &[Hole]| Write::Holes { holes: all.to_vec(), at: at(5) };
    commit(&*ledger, &[holes(&[hole("t1"), hole("t2")]), limits(1), Write::Alert(alert())]).await;
    commit(&*ledger, &[holes(&[hole("t2")])]).await;
    let halt = |epoch| {
        let halt = StrategyHalt { strategy: "momentum".into(), why: "too many of the same".into() };
        Write::Halt { halt, epoch, at: at(6) }
    };
    let barred = |code, epoch| Barred { code, epoch, at: at(6) };
    let [banned, banned_again] = [1, 2].map(|epoch| barred(RejectCode::Banned, epoch));
    let closed = barred(RejectCode::ClosedOnly, 1);
    commit(&*ledger, &[limits(2), halt(1), halt(2), Write::Barred(banned), Write::Barred(closed)]).await;
    commit(&*ledger, &[Write::Barred(banned_again)]).await;
    ledger.close().await;

    let memory = place.load(10).await;
    assert_eq!(
        memory.halts.iter().map(|(halt, epoch)| (halt.strategy.as_str(), *epoch)).collect::<Vec<_>>(),
        [("momentum", 2)]
    );
    let mut kept = memory.barred.clone();
    kept.sort_by_key(|barred| barred.code);
    assert_eq!(kept, [banned_again, closed], "the newest of each");
    assert_eq!(memory.orders, [live]);
    assert_eq!(memory.fills, fills);
    assert_eq!(memory.latch, Some(latches[1].clone()));
    assert_eq!(memory.holes, [hole("t2")], "those that were written last");
    assert_eq!(memory.day, Some((3, Usd(dec!(1.5)), Usd(dec!(4)))));
    assert_eq!(memory.marks, [("1".into(), Price(dec!(0.45)), at(8))]);
    assert_eq!(memory.entries.iter().map(|row| row.entry.as_str()).collect::<Vec<_>>(), ["1-0"]);
    assert_eq!(memory.mode.as_deref(), Some("SIM"), "it is said once");
    assert_eq!(memory.limits.map(Box::new).map(Write::Params), Some(limits(2)), "with their history");
}

pub(crate) async fn an_intent_is_taken_once_and_the_whole_batch_falls_with_it(place: &Place) {
    let ledger = place.open().await;
    commit(&*ledger, &[inbox(1, "1-0", "b1")]).await;
    commit(&*ledger, &[inbox(1, "1-0", "b1")]).await;
    let row = order(1, OrderState::Signed);
    for other in [inbox(1, "2-0", "b1"), inbox(1, "1-0", "b2")] {
        let error = ledger.commit(&[put(&row), other]).await.expect_err("taken before");
        assert!(matches!(error, LedgerError::Duplicate { attempt: 1, .. }), "{error}");
    }
    assert!(place.load(10).await.orders.is_empty(), "rolled back");
}

pub(crate) async fn a_second_row_for_an_order_is_refused_by_name_and_the_order_is_found_by_its_id(place: &Place) {
    let ledger = place.open().await;
    commit(&*ledger, &[put(&order(1, OrderState::Rejected))]).await;
    let mut other = order(2, OrderState::Live);
    other.order.order = Some(OrderId::new("0x1"));
    for _ in 0..2 {
        let error = ledger.commit(&[put(&other)]).await.expect_err("there is one");
        assert!(matches!(&error, LedgerError::Refused { reason, .. } if reason.contains("order_id")), "{error:?}");
    }
    commit(&*ledger, &[put(&order(3, OrderState::Live))]).await;
    commit(&*ledger, &[seen(&fill(1, FillStatus::Confirmed))]).await;
    let known = Known { row: Some(order(1, OrderState::Rejected)), fills: vec![fill(1, FillStatus::Confirmed)] };
    assert_eq!(ledger.order(&OrderId::new("0x1")).await, Ok(known));
    assert_eq!(ledger.order(&OrderId::new("0x9")).await, Ok(Known::default()));
}

pub(crate) async fn an_old_order_with_a_trade_that_is_not_settled_is_read_back(place: &Place) {
    let ledger = place.open().await;
    for n in 1..=3 {
        commit(&*ledger, &[put(&order(n, OrderState::Filled))]).await;
    }
    commit(&*ledger, &[seen(&fill(1, FillStatus::Mined)), seen(&fill(2, FillStatus::Confirmed))]).await;
    let names: Vec<String> = place.load(1).await.orders.iter().map(|row| row.order.intent.intent.to_string()).collect();
    assert_eq!(names, ["i1", "i3"]);
}

pub(crate) async fn history_cannot_be_changed(place: &Place) {
    let ledger = place.open().await;
    commit(&*ledger, &[inbox(1, "1-0", "b"), put(&order(1, OrderState::Signed)), book(&journal(1))]).await;
    for sql in [
        "UPDATE log SET what = 'x'",
        "DELETE FROM log",
        "UPDATE inbox SET boot = 'x'",
        "DELETE FROM inbox",
        "UPDATE journals SET at = 0",
        "DELETE FROM journals",
    ] {
        let error = place.tamper(sql).await.expect_err(sql);
        assert!(error.contains("append-only"), "{error}");
    }
    if let Place::Postgres(..) = place {
        assert!(place.tamper("TRUNCATE log").await.expect_err("kept").contains("append-only"));
    }
}

pub(crate) async fn a_dead_letter_is_kept_once_and_waits_until_it_is_on_the_bus(place: &Place) {
    let ledger = place.open().await;
    commit(&*ledger, &[bury(&letter(5)), bury(&letter(5))]).await;
    let memory = place.load(1).await;
    assert_eq!((memory.dead_letters, memory.unpublished), (1, vec![letter(5)]));
    let published = Write::DeadLetterPublished { id: letter(5).id };
    commit(&*ledger, &[published.clone(), published]).await;
    let memory = place.load(1).await;
    assert_eq!((memory.letters.len(), memory.unpublished.len()), (1, 0));
}

pub(crate) async fn what_was_done_about_a_letter_is_read_back(place: &Place) {
    let ledger = place.open().await;
    let dropped = DeadLetterState::Dropped { by: "alice".into(), why: "stale".into(), at: at(7) };
    let settled = |n, state: &DeadLetterState| Write::DeadLetterState { id: letter(n).id, state: state.clone() };
    commit(&*ledger, &[bury(&letter(1)), bury(&letter(2)), bury(&letter(3))]).await;
    commit(&*ledger, &[settled(2, &dropped)]).await;
    let memory = place.load(1).await;
    let expected = [letter(3), DeadLetter { state: dropped.clone(), ..letter(2) }, letter(1)];
    assert_eq!((memory.dead_letters, &memory.letters[..]), (2, &expected[..]), "newest first");
    assert_eq!(ledger.letter(&letter(2).id).await, Ok(Some(expected[1].clone())), "by its id, as it stands now");
    assert_eq!(ledger.letter("nobody's").await, Ok(None));
    assert_eq!(memory.unpublished.len(), 3);
    let error = ledger.commit(&[settled(9, &dropped)]).await.expect_err("there is none");
    assert!(matches!(&error, LedgerError::Refused { what, .. } if what.contains("9-0")), "{error}");
}

pub(crate) async fn a_journal_out_of_balance_is_refused_and_the_batch_with_it(place: &Place) {
    let ledger = place.open().await;
    let mut wrong = journal(1);
    wrong.postings[0].amount += dec!(0.000001);
    let batch = [put(&order(1, OrderState::Signed)), book(&wrong)];
    let error = ledger.commit(&batch).await.expect_err("out of balance");
    assert!(error.to_string().contains("0.000001"), "{error}");
    assert!(place.load(1).await.orders.is_empty(), "rolled back");
}

pub(crate) async fn a_journal_is_booked_once_and_never_with_another_content(place: &Place) {
    let ledger = place.open().await;
    commit(&*ledger, &[book(&correction(dec!(1))), book(&correction(dec!(1)))]).await;
    commit(&*ledger, &[book(&correction(dec!(1)))]).await;
    for batch in [vec![book(&correction(dec!(2)))], vec![book(&journal(4)), book(&Journal { at: at(0), ..journal(4) })]]
    {
        let error = ledger.commit(&batch).await.expect_err("another content");
        assert!(error.to_string().contains("booked before"), "{error}");
    }
    assert_eq!(place.load(1).await.corrections, [correction(dec!(1))]);
}

pub(crate) async fn corrections_are_read_back_and_the_journals_of_fills_are_not(place: &Place) {
    let ledger = place.open().await;
    commit(&*ledger, &[book(&journal(1)), book(&correction(dec!(-3))), book(&journal(2))]).await;
    assert_eq!(place.load(1).await.corrections, [correction(dec!(-3))]);
}

pub(crate) async fn a_lease_has_one_holder_and_a_takeover_fences_the_one_before(place: &Place) {
    let (first, second) = (place.open().await, place.open().await);
    assert_eq!(first.lease("a", LONG).await, Ok(Lease::Ours { token: 1 }));
    assert_eq!(first.lease("a", LONG).await, Ok(Lease::Ours { token: 1 }), "renewed");
    let row = order(1, OrderState::Signed);
    commit(&*first, &[put(&row)]).await;
    let asked = second.lease("b", LONG).await.expect("asked");
    let Lease::Theirs { holder, expires_in } = asked else { panic!("{asked:?}") };
    assert!(holder == "a" && expires_in <= LONG, "{holder} {expires_in:?}");

    let short = Duration::from_millis(300);
    assert_eq!(first.lease("a", short).await, Ok(Lease::Ours { token: 1 }), "for the rest of a moment");
    let token = until_ours(&*second, "b").await;
    assert_eq!(token, 2);
    let fenced = LedgerError::Fenced { ours: 1, newest: 2 };
    assert_eq!(first.commit(&[put(&order(2, OrderState::Signed))]).await, Err(fenced));
    assert!(matches!(first.lease("a", short).await, Ok(Lease::Theirs { holder, .. }) if holder == "b"));
    commit(&*second, &[put(&order(3, OrderState::Signed))]).await;
    let tokens: Vec<u64> = place.load(9).await.orders.iter().map(|row| row.token).collect();
    assert_eq!(tokens, [1, 2], "of the first and of the third order");
}

/// Asks until it is given.
async fn until_ours(ledger: &dyn Ledger, holder: &str) -> u64 {
    let begun = clock::monotonic();
    loop {
        match ledger.lease(holder, LONG).await.expect("asked") {
            Lease::Ours { token } => return token,
            Lease::Theirs { expires_in, .. } => {
                assert!(begun.elapsed() < LONG, "never given");
                tokio::time::sleep(expires_in.min(Duration::from_millis(50))).await;
            }
        }
    }
}

pub(crate) async fn a_lease_that_was_given_up_is_free_at_once(place: &Place) {
    let (first, second) = (place.open().await, place.open().await);
    first.release_lease().await.expect("nothing to give up");
    assert_eq!(first.lease("a", LONG).await, Ok(Lease::Ours { token: 1 }));
    first.release_lease().await.expect("given up");
    commit(&*first, &[put(&order(1, OrderState::Signed))]).await;
    assert_eq!(first.lease("a", LONG).await, Ok(Lease::Ours { token: 1 }), "nobody else had it");
    first.release_lease().await.expect("given up");
    assert_eq!(second.lease("b", LONG).await, Ok(Lease::Ours { token: 2 }));
    first.release_lease().await.expect("no longer ours to give up");
    assert!(matches!(first.lease("a", LONG).await, Ok(Lease::Theirs { .. })));
}

pub(crate) async fn of_many_who_ask_at_once_one_gets_the_lease(place: &Place) {
    let mut ledgers = Vec::new();
    for _ in 0..6 {
        ledgers.push(place.open().await);
    }
    let asked = ledgers.iter().enumerate().map(|(n, ledger)| async move {
        let lease = ledger.lease(&n.to_string(), LONG).await.expect("asked");
        (lease, ledger.commit(&[put(&order(u32::try_from(n).unwrap(), OrderState::Signed))]).await)
    });
    let answers = futures::future::join_all(asked).await;
    let ours = answers.iter().filter(|(lease, _)| *lease == Lease::Ours { token: 1 });
    assert_eq!(ours.count(), 1, "{answers:?}");
    for (lease, committed) in &answers {
        let won = matches!(lease, Lease::Ours { .. });
        let fenced = *committed == Err(LedgerError::Fenced { ours: 0, newest: 1 });
        assert!(if won { committed.is_ok() } else { fenced }, "{lease:?} {committed:?}");
    }
    assert_eq!(place.load(9).await.orders.len(), 1);
}

pub(crate) async fn whoever_never_had_the_lease_cannot_write_once_there_was_one(place: &Place) {
    let (first, second) = (place.open().await, place.open().await);
    commit(&*second, &[put(&order(1, OrderState::Signed))]).await;
    assert_eq!(first.lease("a", Duration::ZERO).await, Ok(Lease::Ours { token: 1 }));
    let fenced = LedgerError::Fenced { ours: 0, newest: 1 };
    assert_eq!(second.commit(&[put(&order(2, OrderState::Signed))]).await, Err(fenced), "although it has run out");
}

pub(crate) async fn two_hundred_open_orders_of_ten_thousand_are_read_fast(place: &Place) {
    let ledger = place.open().await;
    let rows: Vec<Write> = (0..10_000_u32)
        .flat_map(|n| {
            let state = if n % 50 == 0 { OrderState::Live } else { OrderState::Filled };
            [inbox(n, &format!("{n}-0"), "b"), put(&order(n, state)), seen(&fill(n, FillStatus::Confirmed))]
        })
        .collect();
    for batch in rows.chunks(500) {
        commit(&*ledger, batch).await;
    }
    let begun = clock::monotonic();
    let memory = ledger.load(200).await.expect("loads");
    let took = begun.elapsed();
    assert_eq!((memory.orders.len(), memory.entries.len(), memory.fills.len()), (400, 200, 10_000));
    assert_eq!((memory.counted.orders.open, memory.counted.orders.filled), (200, 9_800));
    assert!(took < Duration::from_secs(20), "{took:?} in a build that is not optimised");
}

pub(crate) async fn a_batch_of_many_writes_is_one_commit(place: &Place) {
    let ledger = place.open().await;
    let mut writes: Vec<Write> = (0..180).map(|n| put(&order(n, OrderState::Live))).collect();
    commit(&*ledger, &writes).await;
    assert_eq!(place.load(0).await.orders.len(), 180);
    writes.push(inbox(1, "1-0", "a"));
    writes.push(inbox(1, "2-0", "a"));
    ledger.commit(&writes).await.expect_err("taken twice");
    assert!(place.load(0).await.entries.is_empty(), "all or nothing");
}
