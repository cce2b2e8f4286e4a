//! Orders of unknown fate: who is halted, and whether the verdict is the truth.

use std::collections::BTreeMap;

use super::*;

fn intent_of(strategy: &str, name: &str) -> OrderIntent {
    OrderIntent { strategy: strategy.into(), deadline: at(500_000), ..intent(name, TimeInForce::Gtc) }
}

#[test]
fn only_its_own_strategy_is_halted_with_words_and_only_until_it_is_settled() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", unknown(), 5);
    let fresh = |desk: &mut Desk, now: i64| {
        desk.on_tick(at(now));
        desk.on_snapshot(at(now), Ok(Snapshot::default()), at(now));
        desk.on_data(PolymarketData::Book(book(at(now))), at(now));
    };
    let unreachable = || Err(VenueError::Unreachable("down".into()));
    desk.on_lookup(&"0xa".into(), at(6), unreachable(), at(7));
    fresh(&mut desk, 60_005);
    let step = desk.on_entry(&entry(2, intent_of("momentum", "b")), &sign, at(60_005));
    assert_eq!(posts(&step), [key("b")], "a minute exactly is allowed");
    assert!(desk.halted(at(60_005)).is_empty());

    fresh(&mut desk, 61_006);
    desk.on_entry(&entry(3, intent_of("momentum", "c")), &sign, at(61_006));
    let order = &desk.orders[&key("c")].row.order;
    let reason = order.reason.clone().expect("told");
    assert_eq!(order.state, OrderState::Denied);
    assert_eq!(
        reason,
        "strategy_halt: the outcome of order a is unknown for 61 s (limit a strategy that is not halted)"
    );
    let denied = desk.clear_to_send(&key("b"), at(61_007)).expect_err("asked again before it leaves");
    assert_eq!((state(&desk, "b"), acks(&denied)), (OrderState::Denied, 1));
    let shown = desk.snapshot(KillReport::idle(latch(1, KillState::Armed)), 0, at(61_007));
    assert_eq!((shown.halted.len(), shown.halted[0].strategy.as_str()), (1, "momentum"));
    assert_eq!(shown.trading_state, TradingState::Active, "the others trade on");
    let step = desk.on_entry(&entry(4, intent_of("weather", "d")), &sign, at(61_008));
    assert_eq!(posts(&step), [key("d")]);
    assert_eq!(desk.holdings(None).token(&"1".into()).buying, Size(dec!(20)), "a and d, whole");

    let seen = venue_order("a", VenueOrderStatus::Cancelled, Some(dec!(0)));
    desk.on_lookup(&"0xa".into(), at(61_010), Ok(Lookup { order: Some(seen), fills: Vec::new() }), at(61_011));
    assert!(desk.halted(at(61_011)).is_empty());
    let step = desk.on_entry(&entry(5, intent_of("momentum", "e")), &sign, at(61_012));
    assert_eq!(posts(&step), [key("e")]);
}

#[test]
fn a_refusal_of_an_order_that_is_live_is_a_contradiction_and_it_is_cancelled() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Live, None)), at(4));
    let no = PostAnswer::Rejected { code: RejectCode::Balance, reason: "not enough balance".into() };
    let step = answered(&mut desk, "a", no, 5);
    assert!(step.urgent.iter().any(|effect| matches!(effect, Effect::Cancel(orders) if orders == &["0xa".into()])));
    assert_eq!((state(&desk, "a"), mismatches(&step)), (OrderState::Rejected, 1));
    assert_eq!(desk.holdings(None).gross(), Usd(dec!(5.175)), "it may still be matched");
    desk.on_tick(at(30_000));
    desk.on_snapshot(at(30_000), Ok(Snapshot::default()), at(30_010));
    assert_eq!(desk.holdings(None).gross(), Usd::ZERO, "the venue lists it no more");
}

/// What becomes of an order at the venue, whatever we hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Rests,
    Matches,
    Dies,
    NeverArrives,
}

/// A generator of numbers: the same seed, the same world.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// What the venue has, from when on.
struct World {
    orders: BTreeMap<String, (Fate, i64)>,
}

impl World {
    fn look(&self, name: &str, now: i64) -> Lookup {
        let (fate, from) = self.orders[name];
        let here = fate != Fate::NeverArrives && now >= from;
        let order = here.then(|| match fate {
            Fate::Rests => venue_order(name, VenueOrderStatus::Live, Some(dec!(0))),
            Fate::Matches => venue_order(name, VenueOrderStatus::Matched, Some(dec!(10))),
            Fate::Dies | Fate::NeverArrives => venue_order(name, VenueOrderStatus::Cancelled, Some(dec!(0))),
        });
        let matched = here && fate == Fate::Matches;
        let fill = VenueFill {
            trade: TradeId::new(format!("t-{name}")),
            ..venue_fill(name, "", dec!(10), FillStatus::Matched)
        };
        // An order that is matched at once may be gone from the list of orders: then only its trade tells.
        let order = order.filter(|_| !matched || from % 2 == 0);
        Lookup { order, fills: if matched { vec![fill] } else { Vec::new() } }
    }
}

#[test]
fn a_thousand_orders_with_a_tenth_of_the_replies_lost_get_the_verdict_that_is_true() {
    let mut desk = desk();
    desk.gate =
        RiskGate::new(Limits { position_cap: Size(dec!(1_000_000)), gross_exposure: Usd(dec!(1_000_000)), ..limits() });
    let (mut dice, mut world) = (Dice(42), World { orders: BTreeMap::new() });
    let mut lost = Vec::new();
    for n in 0..1_000_u64 {
        let name = format!("o{n}");
        desk.on_entry(&entry(n + 1, intent_of("momentum", &name)), &sign, at(2));
        desk.clear_to_send(&key(&name), at(3)).expect("clear");
        let fate = [Fate::Rests, Fate::Matches, Fate::Dies][usize::try_from(dice.below(3)).expect("small")];
        if dice.below(10) > 0 {
            world.orders.insert(name.clone(), (fate, 0));
            desk.on_posted(&key(&name), accepted(), Some(at(4)), at(5));
            continue;
        }
        let never = dice.below(3) == 0;
        // Late by up to 14 s: the venue's window for a POST that hangs somewhere.
        let from = i64::try_from(dice.below(14_000)).expect("small");
        world.orders.insert(name.clone(), (if never { Fate::NeverArrives } else { fate }, from));
        let step = desk.on_posted(&key(&name), unknown(), Some(at(4)), at(5));
        assert_eq!(lookups(&step), 1, "looked for at once");
        let id = OrderId::new(format!("0x{name}"));
        desk.on_lookup(&id, at(5), Ok(world.look(&name, 5)), at(6));
        lost.push(name);
    }
    assert!((60..140).contains(&lost.len()), "{} lost", lost.len());
    let reserved = desk.holdings(None).token(&"1".into()).buying;
    assert_eq!(reserved, Size(Decimal::from(10_000)), "whole, whatever is known");

    for now in (10..40_000_i64).step_by(500) {
        let step = desk.on_tick(at(now));
        for effect in &step.urgent {
            if let Effect::Lookup { order, .. } = effect {
                let name = order.as_str().trim_start_matches("0x").to_owned();
                // One in five fails; failures are no evidence.
                let answer = if dice.below(5) == 0 {
                    Err(VenueError::Unreachable("reset".into()))
                } else {
                    Ok(world.look(&name, now))
                };
                let step = desk.on_lookup(order, at(now), answer, at(now + 1));
                assert!(posts(&step).is_empty(), "nothing unknown is sent again");
            }
        }
    }
    for name in &lost {
        let (fate, _) = world.orders[name];
        let truth = match fate {
            // It has rested long enough by then: a cancel was asked for.
            Fate::Rests => OrderState::CancelPending,
            Fate::Matches => OrderState::Filled,
            Fate::Dies => OrderState::Cancelled,
            Fate::NeverArrives => OrderState::Rejected,
        };
        assert_eq!(state(&desk, name), truth, "{name} {fate:?}");
    }
    assert_eq!(desk.counts.unknown, 0);
}
