use proptest::prelude::*;

use super::*;

const FOREVER: Duration = Duration::from_hours(1);

fn start() -> Instant {
    crate::clock::monotonic()
}

fn limit(budget: &Budget, class: CallClass, now: Instant) -> CallLimit {
    budget.limits(now).into_iter().find(|limit| limit.class == class).expect("every class is there")
}

#[test]
fn the_classes_are_in_the_order_of_their_buckets() {
    for (index, class) in CLASSES.iter().enumerate() {
        assert_eq!(*class as usize, index);
    }
}

#[test]
fn no_number_of_orders_holds_up_a_cancel_or_a_heartbeat() {
    let now = start();
    let budget = Budget::new(Rates::STANDARD, now);
    let sent = (0..10_000).filter(|_| budget.take(CallClass::Orders, 1, now, Duration::ZERO).is_ok()).count();
    assert_eq!(sent, 60);
    budget.throttle(CallClass::Orders, Some(FOREVER), now);
    assert_eq!(budget.take(CallClass::Cancels, 80, now, Duration::ZERO), Ok(Duration::ZERO));
    assert_eq!(budget.take(CallClass::Heartbeats, 1, now, Duration::ZERO), Ok(Duration::ZERO));
    assert_eq!(budget.take(CallClass::Lists, 1, now, Duration::ZERO), Ok(Duration::ZERO));
    let orders = limit(&budget, CallClass::Orders, now);
    assert_eq!((orders.refused, orders.throttled, orders.paused_ms), (9_940, 1, 3_600_000));
}

#[test]
fn all_classes_together_fit_the_venues_window_by_address() {
    // The largest tier that the configuration takes. 9,000 calls in 10 s over all, and 5,000 of each of POST and DELETE.
    let rates = Rates { orders: 400, cancels: 300 };
    let in_ten_seconds = |class: &CallClass| {
        let (rate, burst) = rates.of(*class);
        u64::from(burst) + 10 * u64::from(rate)
    };
    assert!(CLASSES.iter().map(in_ten_seconds).sum::<u64>() <= 9_000);
    for (class, most) in [
        (CallClass::Orders, 5_000),
        (CallClass::Cancels, 5_000),
        (CallClass::Lists, 500),
        (CallClass::Balances, 200),
        (CallClass::Setup, 100),
    ] {
        assert!(in_ten_seconds(&class) <= most, "{class}");
    }
}

#[test]
fn a_part_of_the_cancels_is_kept_for_cancel_all_which_never_waits() {
    let now = start();
    let budget = Budget::new(Rates::STANDARD, now);
    assert_eq!(budget.take(CallClass::Cancels, 115, now, Duration::ZERO), Ok(Duration::ZERO));
    assert_eq!(budget.take(CallClass::Cancels, 1, now, Duration::ZERO), Err(Duration::from_micros(12_500)));
    assert_eq!(limit(&budget, CallClass::Cancels, now).available, 5);
    budget.charge(CallClass::Cancels, 501, now);
    assert_eq!(limit(&budget, CallClass::Cancels, now).available, -496);
    let wait = budget.take(CallClass::Cancels, 1, now, FOREVER).expect("a long patience");
    assert_eq!(wait, Duration::from_millis(6_275));
}

#[test]
fn a_429_stops_its_class_for_as_long_as_the_venue_says_but_what_is_vital_not_for_long() {
    let now = start();
    let budget = Budget::new(Rates::STANDARD, now);
    for class in CLASSES {
        budget.throttle(class, Some(Duration::from_secs(30)), now);
        let wait = budget.take(class, 1, now, FOREVER).expect("a long patience");
        let vital = matches!(class, CallClass::Cancels | CallClass::Heartbeats);
        let paused = Duration::from_secs(if vital { 2 } else { 30 });
        assert!(wait > paused && wait <= paused + Duration::from_secs(1), "{class}: {wait:?}");
    }
    budget.throttle(CallClass::Lists, None, now);
    assert_eq!(limit(&budget, CallClass::Lists, now).paused_ms, 30_000, "a shorter pause does not end a longer one");
}

#[test]
fn a_batch_fits_the_burst() {
    for (cancels, chunk) in [(80, 80), (300, 300), (10, 10), (1, 1), (2_000, 500)] {
        let budget = Budget::new(Rates { orders: 40, cancels }, start());
        assert_eq!(budget.cancel_chunk(), chunk);
    }
    let now = start();
    let budget = Budget::new(Rates::STANDARD, now);
    assert!(budget.take(CallClass::Cancels, 120, now, FOREVER).is_err(), "the reserve cannot be promised");
}

proptest! {
    /// Whatever is asked for and whenever, no window of time sees more than the burst and its own refill, nobody waits
    /// longer than he wanted to, and who came first goes first.
    #[test]
    fn a_bucket_never_gives_more_than_it_has(
        rate in 1_u32..100,
        burst in 1_u32..50,
        asks in prop::collection::vec((0_u64..2_000_000, 1_u32..20, 0_u64..3_000_000), 1..120),
    ) {
        let origin = start();
        let mut bucket = Bucket::full(rate, burst, origin);
        let (mut now, mut given) = (Duration::ZERO, Vec::<(Duration, u32)>::new());
        for (pause, cost, patience) in asks {
            now += Duration::from_micros(pause);
            let patience = Duration::from_micros(patience);
            match bucket.take(origin + now, cost, 0, patience) {
                Ok(wait) => {
                    prop_assert!(wait <= patience && cost <= burst);
                    prop_assert!(given.last().is_none_or(|(at, _)| *at <= now + wait));
                    given.push((now + wait, cost));
                }
                Err(wait) => prop_assert!(wait > patience || cost > burst),
            }
        }
        for (first, (from, _)) in given.iter().enumerate() {
            let mut sum = 0_u64;
            for (at, cost) in &given[first..] {
                sum += u64::from(*cost);
                let micros = u64::try_from(at.saturating_sub(*from).as_micros()).expect("short");
                // Waits are whole microseconds, rounded up, so a window may seem shorter by one of them.
                prop_assert!(sum * 1_000_000 <= u64::from(burst) * 1_000_000 + (micros + 1) * u64::from(rate));
            }
        }
    }

    /// A bucket that was left alone long enough gives its whole burst, whatever happened before.
    #[test]
    fn a_bucket_recovers(rate in 1_u32..100, burst in 1_u32..50, debt in 0_u32..500, pause in 0_u64..60) {
        let origin = start();
        let mut bucket = Bucket::full(rate, burst, origin);
        bucket.charge(origin, debt);
        bucket.throttle(origin, Duration::from_secs(pause));
        let rested = Duration::from_secs(pause) + Duration::from_secs(u64::from(burst) * 11);
        prop_assert_eq!(bucket.take(origin + rested, burst, 0, Duration::ZERO), Ok(Duration::ZERO));
    }
}
