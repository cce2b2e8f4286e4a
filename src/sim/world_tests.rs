use super::*;
use crate::domain::{Book, Level, Side, Size};
use crate::sim::tape::Recording;

/// Half a minute into a window.
const START: Timestamp = Timestamp::from_secs(1_795_348_830);

fn world(seed: u64, tape_speed: f64) -> World {
    let playback = Playback::new(Recording::embedded().expect("reads"));
    let pair = playback.recording().pair(PAIR).expect("on the tape");
    let kraken = Kraken::new(&playback.recording().pairs, seed);
    let parts = Parts {
        exchange: Exchange::new(seed),
        kraken,
        listings: Listings::default(),
        playback,
        pair,
        seed,
        speed: tape_speed,
    };
    World::new(parts, START)
}

fn book(world: &World, token: usize) -> Book {
    let market = world.running().expect("a window");
    world.parts.exchange.book(&market.tokens[token].token).expect("a book")
}

fn assert_two_sided(book: &Book) {
    let (bid, ask) = (book.best_bid().expect("a bid").price, book.best_ask().expect("an ask").price);
    let spread = (ask - bid).decimal();
    assert!(spread > Decimal::ZERO && spread <= rust_decimal::dec!(0.04), "{bid} to {ask}");
}

#[test]
fn every_book_is_quoted_when_the_world_begins() {
    let world = world(1, 1.0);
    for token in 0..2 {
        assert_two_sided(&book(&world, token));
    }
    let shows = |side, price| {
        let book = world.parts.exchange.book(&world.quiet[0].tokens[0].token).expect("a book");
        let levels: Vec<Level> = if side == Side::Buy { book.bids } else { book.asks };
        assert_eq!(levels.first().map(|level| level.price), Some(price));
        assert!(levels[0].size >= Size(rust_decimal::dec!(500)));
    };
    for (side, price) in quiet::PLACES {
        shows(side, price);
    }
    let slugs: Vec<String> = world.parts.listings.all().iter().map(|listing| listing.market.slug.to_string()).collect();
    let (quiet, rolling): (Vec<&String>, Vec<&String>) = slugs.iter().partition(|slug| slug.starts_with(quiet::SLUG));
    assert_eq!((quiet.len(), quiet[0].as_str()), (10, quiet::SLUG));
    assert_eq!(rolling, ["btc-updown-5m-1795348800", "btc-updown-5m-1795349100"]);
}

#[test]
fn the_book_follows_the_tape_visibly_within_a_minute() {
    let mut world = world(1, 1.0);
    let mut mids = Vec::new();
    for second in 1..=60 {
        world.catch_up(START.plus(Duration::from_secs(second)));
        let book = book(&world, 0);
        assert_two_sided(&book);
        mids.push(book.mid().expect("two-sided"));
    }
    let (low, high) = (mids.iter().min().expect("mids"), mids.iter().max().expect("mids"));
    assert!((*high - *low).decimal() >= rust_decimal::dec!(0.05), "{low} to {high}");
}

#[test]
fn the_same_seed_gives_the_same_books() {
    let run = |seed| {
        let mut world = world(seed, 1.0);
        let mut books = Vec::new();
        for second in 1..=20 {
            world.catch_up(START.plus(Duration::from_secs(second)));
            let Book { bids, asks, .. } = book(&world, 0);
            books.push((bids, asks));
        }
        (books, world.orders)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn windows_roll_close_and_resolve() {
    let mut world = world(1, 1.0);
    let first = world.running().expect("a window").clone();
    let listed = |world: &World| {
        let all = world.parts.listings.all();
        all.into_iter().find(|listing| listing.market.market == first.market).expect("listed").market
    };
    let mut now = START;
    while now < Timestamp::from_secs(1_795_349_101) {
        now = now.plus(Duration::from_secs(1));
        world.catch_up(now);
    }
    assert_ne!(world.running().expect("the next window").market, first.market);
    assert_two_sided(&book(&world, 0));
    assert!(!listed(&world).accepting_orders);
    assert_eq!(listed(&world).payouts, None);
    world.catch_up(now.plus(Duration::from_secs(4)));
    let [up, down] = listed(&world).payouts.expect("resolved");
    assert_eq!(up + down, Price(Decimal::ONE));
}

#[test]
fn after_a_long_sleep_the_tape_goes_on_and_the_windows_are_those_of_now() {
    let mut world = world(1, 1.0);
    world.catch_up(START.plus(Duration::from_secs(1)));
    let tape = world.tape_us;
    world.catch_up(START.plus(Duration::from_mins(50)));
    assert!(world.tape_us - tape < 100_000.0);
    let running = world.running().expect("a window");
    assert!(running.opens_at.expect("opens") <= world.at && world.at < running.closes_at.expect("closes"));
    assert_two_sided(&book(&world, 0));
}
