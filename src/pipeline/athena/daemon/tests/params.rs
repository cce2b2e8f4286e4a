//! Parameters that change while the daemon runs.

use super::*;
use crate::domain::{Ack, AckVerdict, Action, ParamBook};

pub(super) fn kept_book(bus: &TestBus) -> ParamBook {
    let payload = locked(&bus.kept).keys.get("params.momentum").cloned().expect("kept");
    decode::<ParamBook>(&payload).expect("readable").body
}

impl Rig {
    async fn ask(&self, action: Action) -> Ack {
        let port: BusRef = self.bus.clone();
        let command = control::make("test", action, clock::now());
        let ack = control::ask(&port, &self.hermes, &command, PATIENCE, clock::now()).await.expect("up");
        ack.expect("an answer in time")
    }

    async fn set(&self, expected: Option<u64>, name: &str, value: &str) -> Ack {
        let changes = [(name.to_owned(), value.to_owned())].into();
        self.ask(Action::SetParams {
            strategy: "momentum".into(),
            expected,
            changes,
            why: "test".into(),
            confirm: false,
        })
        .await
    }
}

#[tokio::test]
async fn a_change_is_kept_told_and_acknowledged_with_its_version() {
    let bus = TestBus::new();
    let rig = Rig::start(&bus).await;
    assert_eq!(kept_book(&bus).versions.len(), 1);
    let ack = rig.set(Some(1), "threshold", "0.0005").await;
    assert_eq!((ack.by.as_str(), ack.verdict, ack.version), ("athena", AckVerdict::Applied, Some(2)));
    let book = kept_book(&bus);
    assert_eq!(book.in_force().expect("two").values["threshold"], "0.0005");
    rig.event(|event| matches!(event, TradeEvent::Params(version) if version.version == 2)).await;
    let state = rig.state(|state| state.params[0].version == 2).await;
    assert_eq!((state.params[0].values["threshold"].as_str(), state.strategies[0].threshold), ("0.0005", dec!(0.0005)));

    let denied = rig.set(Some(1), "threshold", "0.0006").await;
    let reason = "version 2 is in force, not 1: look at it and ask again".to_owned();
    assert_eq!((&denied.verdict, denied.version), (&AckVerdict::Denied { reasons: vec![reason] }, Some(2)));
    let out_of_range = rig.set(None, "threshold", "0.6").await;
    let reason = "threshold = 0.6: allowed: a decimal from 0.00001 to 0.5".to_owned();
    assert_eq!(out_of_range.verdict, AckVerdict::Denied { reasons: vec![reason] });
    let back = |expected| Action::RollbackParams {
        strategy: "momentum".into(),
        to: 1,
        expected: Some(expected),
        why: "test".into(),
        confirm: false,
    };
    let stale = rig.ask(back(1)).await;
    assert_eq!(stale.verdict, denied.verdict, "a rollback may expect a version as well");
    let back = rig.ask(back(2)).await;
    assert_eq!((back.verdict, back.version), (AckVerdict::Applied, Some(3)));
    let stranger = rig
        .ask(Action::RollbackParams {
            strategy: "weather".into(),
            to: 1,
            expected: None,
            why: "test".into(),
            confirm: false,
        })
        .await;
    assert_eq!(
        stranger.verdict,
        AckVerdict::Denied { reasons: vec!["no strategy 'weather'; there is momentum".to_owned()] }
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_restart_takes_up_the_kept_version_and_signals_name_it() {
    let bus = TestBus::new();
    let rig = Rig::start(&bus).await;
    rig.set(None, "slippage", "0.02").await;
    let bus = rig.stop().await;
    let mut rig = Rig::start(&bus).await;
    let state = rig.state(|_| true).await;
    assert_eq!((state.params[0].version, state.params[0].values["slippage"].as_str()), (2, "0.02"));
    rig.move_up().await;
    let entry = rig.until("a signal", |bus| bus.all::<SignalEntry>(Stream::Signals).pop()).await;
    assert_eq!((entry.rationale.params, entry.intent.price), (2, Price(dec!(0.53))));
    rig.stop().await;
}

#[tokio::test]
async fn kept_parameters_that_cannot_be_read_give_way_to_the_files() {
    let bus = TestBus::new();
    bus.set(&Key::Params("momentum".into()), Bytes::from_static(b"junk")).await.expect("up");
    let rig = Rig::start(&bus).await;
    assert_eq!(kept_book(&bus).in_force().expect("one").version, 1);
    rig.stop().await;
}

#[tokio::test]
async fn versions_that_the_bus_lost_are_written_again_with_the_next_change() {
    let bus = TestBus::new();
    let rig = Rig::start(&bus).await;
    rig.set(None, "threshold", "0.0005").await;
    locked(&bus.kept).keys.remove("params.momentum");
    let ack = rig.set(Some(2), "threshold", "0.0006").await;
    assert_eq!((ack.verdict, ack.version), (AckVerdict::Applied, Some(3)));
    assert_eq!(kept_book(&bus).versions.len(), 3);
    rig.stop().await;
}

#[tokio::test]
async fn a_newer_version_of_another_athena_is_taken_over_before_anything_is_changed() {
    let bus = TestBus::new();
    let rig = Rig::start(&bus).await;
    let mut book = kept_book(&bus);
    let mut other = book.versions[0].clone();
    (other.version, other.by) = (2, "cli:other".into());
    other.values.insert("size".into(), "7".into());
    book.versions.push(other);
    rig.keep(&Key::Params("momentum".into()), &book).await;
    let denied = rig.set(Some(1), "threshold", "0.0005").await;
    assert!(
        matches!(&denied.verdict, AckVerdict::Denied { reasons } if reasons[0].starts_with("version 2 is in force"))
    );
    let ack = rig.set(Some(2), "threshold", "0.0005").await;
    assert_eq!((ack.verdict, ack.version), (AckVerdict::Applied, Some(3)));
    let state = rig.state(|state| state.params[0].version == 3).await;
    assert_eq!(state.params[0].values["size"], "7");
    rig.stop().await;
}

#[tokio::test]
async fn a_change_waits_for_a_bus_that_is_away() {
    let bus = TestBus::new();
    let rig = Rig::start(&bus).await;
    bus.replace_fails.store(3, Ordering::SeqCst);
    let ack = rig.set(Some(1), "threshold", "0.0005").await;
    assert_eq!((ack.verdict, ack.version), (AckVerdict::Applied, Some(2)));
    assert_eq!(kept_book(&bus).versions.len(), 2, "an attempt in doubt that had been written is not written twice");
    rig.stop().await;
}
