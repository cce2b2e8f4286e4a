use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::dec;

use super::frame::{MarketEvent, parse};
use super::session::{Effect, Event, Session};
use crate::domain::{Book, Price, Timestamp, TokenId};
use crate::fixtures;

fn now() -> Timestamp {
    Timestamp::from_secs(1_795_348_800)
}

fn after(millis: u64) -> Timestamp {
    now().plus(Duration::from_millis(millis))
}

fn tokens(names: &[&str]) -> BTreeSet<TokenId> {
    names.iter().map(TokenId::new).collect()
}

fn on(session: &mut Session, event: Event<'_>, at: Timestamp) -> Vec<Effect> {
    let mut out = Vec::new();
    session.on(event, at, &mut out);
    out
}

fn opened(names: &[&str]) -> Session {
    let mut session = Session::new(now());
    on(&mut session, Event::Want(&tokens(names)), now());
    on(&mut session, Event::Opened, now());
    session
}

fn book(token: &str, bid: &str, ask: &str, millis: i64) -> String {
    format!(
        r#"{{"event_type":"book","market":"0xm","asset_id":"{token}","timestamp":"{millis}","hash":"h",
        "bids":[{{"price":"0.10","size":"1"}},{{"price":"{bid}","size":"100"}}],"asks":[{{"price":"{ask}","size":"50"}}]}}"#
    )
}

fn change(token: &str, side: &str, price: &str, shares: &str, millis: i64) -> String {
    format!(
        r#"{{"event_type":"price_change","market":"0xm","timestamp":"{millis}","price_changes":[{{"asset_id":"{token}","price":"{price}","size":"{shares}","side":"{side}","hash":"h"}}]}}"#
    )
}

fn books(effects: &[Effect]) -> Vec<&Book> {
    effects.iter().filter_map(|effect| if let Effect::Book(book) = effect { Some(book) } else { None }).collect()
}

fn sent(effects: &[Effect]) -> Vec<&str> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Send(text) = effect { Some(text.as_str()) } else { None })
        .collect()
}

fn fixture(name: &&str) -> Option<String> {
    fixtures::text(&format!("feeds/polymarket/{name}"))
}

#[test]
fn the_recorded_frames_fold_into_a_book() {
    let token = "71321045679252212594626385532706912750332728571942532289631379312455583992563";
    let names = ["ws_book_snapshot.json", "ws_quotes.json", "ws_tick_size_change.json", "ws_last_trade.json"];
    let Some(frames) = names.iter().map(fixture).collect::<Option<Vec<_>>>() else {
        return;
    };
    let mut session = opened(&[token]);
    let effects = on(&mut session, Event::Text(&frames[0]), after(1));
    let top = books(&effects)[0];
    assert_eq!(top.best_bid().map(|level| level.price), Some(Price(dec!(0.5))));
    assert_eq!(top.asks.iter().map(|level| level.price.0).collect::<Vec<_>>(), [dec!(0.51), dec!(0.52), dec!(0.53)]);
    assert_eq!(top.event_at, Timestamp::from_millis(1_703_875_200_000));

    // The recording bids 0.51 while 0.51 is still offered: such a book is never published, but asked for anew.
    let effects = on(&mut session, Event::Text(&frames[1]), after(2));
    assert!(books(&effects).is_empty());
    let again = on(&mut session, Event::Timer, after(2_001));
    assert_eq!(sent(&again).len(), 2, "{again:?}");
    assert!(sent(&again)[0].contains("unsubscribe") && sent(&again)[1].contains("\"subscribe\""));

    let effects = on(&mut session, Event::Text(&frames[2]), after(3));
    let changed = Effect::TickSize { token: TokenId::new(token), tick_size: Price(dec!(0.01)) };
    assert_eq!(effects, [changed]);
    assert!(on(&mut session, Event::Text(&frames[3]), after(4)).is_empty());
}

#[test]
fn a_frame_is_an_object_an_array_or_plain_text() {
    assert!(parse("PONG").is_empty() && parse("NO NEW ASSETS").is_empty() && parse("").is_empty());
    let both = format!("[{},{}]", book("1", "0.4", "0.6", 5), book("2", "0.3", "0.7", 5));
    assert_eq!(parse(&both).len(), 2);
    assert!(
        matches!(&parse(r#"{"event_type":"new_market"}"#)[..], [Ok(MarketEvent::Other(name))] if name == "new_market")
    );
    assert!(parse("[]").is_empty());
}

#[test]
fn what_is_wrong_is_named_and_its_neighbour_goes_on() {
    let good = book("1", "0.4", "0.6", 5);
    let cases = [
        (good.replace("\"0.6\"", "0.6"), "price"),
        (good.replace("\"0.6\"", "\"1\""), "price"),
        (good.replace("\"50\"", "\"-1\""), "size"),
        (good.replace("\"asset_id\":\"1\",", ""), "asset_id"),
        (good.replace("\"timestamp\":\"5\",", ""), "timestamp"),
        (good.replace("\"bids\"", "\"bid\""), "bids"),
        (change("1", "HOLD", "0.5", "1", 5), "side"),
        (r#"{"event_type":"price_change","market":"m","timestamp":"5"}"#.to_owned(), "price_changes"),
        (r#"{"event_type":"tick_size_change","asset_id":"1","new_tick_size":"0"}"#.to_owned(), "new_tick_size"),
        (r#"{"event_type":"book""#.to_owned(), "frame"),
        ("[1]".to_owned(), "frame"),
    ];
    for (text, field) in cases {
        let read = parse(&text);
        assert!(matches!(&read[..], [Err(bad)] if bad.refusal.field == field), "{text}: {read:?}");
    }
    let mixed = format!("[{},{good}]", change("1", "HOLD", "0.5", "1", 5));
    assert!(matches!(&parse(&mixed)[..], [Err(_), Ok(MarketEvent::Book { .. })]));
}

#[test]
fn the_first_frame_names_every_token_and_later_ones_come_and_go() {
    let mut session = Session::new(now());
    assert!(sent(&on(&mut session, Event::Want(&tokens(&["1", "2"])), now())).is_empty(), "not connected yet");
    assert_eq!(sent(&on(&mut session, Event::Opened, now())), [r#"{"assets_ids":["1","2"],"type":"market"}"#]);
    let effects = on(&mut session, Event::Want(&tokens(&["2", "3"])), after(1));
    let expected =
        [r#"{"assets_ids":["3"],"operation":"subscribe"}"#, r#"{"assets_ids":["1"],"operation":"unsubscribe"}"#];
    assert_eq!(sent(&effects), expected);
    assert!(on(&mut session, Event::Want(&tokens(&["2", "3"])), after(2)).is_empty());
    assert!(books(&on(&mut session, Event::Text(&book("1", "0.4", "0.6", 5)), after(3))).is_empty(), "not wanted");
}

#[test]
fn after_a_reconnect_changes_wait_for_the_new_snapshot() {
    let mut session = opened(&["1"]);
    on(&mut session, Event::Text(&book("1", "0.4", "0.6", 5)), now());
    assert_eq!(books(&on(&mut session, Event::Text(&change("1", "BUY", "0.45", "7", 6)), now())).len(), 1);
    on(&mut session, Event::Closed { reason: "test" }, now());
    on(&mut session, Event::Opened, now());
    assert!(books(&on(&mut session, Event::Text(&change("1", "BUY", "0.46", "7", 7)), now())).is_empty());
    let effects = on(&mut session, Event::Text(&book("1", "0.4", "0.6", 8)), now());
    assert_eq!(books(&effects)[0].best_bid().map(|level| level.price), Some(Price(dec!(0.4))));
    assert_eq!((session.reconnects(), session.ignored()), (1, 1));
}

#[test]
fn words_older_than_the_book_are_not_applied() {
    let mut session = opened(&["1"]);
    on(&mut session, Event::Text(&book("1", "0.4", "0.6", 10)), now());
    assert!(books(&on(&mut session, Event::Text(&change("1", "BUY", "0.45", "7", 9)), now())).is_empty());
    assert!(books(&on(&mut session, Event::Text(&book("1", "0.3", "0.7", 9)), now())).is_empty());
    assert_eq!(books(&on(&mut session, Event::Text(&change("1", "BUY", "0.45", "7", 10)), now())).len(), 1);
}

#[test]
fn a_crossed_book_is_asked_for_anew_but_not_in_a_storm() {
    let mut session = opened(&["1", "2"]);
    on(&mut session, Event::Text(&book("1", "0.4", "0.6", 5)), now());
    on(&mut session, Event::Text(&book("2", "0.4", "0.6", 5)), now());
    let mut asked = 0;
    for tenth in 1..100_u64 {
        let at = after(tenth * 100);
        assert!(books(&on(&mut session, Event::Text(&book("1", "0.7", "0.6", 6)), at)).is_empty());
        asked += sent(&on(&mut session, Event::Timer, at)).iter().filter(|text| text.contains("\"subscribe\"")).count();
    }
    assert!((3..=5).contains(&asked), "asked {asked} times in ten seconds");
    assert_eq!(books(&on(&mut session, Event::Text(&change("2", "BUY", "0.5", "1", 7)), after(10_000))).len(), 1);
}

#[test]
fn a_refused_change_drops_the_book_that_it_spoke_of() {
    let mut session = opened(&["111", "222"]);
    on(&mut session, Event::Text(&book("111", "0.4", "0.6", 5)), now());
    on(&mut session, Event::Text(&book("222", "0.4", "0.6", 5)), now());
    on(&mut session, Event::Text(&change("111", "BUY", "nonsense", "1", 6)), now());
    let has: Vec<bool> = session.states().map(|(_, state)| state.has_book).collect();
    assert_eq!(has, [false, true]);
}

#[test]
fn it_pings_and_gives_up_on_silence_and_on_a_mute_venue() {
    let mut session = opened(&["1"]);
    on(&mut session, Event::Text(&book("1", "0.4", "0.6", 5)), now());
    assert!(sent(&on(&mut session, Event::Timer, after(9_999))).is_empty());
    assert_eq!(sent(&on(&mut session, Event::Timer, after(10_000))), ["PING"]);
    on(&mut session, Event::Text("PONG"), after(10_001));
    assert_eq!(sent(&on(&mut session, Event::Timer, after(40_000))), ["PING"]);
    let effects = on(&mut session, Event::Timer, after(40_002));
    assert!(matches!(&effects[..], [Effect::Redial { .. }]), "{effects:?}");

    let mut mute = opened(&["1"]);
    let gave_up = (1..120_u64).find(|second| {
        on(&mut mute, Event::Text("PONG"), after(second * 1_000));
        let effects = on(&mut mute, Event::Timer, after(second * 1_000));
        effects.iter().any(|effect| matches!(effect, Effect::Redial { .. }))
    });
    assert!(matches!(gave_up, Some(28..=36)), "{gave_up:?}");
}

proptest! {
    #[test]
    fn no_mutation_of_a_frame_panics_and_no_published_book_is_crossed(
        which in 0_usize..3, at in 0_usize..300, cut in 0_usize..6, put in "[-0-9eE.,:{}\\[\\]\"a-z\\\\]{0,6}"
    ) {
        let (snapshot, delta) = (book("1", "0.4", "0.6", 5), change("1", "BUY", "0.45", "7", 6));
        let tick = r#"{"event_type":"tick_size_change","asset_id":"1","old_tick_size":"0.01","new_tick_size":"0.001"}"#;
        let frame = [snapshot.as_str(), delta.as_str(), tick][which];
        let (from, to) = (at.min(frame.len()), (at + cut).min(frame.len()));
        let mut session = opened(&["1"]);
        on(&mut session, Event::Text(&snapshot), now());
        let effects = on(&mut session, Event::Text(&format!("{}{put}{}", &frame[..from], &frame[to..])), now());
        for book in books(&effects) {
            if let (Some(bid), Some(ask)) = (book.best_bid(), book.best_ask()) {
                prop_assert!(bid.price < ask.price);
            }
        }
    }
}

fn compared(effects: &[Effect]) -> Vec<&[TokenId]> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Compare(tokens) = effect { Some(tokens.as_slice()) } else { None })
        .collect()
}

fn heard(effects: &[Effect]) -> Vec<(&str, Timestamp)> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Heard { token, at } = effect { Some((token.as_str(), *at)) } else { None })
        .collect()
}

#[test]
fn a_quiet_book_is_compared_and_an_equal_one_is_known_since_it_was_asked_for() {
    let mut session = opened(&["1", "2"]);
    on(&mut session, Event::Text(&book("1", "0.40", "0.60", 5_000)), after(0));
    assert!(compared(&on(&mut session, Event::Timer, after(999))).is_empty());
    let effects = on(&mut session, Event::Timer, after(1_000));
    assert_eq!(compared(&effects), [[TokenId::new("1")].as_slice()], "the other has no book");
    assert!(compared(&on(&mut session, Event::Timer, after(1_250))).is_empty(), "one question at a time");
    let shown = format!("[{}]", book("1", "0.40", "0.60", 4_000));
    let effects = on(&mut session, Event::Compared { asked_at: after(1_000), shown: Some(&shown) }, after(1_300));
    assert_eq!(heard(&effects), [("1", after(1_000))]);
    assert!(compared(&on(&mut session, Event::Timer, after(1_999))).is_empty());
    assert_eq!(compared(&on(&mut session, Event::Timer, after(2_000))).len(), 1);
    let effects = on(&mut session, Event::Compared { asked_at: after(2_000), shown: None }, after(2_300));
    assert!(heard(&effects).is_empty(), "no answer is no evidence");
    assert!(compared(&on(&mut session, Event::Timer, after(4_299))).is_empty());
    assert_eq!(compared(&on(&mut session, Event::Timer, after(4_300))).len(), 1, "and it is asked again");
}

#[test]
fn a_socket_that_stays_mute_while_the_book_moves_is_not_believed_although_it_answers_pings() {
    let mut session = opened(&["1"]);
    on(&mut session, Event::Text(&book("1", "0.40", "0.60", 5_000)), after(0));
    let shown = format!("[{}]", book("1", "0.45", "0.60", 9_000));
    for round in 1..=3 {
        let now = after(round * 1_000);
        on(&mut session, Event::Text("PONG"), now);
        assert_eq!(compared(&on(&mut session, Event::Timer, now)).len(), 1, "round {round}");
        let effects = on(&mut session, Event::Compared { asked_at: now, shown: Some(&shown) }, now);
        assert!(heard(&effects).is_empty());
        assert_eq!(effects.contains(&Effect::Changed), round == 3);
    }
    let (_, state) = session.states().next().expect("wanted");
    assert_eq!(
        (state.has_book, state.reason.as_deref()),
        (false, Some("the venue shows another book and the socket told nothing"))
    );
    let again = on(&mut session, Event::Timer, after(3_250));
    assert!(sent(&again)[0].contains("unsubscribe") && sent(&again)[1].contains("\"subscribe\""), "{again:?}");
}

#[test]
fn an_answer_of_another_moment_proves_nothing() {
    for (told, shown_at) in [(true, 9_000), (false, 4_999)] {
        let mut session = opened(&["1"]);
        on(&mut session, Event::Text(&book("1", "0.40", "0.60", 5_000)), after(0));
        let shown = format!("[{}]", book("1", "0.45", "0.60", shown_at));
        for round in 1..=10 {
            let now = after(round * 1_000);
            on(&mut session, Event::Timer, now);
            if told {
                on(
                    &mut session,
                    Event::Text(&change("1", "BUY", "0.39", &round.to_string(), 5_000)),
                    after(round * 1_000 + 1),
                );
            }
            let effects = on(&mut session, Event::Compared { asked_at: now, shown: Some(&shown) }, now);
            assert!(heard(&effects).is_empty());
        }
        assert!(session.states().all(|(_, state)| state.has_book), "told since {told}, shown of {shown_at}");
    }
}

#[test]
fn the_book_of_the_rest_side_is_read_as_the_sockets_are() {
    let Some(text) = fixture(&"clob_book_response.json") else { return };
    let read = parse(&format!("[{text}]"));
    let [Ok(MarketEvent::Book { token, bids, asks, at, .. })] = &read[..] else { panic!("{read:?}") };
    assert_eq!(
        (token.as_str(), bids.len(), asks.len(), at.millis()),
        ("12345678901234567890", 3, 3, 1_703_875_200_000)
    );
}
