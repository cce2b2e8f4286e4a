//! What any bus must do. Each case is given a bus that nobody has used.

use std::time::Duration;

use cockpit::bus::{
    BusError, BusLink, BusRef, Channel, Claimed, Delivery, EntryId, Envelope, Group, Key, Origin, PendingSummary,
    ReadFrom, Stream, control, decode, encode,
};
use cockpit::clock;
use cockpit::domain::{Action, Command, KillState};
use futures::{StreamExt, TryStreamExt};

use crate::{PATIENCE, append, next, payloads, text, until_up};

const GROUP: Group = Group::Hermes;
const ORDERS: Stream = Stream::Signals;

pub(crate) async fn published_messages_reach_whoever_listens_and_nobody_else(bus: BusRef) {
    bus.publish(Channel::Crypto, text("nobody listens")).await.unwrap();
    let mut both = bus.subscribe(&[Channel::Crypto, Channel::Weather], 16).await.unwrap();
    let mut books = bus.subscribe(&[Channel::Polymarket], 16).await.unwrap();
    for (channel, payload) in [(Channel::Crypto, "a"), (Channel::Weather, "b"), (Channel::Polymarket, "c")] {
        bus.publish(channel, text(payload)).await.unwrap();
    }
    // Connections of different channels have no common order; those of one subscription do.
    for (channel, payload) in [(Channel::Crypto, "a"), (Channel::Weather, "b")] {
        assert_eq!(next(&mut both).await, Delivery::Message { channel, payload: text(payload) });
    }
    assert_eq!(next(&mut books).await, Delivery::Message { channel: Channel::Polymarket, payload: text("c") });
    assert_eq!((both.try_recv(), books.try_recv()), (None, None));
    assert!(matches!(bus.subscribe(&[], 16).await, Err(BusError::Refused(_))));
}

pub(crate) async fn a_dropped_subscription_disturbs_nobody(bus: BusRef) {
    let gone = bus.subscribe(&[Channel::Crypto], 4).await.unwrap();
    let mut stays = bus.subscribe(&[Channel::Crypto], 4).await.unwrap();
    drop(gone);
    bus.publish(Channel::Crypto, text("x")).await.unwrap();
    assert_eq!(next(&mut stays).await, Delivery::Message { channel: Channel::Crypto, payload: text("x") });
}

pub(crate) async fn a_slow_subscriber_loses_the_oldest_and_is_told_how_many(bus: BusRef) {
    const PUBLISHED: u64 = 1_000;
    let mut slow = bus.subscribe(&[Channel::Crypto, Channel::Kill], 64).await.unwrap();
    let mut witness = bus.subscribe(&[Channel::Crypto, Channel::Kill], 2_048).await.unwrap();
    for number in 1..=PUBLISHED {
        bus.publish(Channel::Crypto, text(&number.to_string())).await.unwrap();
    }
    let mut seen = 0;
    while seen < PUBLISHED {
        let Delivery::Message { .. } = next(&mut witness).await else { panic!("the witness is fast enough") };
        seen += 1;
    }
    // The slow one's task has its own connection; this message is the last on it.
    bus.publish(Channel::Kill, text("end")).await.unwrap();
    let (mut received, mut lagged, mut last) = (0, 0, 0);
    loop {
        match next(&mut slow).await {
            Delivery::Message { channel: Channel::Kill, .. } => break,
            Delivery::Message { payload, .. } => {
                let number: u64 = std::str::from_utf8(&payload).unwrap().parse().unwrap();
                assert!(number > last, "in order");
                (received, last) = (received + 1, number);
            }
            Delivery::Lagged(missed) => lagged += missed,
            Delivery::Resumed => panic!("the connection was not lost"),
        }
    }
    assert_eq!(last, PUBLISHED, "the newest are kept");
    assert!(lagged > 0);
    assert_eq!(received + lagged, PUBLISHED);
}

pub(crate) async fn a_jump_in_the_sequence_shows_a_gap(bus: BusRef) {
    const LOST: [u64; 3] = [7, 8, 15];
    let mut ticks = bus.subscribe(&[Channel::Crypto], 64).await.unwrap();
    let origin = Origin::new("argos", "boot");
    for seq in 1..=20 {
        let payload = encode(&origin.wrap("tick", clock::now())).unwrap();
        if !LOST.contains(&seq) {
            bus.publish(Channel::Crypto, payload).await.unwrap();
        }
    }
    let (mut expected, mut missing) = (1, Vec::new());
    while expected <= origin.last() {
        let Delivery::Message { payload, .. } = next(&mut ticks).await else { panic!("not slow, not interrupted") };
        let envelope: Envelope<String> = decode(&payload).unwrap();
        assert_eq!((&*envelope.source, &*envelope.boot), ("argos", "boot"));
        missing.extend(expected..envelope.seq);
        expected = envelope.seq + 1;
    }
    assert_eq!(missing, LOST);
}

pub(crate) async fn a_subscription_ends_with_its_bus(bus: BusRef) {
    let mut subscription = bus.subscribe(&[Channel::Crypto], 4).await.unwrap();
    drop(bus);
    let end = tokio::time::timeout(PATIENCE, subscription.recv()).await.expect("an end in time");
    assert_eq!(end, None);
}

pub(crate) async fn entries_are_kept_in_order(bus: BusRef) {
    assert_eq!(bus.len(ORDERS).await, Ok(0));
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(append(&*bus, ORDERS, &number.to_string()).await);
    }
    assert!(ids.is_sorted_by(|a, b| a < b) && ids[0] > EntryId::START, "{ids:?}");
    let all = bus.read(ORDERS, EntryId::START, 10, Duration::ZERO).await.unwrap();
    assert_eq!(payloads(&all), ["0", "1", "2", "3", "4"]);
    assert_eq!(
        all.iter().map(|entry| (entry.id, entry.deliveries)).collect::<Vec<_>>(),
        ids.iter().map(|id| (*id, 0)).collect::<Vec<_>>()
    );
    let some = bus.read(ORDERS, ids[1], 2, Duration::from_secs(1)).await.unwrap();
    assert_eq!(payloads(&some), ["2", "3"]);
    assert_eq!(bus.len(ORDERS).await, Ok(5));
    assert_eq!(bus.len(Stream::Dlq).await, Ok(0), "streams are apart");
}

pub(crate) async fn tail_gives_the_newest(bus: BusRef) {
    assert_eq!(bus.tail(ORDERS, 3).await, Ok(Vec::new()));
    for number in 0..5 {
        append(&*bus, ORDERS, &number.to_string()).await;
    }
    assert_eq!(payloads(&bus.tail(ORDERS, 3).await.unwrap()), ["2", "3", "4"]);
    assert_eq!(bus.tail(ORDERS, usize::MAX).await.unwrap().len(), 5);
    let read = bus.read(ORDERS, EntryId::START, usize::MAX, Duration::MAX).await.unwrap();
    assert_eq!(payloads(&read), ["0", "1", "2", "3", "4"]);
}

pub(crate) async fn a_read_waits_for_the_first_entry(bus: BusRef) {
    let first = append(&*bus, ORDERS, "old").await;
    let reader = tokio::spawn({
        let bus = bus.clone();
        async move { bus.read(ORDERS, first, 10, PATIENCE).await }
    });
    // Whether the reader is blocked already or only about to be, it must see this.
    append(&*bus, ORDERS, "new").await;
    assert_eq!(payloads(&reader.await.unwrap().unwrap()), ["new"]);
}

pub(crate) async fn a_wait_in_vain_ends_with_nothing(bus: BusRef) {
    // The server counts in whole milliseconds.
    const SLACK: Duration = Duration::from_millis(5);
    bus.create_group(ORDERS, GROUP).await.unwrap();
    let block = Duration::from_millis(60);
    let begun = clock::monotonic();
    assert_eq!(bus.read(ORDERS, EntryId::START, 1, block).await, Ok(Vec::new()));
    assert_eq!(bus.read_group(ORDERS, GROUP, "c", ReadFrom::New, 1, block).await, Ok(Vec::new()));
    let waited = begun.elapsed();
    assert!(waited + SLACK >= block * 2, "{waited:?}");
    // Less than a millisecond is not for ever.
    assert_eq!(bus.read(ORDERS, EntryId::START, 1, Duration::from_micros(1)).await, Ok(Vec::new()));
}

pub(crate) async fn asking_for_nothing_gives_nothing_at_once(bus: BusRef) {
    bus.create_group(ORDERS, GROUP).await.unwrap();
    append(&*bus, ORDERS, "x").await;
    let asked = async {
        assert_eq!(bus.read(ORDERS, EntryId::START, 0, PATIENCE).await, Ok(Vec::new()));
        assert_eq!(bus.tail(ORDERS, 0).await, Ok(Vec::new()));
        assert_eq!(bus.read_group(ORDERS, GROUP, "c", ReadFrom::New, 0, PATIENCE).await, Ok(Vec::new()));
        let cursor = EntryId { millis: 3, index: 1 };
        let claimed = bus.claim(ORDERS, GROUP, "c", Duration::ZERO, cursor, 0).await;
        assert_eq!(claimed, Ok(Claimed { cursor, ..Claimed::default() }));
        assert_eq!(bus.ack(ORDERS, GROUP, &[]).await, Ok(0));
    };
    tokio::time::timeout(PATIENCE / 2, asked).await.expect("at once");
}

pub(crate) async fn a_capped_stream_keeps_its_newest(bus: BusRef) {
    let cap = Stream::Acks.cap().unwrap();
    let extra = 500;
    fill(&bus, Stream::Acks, cap + extra).await;
    append(&*bus, Stream::Acks, "newest").await;
    let kept = usize::try_from(bus.len(Stream::Acks).await.unwrap()).unwrap();
    assert!(kept >= cap && kept < cap + extra, "{kept}");
    assert_eq!(payloads(&bus.tail(Stream::Acks, 1).await.unwrap()), ["newest"]);
}

pub(crate) async fn order_streams_are_never_trimmed(bus: BusRef) {
    fill(&bus, Stream::Signals, 12_000).await;
    assert_eq!(bus.len(Stream::Signals).await, Ok(12_000));
}

/// Appends many, a few hundred at a time.
async fn fill(bus: &BusRef, stream: Stream, count: usize) {
    let appends = (0..count).map(|_| bus.append(stream, text("filler")));
    futures::stream::iter(appends).buffer_unordered(256).try_for_each(|_| async { Ok(()) }).await.unwrap();
}

pub(crate) async fn a_group_hands_each_entry_to_one_consumer(bus: BusRef) {
    for number in 0..4 {
        append(&*bus, ORDERS, &number.to_string()).await;
    }
    bus.create_group(ORDERS, GROUP).await.unwrap();
    let one = bus.read_group(ORDERS, GROUP, "one", ReadFrom::New, 3, Duration::ZERO).await.unwrap();
    let two = bus.read_group(ORDERS, GROUP, "two", ReadFrom::New, 3, Duration::ZERO).await.unwrap();
    assert_eq!((payloads(&one), payloads(&two)), (vec!["0", "1", "2"], vec!["3"]), "from the stream's beginning");
    assert!(one.iter().chain(&two).all(|entry| entry.deliveries == 1));
    let summary = bus.pending(ORDERS, GROUP).await.unwrap();
    assert_eq!(summary, PendingSummary { count: 4, oldest: Some(one[0].id) });
}

pub(crate) async fn a_blocked_member_is_woken_by_an_entry(bus: BusRef) {
    bus.create_group(ORDERS, GROUP).await.unwrap();
    let member = tokio::spawn({
        let bus = bus.clone();
        async move { bus.read_group(ORDERS, GROUP, "c", ReadFrom::New, 10, PATIENCE).await }
    });
    append(&*bus, ORDERS, "order").await;
    assert_eq!(payloads(&member.await.unwrap().unwrap()), ["order"]);
}

pub(crate) async fn making_a_group_twice_forgets_nothing(bus: BusRef) {
    bus.create_group(ORDERS, GROUP).await.unwrap();
    append(&*bus, ORDERS, "a").await;
    bus.read_group(ORDERS, GROUP, "c", ReadFrom::New, 1, Duration::ZERO).await.unwrap();
    bus.create_group(ORDERS, GROUP).await.unwrap();
    assert_eq!(bus.pending(ORDERS, GROUP).await.unwrap().count, 1);
    let new = bus.read_group(ORDERS, GROUP, "c", ReadFrom::New, 1, Duration::ZERO).await;
    assert_eq!(new, Ok(Vec::new()));
}

pub(crate) async fn own_pending_entries_come_again_and_are_counted(bus: BusRef) {
    bus.create_group(ORDERS, GROUP).await.unwrap();
    for payload in ["a", "b", "c"] {
        append(&*bus, ORDERS, payload).await;
    }
    let read = async |consumer: &str, from, count| {
        bus.read_group(ORDERS, GROUP, consumer, from, count, Duration::ZERO).await.unwrap()
    };
    let new = read("me", ReadFrom::New, 2).await;
    read("other", ReadFrom::New, 1).await;
    let again = read("me", ReadFrom::Pending(EntryId::START), 10).await;
    assert_eq!(payloads(&again), ["a", "b"], "only its own");
    assert_eq!(again[0].deliveries, 2);
    let rest = read("me", ReadFrom::Pending(new[0].id), 10).await;
    assert_eq!((payloads(&rest), rest[0].deliveries), (vec!["b"], 3));
    assert_eq!(read("nobody", ReadFrom::Pending(EntryId::START), 10).await, []);
}

pub(crate) async fn acknowledged_entries_are_gone(bus: BusRef) {
    bus.create_group(ORDERS, GROUP).await.unwrap();
    let first = append(&*bus, ORDERS, "a").await;
    let second = append(&*bus, ORDERS, "b").await;
    assert_eq!(bus.ack(ORDERS, GROUP, &[first]).await, Ok(0), "not handed out yet");
    bus.read_group(ORDERS, GROUP, "c", ReadFrom::New, 10, Duration::ZERO).await.unwrap();
    assert_eq!(bus.ack(ORDERS, GROUP, &[first, EntryId { millis: 1, index: 0 }]).await, Ok(1));
    assert_eq!(bus.ack(ORDERS, GROUP, &[first]).await, Ok(0), "once only");
    assert_eq!(bus.pending(ORDERS, GROUP).await, Ok(PendingSummary { count: 1, oldest: Some(second) }));
    assert_eq!(bus.ack(ORDERS, GROUP, &[second]).await, Ok(1));
    assert_eq!(bus.pending(ORDERS, GROUP).await, Ok(PendingSummary::default()));
    assert_eq!(bus.len(ORDERS).await, Ok(2), "the stream keeps what was acknowledged");
}

pub(crate) async fn idle_entries_are_claimed_and_fresh_ones_are_not(bus: BusRef) {
    bus.create_group(ORDERS, GROUP).await.unwrap();
    append(&*bus, ORDERS, "a").await;
    bus.read_group(ORDERS, GROUP, "dead", ReadFrom::New, 1, Duration::ZERO).await.unwrap();
    let claim = async |min_idle| bus.claim(ORDERS, GROUP, "heir", min_idle, EntryId::START, 10).await.unwrap();
    assert_eq!(claim(Duration::from_mins(10)).await, Claimed::default());
    let never = bus.claim(ORDERS, GROUP, "heir", Duration::MAX, EntryId::START, usize::MAX).await;
    assert_eq!(never, Ok(Claimed::default()));
    let taken = claim(Duration::ZERO).await;
    assert_eq!((payloads(&taken.entries), taken.entries[0].deliveries), (vec!["a"], 2));
    assert_eq!((taken.deleted, taken.cursor), (Vec::new(), EntryId::START));
    let own = bus.read_group(ORDERS, GROUP, "heir", ReadFrom::Pending(EntryId::START), 10, Duration::ZERO).await;
    assert_eq!(payloads(&own.unwrap()), ["a"], "it has changed hands");
    let former = bus.read_group(ORDERS, GROUP, "dead", ReadFrom::Pending(EntryId::START), 10, Duration::ZERO).await;
    assert_eq!(former, Ok(Vec::new()));
}

pub(crate) async fn claims_go_on_where_the_cursor_stands(bus: BusRef) {
    bus.create_group(ORDERS, GROUP).await.unwrap();
    for number in 0..7 {
        append(&*bus, ORDERS, &number.to_string()).await;
    }
    bus.read_group(ORDERS, GROUP, "dead", ReadFrom::New, 10, Duration::ZERO).await.unwrap();
    let (mut cursor, mut rounds, mut taken) = (EntryId::START, 0, Vec::new());
    loop {
        let claimed = bus.claim(ORDERS, GROUP, "heir", Duration::ZERO, cursor, 3).await.unwrap();
        taken.extend(claimed.entries);
        rounds += 1;
        cursor = claimed.cursor;
        if cursor == EntryId::START {
            break;
        }
    }
    assert_eq!(rounds, 3);
    assert_eq!(payloads(&taken), ["0", "1", "2", "3", "4", "5", "6"]);
}

pub(crate) async fn an_entry_trimmed_while_pending_is_reported(bus: BusRef) {
    let stream = Stream::Commands;
    bus.create_group(stream, GROUP).await.unwrap();
    let lost = append(&*bus, stream, "lost").await;
    bus.read_group(stream, GROUP, "c", ReadFrom::New, 1, Duration::ZERO).await.unwrap();
    fill(&bus, stream, stream.cap().unwrap() + 500).await;
    let own = bus.read_group(stream, GROUP, "c", ReadFrom::Pending(EntryId::START), 10, Duration::ZERO).await.unwrap();
    assert_eq!((own[0].id, &own[0].payload[..], own[0].deliveries), (lost, &b""[..], 1));
    let claimed = bus.claim(stream, GROUP, "heir", Duration::ZERO, EntryId::START, 10).await.unwrap();
    assert_eq!((claimed.entries, claimed.deleted), (Vec::new(), vec![lost]));
    assert_eq!(bus.pending(stream, GROUP).await.unwrap().count, 0);
}

pub(crate) async fn a_missing_group_is_named(bus: BusRef) {
    append(&*bus, ORDERS, "x").await;
    for stream in [ORDERS, Stream::Dlq] {
        let missing = BusError::NoGroup { stream, group: GROUP };
        for from in [ReadFrom::New, ReadFrom::Pending(EntryId::START)] {
            for block in [Duration::ZERO, PATIENCE] {
                let read = bus.read_group(stream, GROUP, "c", from, 1, block).await;
                assert_eq!(read, Err(missing.clone()));
            }
        }
        assert_eq!(bus.claim(stream, GROUP, "c", Duration::ZERO, EntryId::START, 1).await, Err(missing.clone()));
        assert_eq!(bus.pending(stream, GROUP).await, Err(missing.clone()));
        assert_eq!(bus.ack(stream, GROUP, &[EntryId { millis: 1, index: 1 }]).await, Ok(0));
        assert!(missing.is_transient());
    }
}

pub(crate) async fn keys_hold_what_was_written_last(bus: BusRef) {
    let strategy = Key::Strategy("momentum".into(), "BTC/USD".into());
    assert_eq!(bus.get(&strategy).await, Ok(None));
    bus.set(&strategy, text("one")).await.unwrap();
    bus.set(&strategy, text("two")).await.unwrap();
    bus.set(&Key::ARGOS, text("")).await.unwrap();
    assert_eq!(bus.get(&strategy).await, Ok(Some(text("two"))));
    assert_eq!(bus.get(&Key::ARGOS).await, Ok(Some(text(""))), "empty is not absent");
    assert_eq!(bus.get(&Key::HERMES).await, Ok(None));
}

pub(crate) async fn a_key_is_replaced_only_while_it_holds_what_was_read(bus: BusRef) {
    let key = Key::Params("momentum".into());
    assert_eq!(bus.replace(&key, Some(b""), text("x")).await, Ok(false), "absent is not empty");
    assert_eq!(bus.get(&key).await, Ok(None));
    assert_eq!(bus.replace(&key, None, text("")).await, Ok(true));
    assert_eq!(bus.replace(&key, None, text("x")).await, Ok(false), "empty is not absent");
    assert_eq!(bus.replace(&key, Some(b""), text("one\0\n")).await, Ok(true));
    assert_eq!(bus.replace(&key, Some(b"one"), text("x")).await, Ok(false));
    assert_eq!(bus.replace(&key, Some(b"one\0\n"), text("two")).await, Ok(true));
    assert_eq!(bus.get(&key).await, Ok(Some(text("two"))));
}

pub(crate) async fn of_many_who_replace_the_same_value_one_succeeds(bus: BusRef) {
    let key = Key::Params("momentum".into());
    let mut held = None;
    for round in 0..20 {
        let tries: Vec<_> = (0..8)
            .map(|who| {
                let (bus, key, held) = (bus.clone(), key.clone(), held.clone());
                let mine = text(&format!("{round} {who}"));
                tokio::spawn(async move {
                    let replaced = bus.replace(&key, held.as_deref(), mine.clone()).await.unwrap();
                    replaced.then_some(mine)
                })
            })
            .collect();
        let mut winners = Vec::new();
        for attempt in tries {
            winners.extend(attempt.await.unwrap());
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        held = bus.get(&key).await.unwrap();
        assert_eq!(held.as_ref(), winners.first());
    }
}

pub(crate) async fn the_link_is_up(bus: BusRef) {
    let mut link = bus.link();
    until_up(&mut link).await;
    bus.set(&Key::ARGOS, text("x")).await.unwrap();
    assert_eq!(*link.borrow(), BusLink::Up);
}

pub(crate) async fn blocking_readers_do_not_wait_for_one_another(bus: BusRef) {
    bus.create_group(ORDERS, GROUP).await.unwrap();
    let blocked = tokio::spawn({
        let bus = bus.clone();
        async move { bus.read_group(ORDERS, GROUP, "c", ReadFrom::New, 1, PATIENCE).await }
    });
    let quick = async {
        for _ in 0..10 {
            let none = bus.read(Stream::Events, EntryId::START, 1, Duration::from_millis(2)).await;
            assert_eq!(none, Ok(Vec::new()));
            bus.set(&Key::ARGOS, text("x")).await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE / 2, quick).await.expect("nothing queues behind the blocked reader");
    assert!(!blocked.is_finished());
    append(&*bus, ORDERS, "order").await;
    assert_eq!(payloads(&blocked.await.unwrap().unwrap()), ["order"]);
}

pub(crate) async fn kill_latch_travels_by_key_and_by_push(bus: BusRef) {
    let origin = Origin::new("cli", "boot");
    let mut pushes = bus.subscribe(&[Channel::Kill], 8).await.unwrap();
    assert_eq!(control::latch(&bus).await, Ok(None));
    let mut latch = control::kill(&bus, &origin, "cli", "first", clock::now()).await.unwrap();
    assert_eq!((latch.epoch, latch.state), (0, KillState::Killed));
    latch.epoch = 7;
    control::put_latch(&bus, &origin, &latch, clock::now()).await.unwrap();
    let again = control::kill(&bus, &origin, "cockpit", "key", clock::now()).await.unwrap();
    assert_eq!((again.epoch, again.by.as_str(), again.why.as_str()), (7, "cockpit", "key"), "the epoch in force");
    assert_eq!(control::latch(&bus).await, Ok(Some(again.clone())));
    for seq in 1..=3 {
        let Delivery::Message { channel: Channel::Kill, payload } = next(&mut pushes).await else { panic!("no push") };
        let envelope: Envelope<cockpit::domain::KillLatch> = decode(&payload).unwrap();
        assert_eq!(envelope.seq, seq);
        if seq == 3 {
            assert_eq!(envelope.body, again);
        }
    }
}

pub(crate) async fn a_latch_that_cannot_be_read_is_an_error(bus: BusRef) {
    bus.set(&Key::Kill, text("garbage")).await.unwrap();
    assert!(matches!(control::latch(&bus).await, Err(control::ControlError::Codec(_))));
    let latch = control::kill(&bus, &Origin::new("cli", "b"), "cli", "repair", clock::now()).await.unwrap();
    assert_eq!(control::latch(&bus).await, Ok(Some(latch)), "a kill overwrites it");
}

pub(crate) async fn commands_are_numbered_and_expire(bus: BusRef) {
    let (origin, now) = (Origin::new("cli", "boot"), clock::now());
    let sent = control::command(&bus, &origin, "me", Action::Arm { why: "test".into() }, now).await.unwrap();
    let other = control::command(&bus, &origin, "me", Action::Arm { why: "test".into() }, now).await.unwrap();
    assert_ne!(sent.id, other.id);
    let read = bus.read(Stream::Commands, EntryId::START, 10, Duration::ZERO).await.unwrap();
    let first: Envelope<Command> = decode(&read[0].payload).unwrap();
    assert_eq!((&first.body, first.seq, read.len()), (&sent, 1, 2));
    assert_eq!(first.body.expires_at.since(now), Duration::from_secs(10));
}
