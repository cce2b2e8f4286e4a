//! Nothing is tried again or given up without being asked twice, and what was asked is shown until it has come to something.

use super::*;
use crate::domain::{Ack, AckVerdict, KillProof, TradeEvent};
use crate::ui::model::rows::Cell;
use crate::ui::msg::{Feed, Msg};
use crate::ui::testing::{armed, at, event, feed, hermes, keys, killed, letter, with_letters};
use crate::ui::update::update;

/// The second of the list, which lacked the money: number and second.
const POOR: (i64, i64) = (8, 55);

fn id_of((number, secs): (i64, i64)) -> String {
    letter(number, at(secs)).id
}

fn retry_of(id: &str) -> Effect {
    Effect::Command(Action::DlqRetry { id: id.to_owned() })
}

fn sent(id: &str, outcome: Result<&str, &str>) -> Msg {
    let action = Action::DlqRetry { id: id.to_owned() };
    Msg::CommandSent { action, outcome: outcome.map(str::to_owned).map_err(str::to_owned) }
}

fn ack(id: &str, verdict: AckVerdict) -> Feed {
    Feed::Ack(Ack {
        id: id.to_owned(),
        by: "hermes".to_owned(),
        not_heard_from: Vec::new(),
        verdict,
        version: None,
        at: at(61),
    })
}

fn state(model: &Model, id: &str) -> String {
    let row = model.desk.letters.rows().find(&RowId::Letter(id.to_owned())).expect("it is kept");
    match &row.cells[0] {
        Cell::Text(text, _) => text.to_string(),
        Cell::Age(_) => panic!("the state is text"),
    }
}

fn shown(model: &Model) -> String {
    model.notices.shown().map(|notice| notice.text.clone()).unwrap_or_default()
}

#[test]
fn a_retry_is_asked_twice_and_shown_until_the_letter_says_so_itself() {
    let mut model = with_letters(80, 24);
    let id = id_of(POOR);
    assert_eq!(keys(&mut model, "6jjR", at(61)), [], "one key sends nothing");
    assert_eq!(keys(&mut model, "<enter>", at(61)), [retry_of(&id)]);
    assert!(model.overlays.top().is_none());
    assert_eq!(state(&model, &id), "retry…");
    assert_eq!(keys(&mut model, "R<enter>", at(61)), [], "one command a letter at a time");

    update(&mut model, sent(&id, Ok("c1")), at(61));
    feed(&mut model, ack("c1", AckVerdict::Accepted), at(61));
    assert_eq!(state(&model, &id), "retry…", "accepted is not done");
    update(&mut model, Msg::Second, at(62));
    assert!(!shown(&model).contains("no answer"), "Hermes has a moment");
    update(&mut model, Msg::Second, at(63));
    assert_eq!(state(&model, &id), "NO ANSWER");
    assert!(shown(&model).contains(&format!("retry of {id}: no answer in 2 s")), "{}", shown(&model));

    feed(&mut model, ack("c1", AckVerdict::Applied), at(64));
    assert_eq!(state(&model, &id), "retry ✓", "a late answer still counts");
    let mut retried = letter(POOR.0, at(POOR.1));
    retried.state = DeadLetterState::Retried { attempt: 2, by: "cockpit:alice".to_owned(), at: at(64) };
    feed(&mut model, event("hermes", "h1", 61, at(64), TradeEvent::DeadLetter(retried)), at(64));
    assert_eq!(state(&model, &id), "retried #2");
    assert_eq!(keys(&mut model, "R<enter><esc>", at(65)), [], "what was tried again is settled");
}

#[test]
fn a_refusal_names_every_reason_and_the_letter_may_be_asked_about_again() {
    let mut model = with_letters(80, 24);
    let id = id_of(POOR);
    keys(&mut model, "6jjR<enter>", at(61));
    feed(
        &mut model,
        ack("c1", AckVerdict::Denied { reasons: vec!["no fresh book".to_owned(), "late".to_owned()] }),
        at(61),
    );
    update(&mut model, sent(&id, Ok("c1")), at(61));
    assert_eq!(state(&model, &id), "refused", "the answer came before the command's id");
    assert!(shown(&model).contains("refused by hermes: no fresh book; late"), "{}", shown(&model));
    assert_eq!(keys(&mut model, "R<enter>", at(62)), [retry_of(&id)]);
    update(&mut model, sent(&id, Err("bus unreachable")), at(62));
    assert_eq!(state(&model, &id), "NOT SENT");
    assert!(shown(&model).contains("not delivered: bus unreachable"), "{}", shown(&model));
}

#[test]
fn giving_up_needs_a_reason() {
    let mut model = with_letters(80, 24);
    let id = id_of((9, 58));
    assert_eq!(keys(&mut model, "6D<enter>  <enter>", at(61)), [], "blanks are no reason");
    let effects = keys(&mut model, "a test<enter>", at(61));
    assert_eq!(effects, [Effect::Command(Action::DlqDrop { id: id.clone(), why: "a test".to_owned() })]);
    assert_eq!(state(&model, &id), "drop…");
    let mut dropped = letter(9, at(58));
    dropped.state = DeadLetterState::Dropped { by: "cli:bob".to_owned(), why: "another".to_owned(), at: at(61) };
    feed(&mut model, event("hermes", "h1", 61, at(61), TradeEvent::DeadLetter(dropped)), at(61));
    assert_eq!(state(&model, &id), "dropped");
    assert!(shown(&model).contains("dropped by cli:bob: another"), "{}", shown(&model));
}

#[test]
fn what_cannot_be_executed_is_not_offered_for_a_retry() {
    let mut model = with_letters(80, 24);
    keys(&mut model, "6R", at(61));
    assert!(model.overlays.top().is_none() && shown(&model).contains("can only be dropped"), "{}", shown(&model));
    model.notices.bad("hermes is gone", at(61));
    keys(&mut model, "jjjjR", at(61));
    assert!(shown(&model).contains("cli:bob has had it tried again"), "{}", shown(&model));
    keys(&mut model, "1R", at(61));
    assert!(shown(&model).contains("6 shows them"), "{}", shown(&model));
}

#[test]
fn a_question_is_about_the_letter_it_was_asked_of() {
    let mut model = with_letters(80, 24);
    let id = id_of(POOR);
    keys(&mut model, "6jj<enter>R", at(61));
    feed(&mut model, event("hermes", "h1", 61, at(61), TradeEvent::DeadLetter(letter(10, at(61)))), at(61));
    assert_eq!(keys(&mut model, "<enter>", at(61)), [retry_of(&id)], "the letter that was open, whatever came after");
    assert!(matches!(model.overlays.top(), Some(Overlay::Detail { .. })), "and it stays open");

    keys(&mut model, "<esc>gjjjR", at(61));
    assert!(matches!(model.overlays.top(), Some(Overlay::Retry { .. })));
    let mut gone = hermes(at(62), 62, armed(), rust_decimal::dec!(1));
    gone.dead_letters = vec![letter(8, at(55))];
    feed(&mut model, Feed::Hermes(Box::new(gone)), at(62));
    assert_eq!(keys(&mut model, "<enter>", at(62)), [], "what is gone is not asked about");
    assert!(shown(&model).contains("no longer kept"), "{}", shown(&model));
}

#[test]
fn a_paste_sends_nothing_and_the_kill_goes_first() {
    for before in ["6", "6jj", "6jjR", "6jjD", "6jj<enter>"] {
        let mut model = with_letters(80, 24);
        keys(&mut model, before, at(61));
        assert_eq!(update(&mut model, Msg::Paste("R\r\nDwhy\n\rK".to_owned()), at(61)), [], "after '{before}'");
        assert!(matches!(keys(&mut model, "K", at(61)).as_slice(), [Effect::Kill { .. }]), "after '{before}'");
    }
    let mut model = with_letters(80, 24);
    keys(&mut model, "6jjRK", at(61));
    assert_eq!(keys(&mut model, "<enter>", at(61)), [], "nothing is tried again while a kill is under way");
    feed(
        &mut model,
        Feed::Hermes(Box::new(hermes(at(62), 70, killed(KillProof::None), rust_decimal::dec!(1)))),
        at(62),
    );
    assert!(model.kill.is_none());
}

#[test]
fn a_snapshot_keeps_what_was_asked_and_an_older_one_does_not_undo_the_outcome() {
    let mut model = with_letters(80, 24);
    let id = id_of(POOR);
    keys(&mut model, "6jjR<enter>", at(61));
    let snapshot = |seq| {
        let mut state = hermes(at(61), seq, armed(), rust_decimal::dec!(1));
        state.dead_letters = vec![letter(POOR.0, at(POOR.1))];
        Feed::Hermes(Box::new(state))
    };
    feed(&mut model, snapshot(60), at(61));
    assert_eq!(state(&model, &id), "retry…");
    let mut retried = letter(POOR.0, at(POOR.1));
    retried.state = DeadLetterState::Retried { attempt: 2, by: "cockpit:alice".to_owned(), at: at(61) };
    feed(&mut model, event("hermes", "h1", 61, at(61), TradeEvent::DeadLetter(retried)), at(61));
    feed(&mut model, snapshot(60), at(62));
    assert_eq!(state(&model, &id), "retried #2");
}

#[test]
fn questions_are_bounded() {
    let mut model = with_letters(80, 24);
    for number in 0..200 {
        model.desk.letters.ask(&number.to_string(), Remedy::Drop, at(61));
    }
    assert!(model.desk.letters.asked("100").is_none() && model.desk.letters.asked("199").is_some());
}
