//! Killed at any point, she makes the intents that she would have made.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::child::{Athena, Cast, PATIENCE, key, until_ready};
use crate::desk::eventually;
use crate::support::redis_server::RedisServer;
use crate::tape::Tape;

const TICKS: usize = 5_000;
const KILLS: usize = 20;
const SEED: u64 = 20_261_123;

/// A tape being played to one Athena after another.
struct Player<'a> {
    tape: &'a Tape,
    redis: RedisServer,
    connection: redis::Connection,
    boot: Option<String>,
}

impl<'a> Player<'a> {
    fn new(tape: &'a Tape) -> Self {
        let redis = RedisServer::start();
        let client = redis::Client::open(redis.url()).expect("an address");
        let mut connection = client.get_connection().expect("redis answers");
        tape.prepare(&mut connection);
        Self { tape, redis, connection, boot: None }
    }

    /// Starts her, and says which tick is the first that her state does not cover.
    fn start(&mut self) -> (Athena, usize) {
        let athena = Athena::start(&self.redis, Cast::Tape, "1/1");
        let state = until_ready(&mut self.connection, "state.athena", self.boot.as_deref());
        self.boot = state["boot"].as_str().map(ToOwned::to_owned);
        self.tape.tell_books(&mut self.connection);
        (athena, self.covered())
    }

    /// Up to where the kept state goes. Once she is up it is her own word.
    fn covered(&mut self) -> usize {
        let heard = key(&mut self.connection, "heard.athena.1");
        heard.and_then(|heard| heard["feeds"][0]["seq"].as_u64()).map_or(0, |seq| usize::try_from(seq).expect("short"))
    }

    fn until_covered(&mut self, tick: usize) {
        eventually(&format!("tick {tick} to be covered"), PATIENCE, || (self.covered() >= tick).then_some(()));
    }

    fn play(&mut self, from: usize, to: usize) {
        self.tape.play(&mut self.connection, from.min(to)..to);
    }

    /// Every signal by the id of its intent.
    fn intents(&mut self) -> BTreeMap<String, Intent> {
        let mut intents = BTreeMap::<String, Intent>::new();
        for signal in self.stream("trade.signals") {
            let intent = &signal["intent"];
            let terms =
                [&intent["side"], &intent["token"], &intent["price"], &intent["size"], &signal["rationale"]["change"]];
            let tick = self.tape.at(intent["tick_received_at"].as_i64().expect("a time"));
            let known = intents.entry(intent["intent"].as_str().expect("an id").to_owned());
            let known = known.or_insert_with(|| Intent { tick, terms: BTreeSet::new(), times: 0 });
            known.terms.insert(format!("{terms:?}"));
            known.times += 1;
        }
        intents
    }

    /// Waits, without a pause, until an intent is written: the kill that follows is to come right behind it.
    fn until_written(&mut self, intent: &str) {
        let begun = cockpit::clock::monotonic();
        while !self.intents().contains_key(intent) {
            assert!(begun.elapsed() < PATIENCE, "{intent} is not written");
        }
    }

    /// Kills her when a signal is on the stream and the state that includes it is not kept: for that time Redis refuses to keep any.
    /// Gives how many ticks are to be decided again.
    fn between_decision_and_its_being_kept(&mut self, expected: &BTreeMap<String, Intent>) -> usize {
        let (athena, covered) = self.start();
        self.may_keep(false);
        let ahead = expected.iter().filter(|(_, intent)| intent.tick >= covered);
        let (id, next) = ahead.map(|(id, intent)| (id, intent.tick)).min_by_key(|(_, tick)| *tick).expect("one ahead");
        let times = |player: &mut Self| player.intents().get(id).map_or(0, |intent| intent.times);
        let before = times(self);
        self.play(covered, next + 1);
        eventually(&format!("{id} to be written"), PATIENCE, || (times(self) > before).then_some(()));
        athena.kill();
        self.may_keep(true);
        let kept = self.covered();
        assert!(kept <= next, "tick {next} is not to be kept, {kept} are");
        next + 1 - kept
    }

    /// Whether states can be written; streams can be.
    fn may_keep(&mut self, may: bool) {
        let rule = if may { "+mset" } else { "-mset" };
        redis::cmd("ACL").arg("SETUSER").arg("default").arg(rule).exec(&mut self.connection).expect("redis answers");
    }

    fn stream(&mut self, name: &str) -> Vec<Value> {
        let reply: redis::streams::StreamRangeReply =
            redis::cmd("XRANGE").arg(name).arg("-").arg("+").query(&mut self.connection).expect("redis answers");
        let body = |entry: &redis::streams::StreamId| {
            let text: String = entry.get("m").expect("a payload");
            serde_json::from_str::<Value>(&text).expect("JSON")["body"].clone()
        };
        reply.ids.iter().map(body).collect()
    }
}

/// An intent as it lies on the stream.
struct Intent {
    /// The tick that caused it.
    tick: usize,
    /// What would be executed; one, however often it was written.
    terms: BTreeSet<String>,
    times: usize,
}

#[test]
fn killed_twenty_times_she_makes_the_intents_of_an_uninterrupted_run() {
    let begun = cockpit::clock::monotonic();
    let tape = Tape::new(SEED, TICKS);
    let mut whole = Player::new(&tape);
    let (athena, covered) = whole.start();
    whole.play(covered, TICKS);
    whole.until_covered(TICKS);
    drop(athena);
    let expected = whole.intents();
    assert!(expected.len() >= 40, "only {} intents: the tape tests nothing", expected.len());
    assert!(expected.values().all(|intent| intent.times == 1), "nothing twice without a crash");

    let mut dice = StdRng::seed_from_u64(SEED);
    let mut kills: Vec<usize> = (0..KILLS).map(|_| dice.random_range(20..TICKS - TICKS / 5)).collect();
    kills.sort_unstable();
    let mut killed = Player::new(&tape);
    let mut lost = 0;
    for kill in kills {
        let (athena, covered) = killed.start();
        assert!(covered <= kill, "she knows what was never played");
        let mark = dice.random_range(covered..=kill);
        killed.play(covered, mark);
        if dice.random_bool(0.8) {
            killed.until_covered(mark);
        }
        killed.play(mark, kill);
        let ahead: Vec<&String> =
            expected.iter().filter(|(_, intent)| (mark..kill).contains(&intent.tick)).map(|(id, _)| id).collect();
        if !ahead.is_empty() && dice.random_bool(0.7) {
            killed.until_written(ahead[dice.random_range(0..ahead.len())]);
        }
        athena.kill();
        lost += kill - killed.covered();
    }
    lost += killed.between_decision_and_its_being_kept(&expected);
    let (athena, covered) = killed.start();
    killed.play(covered, TICKS);
    killed.until_covered(TICKS);
    drop(athena);

    let found = killed.intents();
    let ids = |intents: &BTreeMap<String, Intent>| intents.keys().cloned().collect::<BTreeSet<_>>();
    let (only_whole, only_killed) = (&ids(&expected) - &ids(&found), &ids(&found) - &ids(&expected));
    assert!(only_whole.is_empty() && only_killed.is_empty(), "missing {only_whole:?}, extra {only_killed:?}");
    for (id, intent) in &found {
        assert_eq!(intent.terms, expected[id].terms, "{id} is the same order each time");
    }
    let unseen = |events: Vec<Value>| events.iter().filter(|event| event.to_string().contains("not seen")).count();
    assert_eq!(unseen(killed.stream("trade.events")), 0, "nothing was missed");
    let again: usize = found.values().map(|intent| intent.times - 1).sum();
    println!(
        "{TICKS} ticks, {KILLS} kills: {} intents, the same as without; {lost} ticks decided again, {again} intents written again; {:.1} s",
        found.len(),
        begun.elapsed().as_secs_f64()
    );
    assert!(lost > 0 && again > 0, "{lost} and {again}: one kill came between a decision and its being kept");
}

#[test]
fn what_was_missed_while_down_is_a_gap_that_strategies_see() {
    let tape = Tape::new(SEED + 1, 1_600);
    let mut player = Player::new(&tape);
    let (athena, _) = player.start();
    player.play(0, 700);
    player.until_covered(700);
    athena.kill();
    let (_athena, covered) = player.start();
    assert_eq!(covered, 700);
    let told = player.stream("trade.events").len();
    // Twenty seconds are missing.
    player.play(800, tape.len());
    player.until_covered(tape.len());
    let events = eventually("an event of the second run", PATIENCE, || {
        let events = player.stream("trade.events").split_off(told);
        events
            .iter()
            .any(|event| event["inputs"].is_array() || event["rationale"]["inputs"].is_array())
            .then_some(events)
    });
    let inputs = |event: &Value| {
        let inputs = if event["inputs"].is_array() { &event["inputs"] } else { &event["rationale"]["inputs"] };
        inputs.as_array().into_iter().flatten().cloned().collect::<Vec<_>>()
    };
    let unseen = events.iter().flat_map(inputs).find(|figure| figure["name"] == "not seen");
    let unseen = unseen.unwrap_or_else(|| panic!("no word of a gap in {events:?}"));
    let value = unseen["value"].as_str().expect("text");
    assert!(value.starts_with("20.") || value.starts_with("19."), "{value}");
    let state = key(&mut player.connection, "state.athena").expect("a snapshot");
    assert_eq!(state["dropped"], 100, "{state}");
}
