//! The attachment against a real bus in memory.

use rust_decimal::dec;
use tokio::time::timeout;

use super::conflate::Conflater;
use super::*;
use crate::bus::memory::MemoryBus;
use crate::bus::{Bus, Channel, Delivery, Key, Origin, Stream, encode};
use crate::domain::{Ack, AckVerdict, AthenaState, KillState, ParamVersion, ParamsInForce, PolymarketData, TradeEvent};
use crate::ui::testing::{argos, armed, at, athena, hermes, in_force, latch, market, params, signal, tick};

const SOON: Duration = Duration::from_secs(10);

async fn next(attachment: &mut Attachment) -> Feed {
    timeout(SOON, attachment.news.recv()).await.expect("in time").expect("attached")
}

/// The next piece of news that `wanted` picks out.
async fn wait_for<T>(attachment: &mut Attachment, mut wanted: impl FnMut(Feed) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(next(attachment).await) {
            return found;
        }
    }
}

async fn append(bus: &MemoryBus, stream: Stream, origin: &Origin, body: &impl serde::Serialize) {
    bus.append(stream, encode(&origin.wrap(body, at(0))).expect("encodes")).await.expect("appends");
}

#[tokio::test]
async fn the_past_comes_first_then_snapshots_then_the_present() {
    let memory = MemoryBus::new();
    let bus: BusRef = memory.clone();
    let athena = Origin::new("athena", "t1");
    for number in 0..3 {
        append(&memory, Stream::Events, &athena, &TradeEvent::Signal(signal(number, at(number)))).await;
    }
    let state = hermes(at(0), 0, armed(), dec!(1));
    let payload = encode(&Origin::new("hermes", "h1").wrap(state, at(0))).expect("encodes");
    memory.set(&Key::HERMES, payload).await.expect("sets");
    let mut attachment = Attachment::start(&bus, Duration::from_millis(10));
    let mut events = 0;
    wait_for(&mut attachment, |feed| match feed {
        Feed::Event(_) => {
            events += 1;
            None
        }
        Feed::Hermes(_) => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(events, 3, "the snapshot comes after the past");
    append(&memory, Stream::Events, &athena, &TradeEvent::Signal(signal(9, at(9)))).await;
    let seq =
        wait_for(&mut attachment, |feed| if let Feed::Event(event) = feed { Some(event.seq) } else { None }).await;
    assert_eq!(seq, 4);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_named_and_the_next_one_arrives() {
    let memory = MemoryBus::new();
    let bus: BusRef = memory.clone();
    memory.append(Stream::Events, bytes::Bytes::from_static(b"{\"schema\":1}")).await.expect("appends");
    append(&memory, Stream::Events, &Origin::new("athena", "t1"), &TradeEvent::Signal(signal(1, at(1)))).await;
    memory.set(&Key::ARGOS, bytes::Bytes::from_static(b"nonsense")).await.expect("sets");
    let mut attachment = Attachment::start(&bus, Duration::from_millis(10));
    let mut named = Vec::new();
    let mut read = false;
    while named.len() < 2 || !read {
        match next(&mut attachment).await {
            Feed::Unreadable { what, error } => named.push(format!("{what}: {error}")),
            Feed::Event(_) => read = true,
            _ => {}
        }
    }
    assert!(named.iter().any(|text| text.contains("trade.events") && text.contains("source")), "{named:?}");
    assert!(named.iter().any(|text| text.starts_with("state.argos")), "{named:?}");
}

#[tokio::test]
async fn the_book_of_parameters_in_force_comes_after_the_snapshot_that_names_it() {
    let memory = MemoryBus::new();
    let bus: BusRef = memory.clone();
    let origin = Origin::new("athena", "t1");
    let mut book = params();
    memory.set(&Key::ATHENA, encode(&origin.wrap(of_version(3), at(0))).expect("encodes")).await.expect("sets");
    let mut attachment = Attachment::start(&bus, Duration::from_millis(10));
    wait_for(&mut attachment, |feed| matches!(feed, Feed::Athena(_)).then_some(())).await;
    let key = Key::Params("momentum".into());
    memory.set(&key, encode(&origin.wrap(&book, at(0))).expect("encodes")).await.expect("sets");
    let told = |feed| if let Feed::Params(book) = feed { Some(book) } else { None };
    assert_eq!(wait_for(&mut attachment, told).await, book, "written after the snapshot, and read all the same");
    let next = ParamVersion { version: 4, ..book.versions[0].clone() };
    book.versions.push(next);
    memory.set(&Key::ATHENA, encode(&origin.wrap(of_version(4), at(1))).expect("encodes")).await.expect("sets");
    memory.set(&key, encode(&origin.wrap(&book, at(1))).expect("encodes")).await.expect("sets");
    assert_eq!(wait_for(&mut attachment, told).await, book);
    memory.set(&key, bytes::Bytes::from_static(b"nonsense")).await.expect("sets");
    let named = |feed| if let Feed::Unreadable { what, .. } = feed { Some(what) } else { None };
    memory.set(&Key::ATHENA, encode(&origin.wrap(of_version(5), at(2))).expect("encodes")).await.expect("sets");
    assert_eq!(wait_for(&mut attachment, named).await, "params.momentum");
}

fn of_version(version: u64) -> AthenaState {
    AthenaState { params: vec![ParamsInForce { version, ..in_force(&params()) }], ..athena(at(0), version) }
}

#[tokio::test]
async fn answers_and_the_latch_arrive() {
    let memory = MemoryBus::new();
    let bus: BusRef = memory.clone();
    let hermes = Origin::new("hermes", "h1");
    let ack = |id: &str| Ack {
        id: id.to_owned(),
        by: "hermes".to_owned(),
        not_heard_from: Vec::new(),
        verdict: AckVerdict::Applied,
        version: None,
        at: at(1),
    };
    append(&memory, Stream::Acks, &hermes, &ack("before we came")).await;
    let killed = latch(4, KillState::Killed, at(1));
    memory.set(&Key::Kill, encode(&hermes.wrap(killed.clone(), at(1))).expect("encodes")).await.expect("sets");
    let mut attachment = Attachment::start(&bus, Duration::from_millis(10));
    let seen = wait_for(&mut attachment, |feed| if let Feed::Latch(latch) = feed { Some(latch) } else { None }).await;
    assert_eq!(seen, killed);
    append(&memory, Stream::Acks, &hermes, &ack("ours")).await;
    let id = wait_for(&mut attachment, |feed| if let Feed::Ack(ack) = feed { Some(ack.id) } else { None }).await;
    assert_eq!(id, "ours", "answers from before are nobody's");
}

#[tokio::test]
async fn a_bus_that_was_not_tried_yet_is_not_told_to_be_down() {
    let bus: BusRef = crate::bus::redis::RedisBus::new("redis://127.0.0.1:1/0").expect("an address");
    let mut attachment = Attachment::start(&bus, Duration::from_millis(10));
    let first = wait_for(&mut attachment, |feed| if let Feed::Link(link) = feed { Some(link) } else { None }).await;
    assert!(matches!(&first, BusLink::Down(why) if !why.ends_with("connecting")), "{first:?}");

    let (states, link) = watch::channel(BusLink::Down("x: connecting".to_owned()));
    let (news, mut told) = mpsc::channel(8);
    let task = spawn(super::link(link, news));
    states.send_replace(BusLink::Degraded("NOREPLICAS".to_owned()));
    let first = timeout(SOON, told.recv()).await.expect("in time");
    assert!(matches!(first, Some(Feed::Link(BusLink::Degraded(_)))), "{first:?}");
    drop((states, task));
}

#[tokio::test]
async fn a_new_snapshot_can_be_asked_for() {
    let memory = MemoryBus::new();
    let bus: BusRef = memory.clone();
    memory
        .set(&Key::ARGOS, encode(&Origin::new("argos", "a1").wrap(argos(at(0)), at(0))).expect("encodes"))
        .await
        .expect("sets");
    let mut attachment = Attachment::start(&bus, Duration::from_millis(10));
    let is_argos = |feed| matches!(feed, Feed::Argos(_)).then_some(());
    wait_for(&mut attachment, is_argos).await;
    attachment.resnapshot();
    wait_for(&mut attachment, is_argos).await;
}

#[tokio::test]
async fn market_data_is_folded_to_the_latest() {
    let memory = MemoryBus::new();
    let bus: BusRef = memory.clone();
    let mut attachment = Attachment::start(&bus, Duration::from_millis(5));
    let origin = Origin::new("argos", "a1");
    let mut last = None;
    let mut published = 0_i64;
    // Publishing goes on until the newest has arrived: a subscription hears nothing of the time before it.
    while last != Some(published.into()) {
        published += 1;
        let payload = encode(&origin.wrap(tick("BTC/USD", published.into(), at(1)), at(1))).expect("encodes");
        memory.publish(Channel::Crypto, payload).await.expect("publishes");
        if let Ok(Some(batch)) = timeout(Duration::from_millis(20), attachment.market.recv()).await {
            last = batch.ticks.last().map(|tick| tick.last().0);
        }
        assert!(published < 1_000, "the newest never arrives; the last that did is {last:?}");
    }
}

fn message(channel: Channel, payload: bytes::Bytes) -> Delivery {
    Delivery::Message { channel, payload }
}

#[test]
fn conflation_keeps_the_latest_counts_losses_once_and_refuses_nonsense() {
    let origin = Origin::new("argos", "a1");
    let mut conflater = Conflater::default();
    assert!(conflater.is_empty());
    let send = |conflater: &mut Conflater, symbol: &str, price: i64| {
        let payload = encode(&origin.wrap(tick(symbol, price.into(), at(1)), at(1))).expect("encodes");
        conflater.fold(message(Channel::Crypto, payload));
    };
    send(&mut conflater, "BTC/USD", 1);
    send(&mut conflater, "BTC/USD", 2);
    send(&mut conflater, "ETH/USD", 3);
    for _ in 0..3 {
        origin.wrap((), at(1));
    }
    conflater.fold(Delivery::Lagged(2));
    send(&mut conflater, "BTC/USD", 4);
    conflater.fold(message(Channel::Crypto, bytes::Bytes::from_static(b"{}")));
    let body = PolymarketData::Market(market());
    let payload = encode(&Origin::new("argos", "a1").wrap(body, at(1))).expect("encodes");
    conflater.fold(message(Channel::Polymarket, payload));
    let batch = conflater.take();
    assert_eq!(batch.ticks.iter().map(|tick| tick.last().0).collect::<Vec<_>>(), [dec!(4), dec!(3)]);
    assert_eq!((batch.received, batch.lost, batch.unreadable, batch.markets.len()), (6, 3, 1, 1));
    assert!(batch.error.is_some_and(|error| error.starts_with("data.crypto: field")));
    assert!(conflater.is_empty());
}

#[tokio::test]
async fn a_kill_asked_for_lies_on_the_bus() {
    let memory = MemoryBus::new();
    let bus: BusRef = memory.clone();
    let mut orders = crate::ui::orders::Orders::new(Arc::clone(&bus), None, "cockpit:alice");
    orders.kill("kill key".to_owned());
    let outcome = timeout(SOON, orders.next()).await.expect("in time");
    assert!(matches!(outcome, crate::ui::msg::Msg::KillSent(Ok(_))), "{outcome:?}");
    let latch = crate::bus::control::latch(&bus).await.expect("readable").expect("there");
    assert_eq!((latch.state, latch.why.as_str()), (KillState::Killed, "kill key"));
    assert!(latch.by.starts_with("cockpit:"), "{}", latch.by);
    orders.command(crate::domain::Action::Arm { why: "test".to_owned() });
    orders.finish().await;
    assert_eq!(memory.len(Stream::Commands).await.expect("counts"), 1);
}

/// A way past the bus that remembers who used it.
#[derive(Debug, Default)]
struct Beside(std::sync::Mutex<Vec<String>>);

#[async_trait::async_trait]
impl crate::ui::KillPath for Beside {
    async fn kill(&self, by: &str, why: &str) -> Result<(), String> {
        self.0.lock().expect("not poisoned").push(format!("{by}: {why}"));
        Ok(())
    }
}

#[tokio::test]
async fn a_kill_finds_its_way_past_a_bus_that_is_down() {
    let bus: BusRef = crate::bus::redis::RedisBus::new("redis://127.0.0.1:1/0").expect("an address");
    let beside = Arc::new(Beside::default());
    let mut orders = crate::ui::orders::Orders::new(bus, Some(beside.clone()), "cockpit:alice");
    orders.kill("kill key".to_owned());
    let crate::ui::msg::Msg::KillSent(outcome) = orders.next().await else { panic!("the outcome of a kill") };
    assert_eq!(outcome, Ok(crate::ui::msg::Delivered::Beside));
    let taken = beside.0.lock().expect("not poisoned").join(";");
    assert!(taken.ends_with(": kill key"), "{taken}");
}
