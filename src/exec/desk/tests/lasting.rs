//! Silence of all books, and outcomes that stay unknown: what lasts for too long kills.

use super::*;

/// A desk with the limits that are usual for what must not last.
fn watchful() -> Desk {
    let mut desk = desk();
    let usual = bench::limits();
    let limits = Limits { data_mute: usual.data_mute, unknown_kill: usual.unknown_kill, ..desk.gate.limits().clone() };
    desk.gate = RiskGate::new(limits);
    desk
}

fn hold(desk: &mut Desk, token: &str, now: i64) {
    let trade = format!("t-{token}");
    let fill = venue_fill(&format!("x-{token}"), &trade, dec!(10), FillStatus::Confirmed);
    desk.on_user_event(UserEvent::Fill(VenueFill { token: token.into(), ..fill }), at(now));
}

fn heard(desk: &mut Desk, token: &str, now: i64) {
    desk.on_data(PolymarketData::Book(Book { token: token.into(), ..book(at(now)) }), at(now));
}

fn kills(step: &Step) -> Vec<String> {
    let why = |effect: &Effect| if let Effect::Kill(why) = effect { Some(why.clone()) } else { None };
    step.urgent.iter().filter_map(why).collect()
}

/// What kills within these milliseconds, looked at once a second from the first on and at the last.
fn killed(desk: &mut Desk, from: i64, to: i64) -> Vec<String> {
    let looks = (from..to).step_by(1_000).chain([to]);
    looks.flat_map(|now| kills(&desk.on_tick(at(now)))).collect()
}

fn levels(step: &Step) -> Vec<(Control, u32)> {
    let level = |write: &Write| if let Write::Alert(alert) = write { Some((alert.control, alert.level)) } else { None };
    step.writes.iter().filter_map(level).collect()
}

const MUTE: &str = "data_mute: 120.001 s without news of any book of what is held or on order (limit 120 s)";

#[test]
fn nothing_heard_of_what_is_held_for_longer_than_the_limit_alerts_kills_and_forbids_arming() {
    let mut desk = watchful();
    hold(&mut desk, "1", 500);
    let quiet = |now| Book { heard_at: Some(at(now)), ..book(at(1_000)) };
    for second in 1..=300 {
        desk.on_data(PolymarketData::Book(quiet(second * 1_000)), at(second * 1_000));
        assert!(kills(&desk.on_tick(at(second * 1_000))).is_empty(), "a quiet book that is confirmed is heard");
    }
    let told: Vec<_> = (301..=420).flat_map(|second| levels(&desk.on_tick(at(second * 1_000)))).collect();
    let mute = told.iter().filter(|(control, _)| *control == Control::DataMute).map(|(_, level)| *level);
    assert_eq!(mute.collect::<Vec<_>>(), [50, 80, 95, 100]);
    assert!(desk.lasting_too_long(at(420_000)).is_empty(), "two minutes to the microsecond");
    desk.timers = timers::Timers::at(at(419_000));
    assert_eq!(kills(&desk.on_tick(at(420_001))), [MUTE]);
    let objections = desk.objections(at(420_001)).join("; ");
    assert!(objections.contains(&format!("{MUTE}: widen the limit with --confirm")), "{objections}");
    heard(&mut desk, "1", 421_500);
    assert!(killed(&mut desk, 422_000, 430_000).is_empty());
    assert!(!desk.objections(at(430_000)).join("; ").contains("data_mute"));
}

#[test]
fn an_order_that_rests_is_enough_and_a_desk_without_anything_at_stake_hears_nothing() {
    let mut desk = watchful();
    assert!(killed(&mut desk, 1_000, 1_000_000).is_empty());
    desk.on_snapshot(at(1_000_000), Ok(Snapshot::default()), at(1_000_000));
    let deadline = at(1_002_000);
    let resting = OrderIntent { deadline, rest_until: at(9_000_000), ..intent("a", TimeInForce::Gtc) };
    heard(&mut desk, "1", 1_000_000);
    desk.on_entry(&entry(1, resting), &sign, at(1_000_000));
    desk.clear_to_send(&key("a"), at(1_000_000)).expect("clear");
    answered(&mut desk, "a", accepted(), 1_000_001);
    desk.books.clear(); // As after a restart.
    assert!(killed(&mut desk, 1_001_000, 1_121_000).is_empty());
    assert_eq!(killed(&mut desk, 1_122_000, 1_122_000).len(), 1);
}

#[test]
fn one_book_that_is_heard_is_enough() {
    let mut desk = watchful();
    hold(&mut desk, "1", 500);
    hold(&mut desk, "2", 501);
    for second in 1..600 {
        heard(&mut desk, "2", second * 1_000);
        assert!(kills(&desk.on_tick(at(second * 1_000))).is_empty());
    }
}

#[test]
fn neither_the_time_from_close_to_result_nor_a_roll_nor_a_market_that_nobody_describes_is_silence() {
    let mut desk = watchful();
    hold(&mut desk, "1", 500);
    let told = |desk: &mut Desk, slug: &str, tokens: [&str; 2], closes: i64| {
        let [mut one, mut other] = market().tokens;
        (one.token, other.token) = (tokens[0].into(), tokens[1].into());
        let market = Market {
            market: slug.into(),
            slug: slug.into(),
            tokens: [one, other],
            closes_at: Some(at(closes)),
            ..market()
        };
        desk.on_data(PolymarketData::Market(market), at(1));
    };
    told(&mut desk, "0xm", ["1", "2"], 60_000);
    heard(&mut desk, "1", 59_000);
    assert!(killed(&mut desk, 59_500, 900_000).is_empty(), "it waits for its result");

    // The next window: its own silence counts from when something of it is held.
    told(&mut desk, "0xn", ["3", "4"], 2_000_000);
    hold(&mut desk, "3", 900_500);
    assert!(killed(&mut desk, 901_000, 1_021_000).is_empty());
    heard(&mut desk, "3", 1_021_000);
    assert!(killed(&mut desk, 1_022_000, 1_142_000).is_empty());
    assert_eq!(killed(&mut desk, 1_143_000, 1_143_000).len(), 1);

    let mut desk = watchful();
    hold(&mut desk, "nobody-describes-it", 500);
    assert!(killed(&mut desk, 1_000, 900_000).is_empty(), "equity is not known, and that says it");
}

#[test]
fn what_is_held_since_before_a_restart_counts_from_its_first_book_on() {
    let fill = Fill {
        trade: "t1".into(),
        order: "0xx".into(),
        strategy: None,
        market: "0xm".into(),
        token: "1".into(),
        outcome: "Up".into(),
        side: Side::Buy,
        price: Price(dec!(0.50)),
        size: Size(dec!(10)),
        fee: Usd::ZERO,
        role: Role::Maker,
        status: FillStatus::Confirmed,
        matched_at: at(-900_000),
    };
    let memory = Memory { fills: vec![fill], markets: vec![market()], ..Memory::default() };
    let (mut desk, _) = restored(memory);
    let limits = Limits { data_mute: Duration::from_mins(2), ..desk.gate.limits().clone() };
    desk.gate = RiskGate::new(limits);
    assert!(killed(&mut desk, 1_000, 900_000).is_empty(), "nobody may follow it any more");
    heard(&mut desk, "1", 900_500);
    assert!(killed(&mut desk, 901_000, 1_021_000).is_empty());
    let killed = killed(&mut desk, 1_022_000, 1_022_000);
    assert!(killed.len() == 1 && killed[0].starts_with("data_mute: 121 s"), "{killed:?}");
}

#[test]
fn an_outcome_that_stays_unknown_kills_after_its_longer_limit_and_a_restart_looks_first() {
    let mut desk = watchful();
    desk.gate = RiskGate::new(Limits { data_mute: Duration::from_hours(1), ..desk.gate.limits().clone() });
    sent(&mut desk, "a", TimeInForce::Gtc);
    let row = desk.orders[&key("a")].row.clone();
    answered(&mut desk, "a", unknown(), 1_000);
    desk.on_lookup(&"0xa".into(), at(1_000), Err(VenueError::Unreachable("down".into())), at(1_001));
    assert!(killed(&mut desk, 2_000, 301_000).is_empty());
    assert_eq!(desk.halted(at(301_000)).len(), 1, "its strategy is halted long before");
    desk.timers = timers::Timers::at(at(300_000));
    assert_eq!(kills(&desk.on_tick(at(301_001))), ["unknown_outcome: 300.001 s for order a (limit 300 s)"]);
    let used = desk.limit_uses().into_iter().find(|used| used.control == Control::UnknownOutcome).expect("measured");
    assert_eq!((used.percent, used.value), (100, dec!(300.001)));

    let (mut later, _) =
        restored_under(latch(1, KillState::Armed), Memory { orders: vec![row], ..Memory::default() }, at(3_600_000));
    later.gate = RiskGate::new(bench::limits());
    assert_eq!(state(&later, "a"), OrderState::Unknown);
    assert!(killed(&mut later, 3_601_000, 3_900_000).is_empty(), "asked for since the start only");
    assert_eq!(killed(&mut later, 3_901_000, 3_901_000).len(), 1);
}
