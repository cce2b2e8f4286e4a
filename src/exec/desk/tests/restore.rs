//! A desk that was rebuilt from its ledger equals one that was never interrupted.

use std::collections::BTreeMap;

use super::*;
use crate::domain::{Held, fold};
use crate::store::ledger::{Barred, History, Hole, InboxRow, OrderRow};

/// A ledger as plain maps: what the writes of steps come to.
#[derive(Default)]
pub(super) struct Paper {
    orders: BTreeMap<(String, u32), OrderRow>,
    inbox: Vec<InboxRow>,
    fills: BTreeMap<(TradeId, OrderId), Fill>,
    markets: BTreeMap<MarketId, Market>,
    letters: BTreeMap<String, DeadLetter>,
    pub(super) journals: Vec<Journal>,
    marks: BTreeMap<TokenId, (Price, Timestamp)>,
    day: Option<(i64, Usd, Usd)>,
    highs: BTreeMap<Timestamp, Usd>,
    halts: Vec<(StrategyHalt, u64)>,
    barred: Vec<Barred>,
    holes: Vec<Hole>,
    limits: Option<ParamBook>,
    checkpoint: Option<Checkpoint>,
}

impl Paper {
    pub(super) fn keep(&mut self, step: Step) -> Vec<Effect> {
        for write in step.writes {
            match write {
                Write::Order { row, .. } => {
                    let name = (row.order.intent.intent.to_string(), row.order.intent.attempt);
                    self.orders.insert(name, *row);
                }
                Write::Inbox(row) => self.inbox.push(row),
                Write::Fill { fill, .. } => {
                    self.fills.insert((fill.trade.clone(), fill.order.clone()), *fill);
                }
                Write::Market(market) => {
                    self.markets.insert(market.market.clone(), *market);
                }
                Write::DeadLetter(letter) => {
                    self.letters.insert(letter.id.clone(), *letter);
                }
                Write::DeadLetterState { id, state } => {
                    self.letters.entry(id).and_modify(|letter| letter.state = state);
                }
                Write::Journal(journal) => self.journals.push(*journal),
                Write::Mark { token, price, at } => {
                    self.marks.insert(token, (price, at));
                }
                Write::Day { day, start, peak } => self.day = Some((day, start, peak)),
                Write::Equity { start, high } => {
                    self.highs.insert(start, high);
                }
                Write::Halt { halt, epoch, .. } => self.halts.push((halt, epoch)),
                Write::Barred(barred) => self.barred.push(barred),
                Write::Holes { holes, .. } => self.holes = holes,
                Write::Params(book) => self.limits = Some(*book),
                Write::Checkpoint { checkpoint, .. } => self.checkpoint = Some(*checkpoint),
                _ => {}
            }
        }
        step.urgent.into_iter().chain(step.after).collect()
    }

    /// What the ledger answers; nothing when it was not asked.
    fn tell(&self, desk: &mut Desk, effects: &[Effect], now: Timestamp) -> Option<Step> {
        let asked = effects.iter().find_map(|effect| match effect {
            Effect::History { token, .. } => Some(token.clone()),
            _ => None,
        })?;
        let fills = self.fills.values().filter(|fill| fill.token == asked).cloned().collect();
        Some(desk.on_history(&asked, Ok(History { market: Some(market()), fills, corrections: Vec::new() }), now))
    }

    pub(super) fn memory(&self) -> Memory {
        let mut orders = OrderCounts::default();
        for row in self.orders.values() {
            orders += row.counts();
        }
        Memory {
            orders: self.orders.values().cloned().collect(),
            counted: Counted { seq: 0, orders },
            entries: self.inbox.clone(),
            checkpoint: self.checkpoint.clone(),
            fills: self.fills.values().cloned().collect(),
            markets: self.markets.values().cloned().collect(),
            corrections: self.journals.iter().filter(|journal| journal.trade.is_none()).cloned().collect(),
            dead_letters: self.letters.len() as u64,
            marks: self.marks.iter().map(|(token, (price, at))| (token.clone(), *price, *at)).collect(),
            day: self.day,
            highs: self.highs.iter().map(|(start, high)| (*start, *high)).collect(),
            halts: self.halts.clone(),
            barred: self.barred.clone(),
            holes: self.holes.clone(),
            limits: self.limits.clone(),
            ..Memory::default()
        }
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// What may happen to one of a few orders.
#[derive(Clone, Debug)]
enum Event {
    Entry,
    Accepted,
    Rejected,
    Lost,
    Seen(VenueOrderStatus, i64),
    Fill(u8, FillStatus),
    Absent,
    Tick,
    FoldUp,
}

fn events() -> impl Strategy<Value = Vec<(usize, Event)>> {
    let status = prop_oneof![
        Just(VenueOrderStatus::Live),
        Just(VenueOrderStatus::Matched),
        Just(VenueOrderStatus::Cancelled),
        Just(VenueOrderStatus::Delayed),
    ];
    let settled = prop_oneof![
        Just(FillStatus::Matched),
        Just(FillStatus::Mined),
        Just(FillStatus::Retrying),
        Just(FillStatus::Confirmed),
        Just(FillStatus::Failed),
    ];
    let event = prop_oneof![
        4 => Just(Event::Entry),
        2 => Just(Event::Accepted),
        1 => Just(Event::Rejected),
        2 => Just(Event::Lost),
        3 => (status, 0..=10_i64).prop_map(|(status, matched)| Event::Seen(status, matched)),
        4 => (0..3_u8, settled).prop_map(|(trade, status)| Event::Fill(trade, status)),
        1 => Just(Event::Absent),
        1 => Just(Event::Tick),
        2 => Just(Event::FoldUp),
    ];
    prop::collection::vec((0..NAMES.len(), event), 0..40)
}

fn apply(desk: &mut Desk, name: &str, number: usize, event: &Event, now: Timestamp) -> Step {
    match event {
        Event::Entry => desk.on_entry(&entry(number as u64 + 1, intent(name, TimeInForce::Gtc)), &sign, at(2)),
        Event::Accepted => desk.on_posted(&key(name), accepted(), Some(now), now),
        Event::Rejected => {
            let answer = PostAnswer::Rejected { code: RejectCode::NotFilled, reason: "no".into() };
            desk.on_posted(&key(name), answer, Some(now), now)
        }
        Event::Lost => desk.on_posted(&key(name), unknown(), Some(now), now),
        Event::Seen(status, matched) => {
            let order = venue_order(name, *status, Some(Decimal::from(*matched)));
            desk.on_user_event(UserEvent::Order(order), now)
        }
        Event::Fill(trade, status) => {
            let fill = venue_fill(name, &format!("{name}{trade}"), Decimal::from(*trade) + dec!(3), *status);
            desk.on_user_event(UserEvent::Fill(fill), now)
        }
        Event::Absent => desk.on_lookup(&OrderId::new(format!("0x{name}")), now, absent(), now),
        Event::Tick => desk.on_tick(now),
        Event::FoldUp => {
            let mut step = Step::default();
            // An intent does not live for so long that a trade could be folded up before its order is in the books.
            let known = |name: &&str| desk.index.contains_key(&OrderId::new(format!("0x{name}")));
            if NAMES.iter().all(known) {
                // All trades here are of one time: settled or not, they lie before this.
                desk.portfolio.fold_up(at(101));
                desk.write_checkpoint(now, &mut step);
            }
            step
        }
    }
}

/// All that a restart must not change; what may have been sent is of unknown fate afterwards.
#[derive(Debug, PartialEq)]
struct Shown {
    orders: BTreeMap<String, (OrderState, Size, bool)>,
    positions: Vec<Position>,
    pnl: Pnl,
    counts: OrderCounts,
    reserved: Usd,
    letters: u64,
    untraded: usize,
}

fn shown(desk: &Desk) -> Shown {
    let state = |state| match state {
        OrderState::Signed | OrderState::Sent => OrderState::Unknown,
        other => other,
    };
    let orders = desk.orders.iter().map(|(key, tracked)| {
        let order = &tracked.row.order;
        let confirmed = order.times.confirmed_at.is_some();
        (key.0.to_string(), (state(order.state), order.matched, confirmed))
    });
    Shown {
        orders: orders.collect(),
        positions: desk.portfolio.positions(at(100)),
        pnl: desk.portfolio.pnl(),
        // What was signed or sent counts as unknown, and only then.
        counts: OrderCounts { unknown: 0, open: 0, sent: 0, ..desk.counts },
        reserved: desk.holdings(None).gross(),
        letters: desk.letters.waiting(),
        untraded: desk.untraded.len(),
    }
}

proptest! {
    #[test]
    fn restored_from_the_ledger_it_is_as_if_it_had_never_stopped(events in events()) {
        let mut paper = Paper::default();
        let mut desk = desk();
        paper.markets.insert("0xm".into(), market());
        for (number, (which, event)) in events.iter().enumerate() {
            let mut step = apply(&mut desk, NAMES[*which], number, event, at(10 + i64::try_from(number).expect("few")));
            // What follows from a commit, to its end: POSTs begin at once.
            loop {
                let posts: Vec<Key> = posts(&step);
                let effects = paper.keep(step);
                if let Some(told) = paper.tell(&mut desk, &effects, at(10)) {
                    step = told;
                    continue;
                }
                let Some(post) = posts.first() else { break };
                step = desk.clear_to_send(post, at(3)).map_or_else(|step| step, |(_, step)| step);
            }
        }
        let (mut again, recovery) = restored(paper.memory());
        prop_assert!(posts(&recovery).is_empty(), "nothing is sent again");
        again.on_data(PolymarketData::Book(book(at(1))), at(1));
        prop_assert_eq!(shown(&desk), shown(&again));
        if paper.checkpoint.is_none() {
            prop_assert_eq!(&fold(&paper.journals).tokens, &folded(&desk).tokens, "the journals tell the same");
        }

        // And whatever comes next leads both to the same.
        ready(&mut desk);
        ready(&mut again);
        for name in NAMES {
            for event in [Event::Fill(0, FillStatus::Confirmed), Event::Seen(VenueOrderStatus::Cancelled, 10)] {
                for desk in [&mut desk, &mut again] {
                    let step = apply(desk, name, 0, &event, at(200));
                    let effects: Vec<Effect> = step.effects().cloned().collect();
                    paper.tell(desk, &effects, at(200));
                }
            }
        }
        let without_letters = |shown: Shown| Shown { letters: 0, ..shown };
        prop_assert_eq!(without_letters(shown(&desk)), without_letters(shown(&again)));
    }
}

fn folded(desk: &Desk) -> Held {
    fold(desk.portfolio.journals())
}

#[test]
fn two_hundred_open_orders_twenty_positions_and_fifty_missed_fills_are_right_at_once() {
    let mut paper = Paper::default();
    let mut before = desk();
    before.gate =
        RiskGate::new(Limits { position_cap: Size(dec!(1_000_000)), gross_exposure: Usd(dec!(1_000_000)), ..limits() });
    let token = |n: usize| if n.is_multiple_of(2) { "1" } else { "2" };
    for n in 0..200_usize {
        let name = format!("o{n}");
        let step = before.on_entry(&entry(n as u64 + 1, intent(&name, TimeInForce::Gtc)), &sign, at(2));
        paper.keep(step);
        paper.keep(before.clear_to_send(&key(&name), at(3)).expect("clear").1);
        paper.keep(answered(&mut before, &name, accepted(), 5));
    }
    for n in 0..20_usize {
        let fill = VenueFill {
            token: format!("{}{n}", token(n)).as_str().into(),
            ..venue_fill("x", &format!("p{n}"), dec!(9), FillStatus::Confirmed)
        };
        paper.keep(before.on_user_event(UserEvent::Fill(fill), at(6)));
    }
    let (mut desk, _) = restored(paper.memory());
    assert_eq!((desk.counts.open, desk.portfolio.positions(at(7)).len()), (200, 20));
    let name = |n: usize| format!("o{n}");
    let fills = (0..50).map(|n| venue_fill(&name(n), &format!("m{n}"), dec!(10), FillStatus::Matched)).collect();
    let open = (50..200).map(|n| venue_order(&name(n), VenueOrderStatus::Live, None)).collect();
    desk.on_user_event(UserEvent::Connected, at(9));
    desk.on_tick(at(10));
    let step = desk.on_snapshot(at(10), Ok(Snapshot { orders: open, fills, ..Snapshot::default() }), at(11));
    assert_eq!((lookups(&step), mismatches(&step), desk.trouble(at(11))), (0, 0, None));
    assert_eq!((desk.counts.open, desk.counts.filled), (150, 50));
    assert_eq!(desk.portfolio.position(&"1".into()).expect("held").size, Size(dec!(500)));
    assert_eq!(desk.holdings(None).token(&"1".into()).buying, Size(dec!(1500)));
}
