//! What keys, answers and time do to the model; and that nothing ever takes the kill away.

mod mouse;
mod positions;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;

use super::*;
use crate::bus::BusLink;
use crate::domain::{
    Ack, AckVerdict, Action as Asked, Alert, Control, DeadLetterState, KillProof, KillState, LimitUse, Mode,
    OrderState, TradeEvent,
};
use crate::ui::model::Link;
use crate::ui::model::flow::Flow;
use crate::ui::model::panes::{Pane, RowId};
use crate::ui::model::screens::Screen;
use crate::ui::msg::{Delivered, Feed, MarketBatch};
use crate::ui::testing::{
    argos, armed, at, busy, denial, event, feed, fill, hermes, keys, killed, latch, letter, model, order, signal, tick,
};

fn is_kill(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Kill { .. }))
}

fn on_bus(secs: i64) -> Delivered {
    Delivered::Bus(latch(3, KillState::Killed, at(secs)))
}

fn arming() -> Asked {
    Asked::Arm { why: "armed from the cockpit".to_owned() }
}

fn sent(action: Asked, outcome: Result<&str, &str>) -> Msg {
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

#[test]
fn the_kill_works_on_every_screen_over_every_layer_and_inside_every_input() {
    for before in
        ["", "?", "?/", "?/x", ":", ":kil", "A", "Aar", "jj<enter>", "m", "z", "6", "6z?", "<tab><tab>j<enter>?:A"]
    {
        let mut model = busy(80, 24);
        keys(&mut model, before, at(60));
        let effects = keys(&mut model, "K", at(60));
        assert!(is_kill(&effects), "after '{before}'");
        assert!(model.kill.is_some(), "after '{before}'");
    }
    for size in [(0, 0), (1, 1), (39, 9)] {
        assert!(is_kill(&keys(&mut busy(size.0, size.1), "K", at(60))), "{size:?}");
    }
    assert!(is_kill(&keys(&mut model(80, 24), "K", at(0))), "before anything is known of the desk");
}

#[test]
fn pasted_text_never_does_anything() {
    for before in ["", "?/", ":", "A", "jj<enter>", "m"] {
        let mut model = busy(80, 24);
        keys(&mut model, before, at(60));
        let effects = update(&mut model, Msg::Paste("K\nKq:kill\narm\r\n".to_owned()), at(60));
        assert_eq!(effects, [], "after '{before}'");
        assert_eq!(model.kill, None, "after '{before}'");
    }
    let mut model = busy(80, 24);
    keys(&mut model, "A", at(60));
    update(&mut model, Msg::Paste("arm".to_owned()), at(60));
    assert_eq!(keys(&mut model, "<enter>", at(60)), [], "the word must be typed");
}

#[test]
fn a_kill_is_tried_until_hermes_confirms_it() {
    let mut model = busy(80, 24);
    keys(&mut model, "K", at(60));
    assert!(!is_kill(&keys(&mut model, "K", at(60))), "one attempt at a time");
    assert!(update(&mut model, Msg::KillSent(Err("bus unreachable: refused".to_owned())), at(60)).is_empty());
    let shown = model.notices.shown().map(|notice| notice.text.clone()).unwrap_or_default();
    assert!(shown.contains("kill not delivered over the bus: bus unreachable: refused; use `cockpit kill`"), "{shown}");
    assert!(is_kill(&update(&mut model, Msg::Second, at(61))), "a failed attempt is repeated");
    update(&mut model, Msg::KillSent(Ok(on_bus(61))), at(61));
    assert!(!is_kill(&update(&mut model, Msg::Second, at(62))), "Hermes has a moment to confirm");
    feed(&mut model, Feed::Hermes(Box::new(hermes(at(62), 70, armed(), rust_decimal::dec!(1)))), at(62));
    assert!(model.kill.is_some(), "an armed report confirms nothing");
    assert!(is_kill(&update(&mut model, Msg::Second, at(63))), "what is not confirmed is repeated");
    update(&mut model, Msg::KillSent(Ok(on_bus(63))), at(63));
    let report = killed(KillProof::Proving { zero_seen: 0 });
    feed(&mut model, event("hermes", "h1", 71, at(63), TradeEvent::Kill(report)), at(63));
    assert_eq!(model.kill, None);
    assert!(!is_kill(&update(&mut model, Msg::Second, at(90))));
}

#[test]
fn a_kill_that_went_past_the_bus_is_not_said_to_be_on_it() {
    let mut model = busy(120, 30);
    keys(&mut model, "K", at(60));
    update(&mut model, Msg::KillSent(Ok(Delivered::Beside)), at(61));
    let shown = model.notices.shown().map(|notice| notice.text.clone()).unwrap_or_default();
    assert!(shown.contains("past the bus") && !shown.contains("on the bus"), "{shown}");
    assert!(model.desk.latch.as_ref().is_none_or(|latch| latch.epoch > 0), "no latch was seen there");
    let headline = crate::ui::view::tests::screen(&model);
    assert!(headline.contains("with Hermes past the bus"), "{headline}");
}

#[test]
fn how_a_kill_got_there_is_not_told_once_it_is_confirmed() {
    for late in [Ok(on_bus(62)), Ok(Delivered::Beside), Err("refused".to_owned())] {
        let mut model = busy(80, 24);
        keys(&mut model, "K", at(60));
        feed(&mut model, event("hermes", "h1", 71, at(61), TradeEvent::Kill(killed(KillProof::None))), at(61));
        update(&mut model, Msg::KillSent(late), at(62));
        let shown = model.notices.shown().map(|notice| notice.text.clone()).unwrap_or_default();
        assert!(shown.contains("Hermes confirms"), "{shown}");
    }
}

#[test]
fn an_attempt_that_never_ends_does_not_block_the_kill() {
    let mut model = busy(80, 24);
    keys(&mut model, "K", at(60));
    assert!(!is_kill(&update(&mut model, Msg::Second, at(63))));
    assert!(is_kill(&update(&mut model, Msg::Second, at(66))));
}

#[test]
fn an_old_kill_report_does_not_confirm_a_new_kill() {
    let mut model = busy(80, 24);
    keys(&mut model, "K", at(60));
    let mut old = killed(KillProof::Proved { at: at(1) });
    old.latch.epoch = 2;
    feed(&mut model, event("hermes", "h1", 61, at(60), TradeEvent::Kill(old)), at(60));
    assert!(model.kill.is_some());
}

#[test]
fn arming_needs_the_typed_word_and_shows_the_refusal() {
    let mut model = busy(80, 24);
    let state = hermes(at(61), 70, killed(KillProof::Proved { at: at(61) }), rust_decimal::dec!(1));
    feed(&mut model, Feed::Hermes(Box::new(state)), at(61));
    assert_eq!(keys(&mut model, "Aarn<enter>", at(62)), []);
    let effects = keys(&mut model, "<backspace>m<enter>", at(62));
    assert!(matches!(effects.as_slice(), [Effect::Command(Asked::Arm { .. })]), "{effects:?}");
    assert_eq!(keys(&mut model, "arm<enter>", at(62)), [], "one command at a time");
    update(&mut model, sent(arming(), Ok("c1")), at(62));
    feed(&mut model, ack("other", AckVerdict::Applied), at(62));
    assert!(model.arm.is_out(), "an answer to somebody else is not ours");
    let reasons = vec!["1 order unknown".to_owned(), "not reconciled".to_owned()];
    feed(&mut model, ack("c1", AckVerdict::Denied { reasons: reasons.clone() }), at(63));
    assert_eq!(model.arm, Flow::Denied(reasons));
    assert!(model.notices.shown().is_some_and(|notice| notice.text.contains("1 order unknown; not reconciled")));
}

#[test]
fn an_answer_may_come_before_we_know_the_commands_id_or_late_or_never() {
    let mut model = busy(80, 24);
    keys(&mut model, "Aarm<enter>", at(60));
    feed(&mut model, ack("c1", AckVerdict::Applied), at(60));
    update(&mut model, sent(arming(), Ok("c1")), at(60));
    assert_eq!(model.arm, Flow::Applied);
    assert!(model.overlays.top().is_none(), "done: the layer closes");

    keys(&mut model, "Aarm<enter>", at(70));
    update(&mut model, sent(arming(), Ok("c2")), at(70));
    update(&mut model, Msg::Second, at(75));
    assert!(model.notices.shown().is_some_and(|notice| notice.text.contains("no answer in 2 s")));
    feed(&mut model, ack("c2", AckVerdict::Applied), at(80));
    assert_eq!(model.arm, Flow::Applied, "a late answer still counts");
}

#[test]
fn an_arming_that_nobody_answers_can_be_asked_for_again_and_fails_when_it_has_expired() {
    let mut model = busy(80, 24);
    keys(&mut model, "Aarm<enter>", at(60));
    update(&mut model, sent(arming(), Ok("c1")), at(60));
    update(&mut model, Msg::Second, at(66));
    let effects = keys(&mut model, "arm<enter>", at(66));
    assert!(
        matches!(effects.as_slice(), [Effect::Command(Asked::Arm { .. })]),
        "a late answer does not stand in the way: {effects:?}"
    );
    update(&mut model, sent(arming(), Ok("c2")), at(66));
    update(&mut model, Msg::Second, at(95));
    assert!(model.arm.is_out(), "it may still be answered");
    update(&mut model, Msg::Second, at(96));
    assert_eq!(model.arm, Flow::Failed("no answer; the command has expired".to_owned()));
    let effects = keys(&mut model, "arm<enter>", at(97));
    assert!(matches!(effects.as_slice(), [Effect::Command(Asked::Arm { .. })]), "{effects:?}");
    update(&mut model, Msg::Second, at(102));
    assert!(matches!(model.arm, Flow::Failed(_)), "an attempt without an outcome ends too");
}

#[test]
fn a_kill_overrules_also_an_arming_that_was_asked_for_again() {
    let mut model = busy(80, 24);
    keys(&mut model, "Aarm<enter>", at(60));
    update(&mut model, sent(arming(), Ok("c1")), at(60));
    update(&mut model, Msg::Second, at(66));
    keys(&mut model, "arm<enter>", at(66));
    update(&mut model, sent(arming(), Ok("c2")), at(66));
    feed(&mut model, ack("c2", AckVerdict::Denied { reasons: vec![] }), at(67));
    keys(&mut model, "K", at(68));
    update(&mut model, Msg::KillSent(Ok(on_bus(68))), at(68));
    feed(&mut model, event("hermes", "h1", 61, at(68), TradeEvent::Kill(killed(KillProof::None))), at(68));
    assert_eq!(model.kill, None, "confirmed");
    assert!(is_kill(&feed(&mut model, ack("c1", AckVerdict::Applied), at(69))), "the first came after all");
}

#[test]
fn a_kill_overrules_an_arming_that_is_on_its_way() {
    let mut model = busy(80, 24);
    keys(&mut model, "Aarm<enter>", at(60));
    update(&mut model, sent(arming(), Ok("c1")), at(60));
    keys(&mut model, "K", at(61));
    update(&mut model, Msg::KillSent(Ok(on_bus(61))), at(61));
    feed(&mut model, event("hermes", "h1", 61, at(61), TradeEvent::Kill(killed(KillProof::None))), at(61));
    assert_eq!(model.kill, None, "confirmed");
    assert!(is_kill(&feed(&mut model, ack("c1", AckVerdict::Applied), at(62))), "the arming came after: kill again");
}

#[test]
fn esc_closes_exactly_one_layer() {
    let mut model = busy(80, 24);
    keys(&mut model, "jj<enter>?m", at(60));
    for left in [2, 1, 0] {
        keys(&mut model, "<esc>", at(60));
        assert_eq!(model.overlays.iter().count(), left);
    }
    assert!(model.panes.selection(Pane::Orders).id.is_some());
    keys(&mut model, "<esc>", at(60));
    assert!(model.panes.selection(Pane::Orders).id.is_none(), "then the selection");
}

#[test]
fn a_screen_has_its_number_and_keeps_its_focus() {
    let mut model = busy(120, 30);
    keys(&mut model, "<tab>6", at(60));
    assert_eq!((model.panes.screen(), model.panes.focus()), (Screen::Dlq, Pane::Letters));
    keys(&mut model, "<tab>", at(60));
    assert_eq!(model.panes.focus(), Pane::Letters, "tab stays on the screen");
    keys(&mut model, ":overv<enter>", at(60));
    assert_eq!((model.panes.screen(), model.panes.focus()), (Screen::Overview, Pane::Fills));
}

#[test]
fn a_takeover_and_a_new_concern_about_the_bus_are_told_once() {
    let mut model = busy(80, 24);
    let mut state = hermes(at(61), 1, armed(), rust_decimal::dec!(1));
    state.boot = "h2".to_owned();
    state.fencing_token = Some(8);
    feed(&mut model, Feed::Hermes(Box::new(state.clone())), at(61));
    let told = model.notices.len();
    assert!(model.notices.shown().is_some_and(|notice| notice.text.contains("lease #8 after #7")));
    state.bus_concerns = vec!["the master moved".to_owned()];
    for _ in 0..2 {
        feed(&mut model, Feed::Hermes(Box::new(state.clone())), at(62));
    }
    assert!(model.notices.shown().is_some_and(|notice| notice.text == "bus: the master moved" && notice.times == 1));
    assert_eq!(model.notices.len(), told + 1);
    let why = "the outcome of order momentum-3 is unknown for 61 s".to_owned();
    state.halted = vec![crate::domain::StrategyHalt { strategy: "momentum".into(), why }];
    for _ in 0..2 {
        feed(&mut model, Feed::Hermes(Box::new(state.clone())), at(63));
    }
    assert!(model.notices.shown().is_some_and(|notice| notice.text.starts_with("momentum halted: the outcome")));
    assert_eq!(model.notices.len(), told + 2);
}

#[test]
fn the_selection_follows_its_row() {
    let mut model = busy(80, 24);
    keys(&mut model, "jj", at(60));
    let chosen = RowId::Order("momentum-8".into(), 1);
    assert_eq!(model.panes.selection(Pane::Orders).id, Some(chosen.clone()));
    let newer = order(10, OrderState::Live, rust_decimal::dec!(0), at(60));
    feed(&mut model, event("hermes", "h1", 61, at(60), TradeEvent::Order(newer)), at(60));
    assert_eq!(model.panes.selection(Pane::Orders).id, Some(chosen.clone()));
    assert_eq!(model.panes.selection(Pane::Orders).index, 2);
    let mut state = hermes(at(61), 99, armed(), rust_decimal::dec!(1));
    state.recent_orders.retain(|order| order.intent.intent.as_str() != "momentum-8");
    feed(&mut model, Feed::Hermes(Box::new(state)), at(61));
    let selection = model.panes.selection(Pane::Orders);
    assert!(selection.id.is_some() && selection.id != Some(chosen), "its successor is selected");
}

#[test]
fn a_gap_in_the_events_asks_for_a_new_snapshot_and_is_counted() {
    let mut model = busy(80, 24);
    let body = || TradeEvent::Fill(fill(9, crate::domain::FillStatus::Matched, at(60)));
    assert_eq!(feed(&mut model, event("hermes", "h1", 61, at(60), body()), at(60)), []);
    assert_eq!(feed(&mut model, event("hermes", "h1", 65, at(60), body()), at(60)), [Effect::Resnapshot]);
    assert_eq!(model.desk.losses.events, 3);
    let old = TradeEvent::Order(order(9, OrderState::Rejected, rust_decimal::dec!(0), at(52)));
    feed(&mut model, event("hermes", "h1", 40, at(60), old), at(60));
    let row = model.desk.orders.find(&RowId::Order("momentum-9".into(), 1)).expect("it is known");
    assert_eq!(row.item.state, OrderState::Live, "what a snapshot has overtaken changes nothing");
}

#[test]
fn an_older_snapshot_does_not_undo_newer_events() {
    let mut model = busy(80, 24);
    let body = TradeEvent::Order(order(11, OrderState::Live, rust_decimal::dec!(0), at(60)));
    feed(&mut model, event("hermes", "h1", 61, at(60), body), at(60));
    feed(&mut model, Feed::Hermes(Box::new(hermes(at(60), 60, armed(), rust_decimal::dec!(5)))), at(61));
    assert!(model.desk.orders.find(&RowId::Order("momentum-11".into(), 1)).is_some());
    assert_eq!(model.desk.books.as_ref().map(|books| books.today.0), Some(rust_decimal::dec!(5)), "figures are taken");
}

#[test]
fn when_the_bus_is_down_values_stay_and_when_it_is_back_snapshots_are_read() {
    let mut model = busy(80, 24);
    feed(&mut model, Feed::Link(BusLink::Down("refused".to_owned())), at(61));
    feed(&mut model, Feed::Link(BusLink::Down("refused again".to_owned())), at(65));
    assert_eq!(model.link, Link::Down { reason: "refused again".to_owned(), since: at(61) });
    assert_eq!(model.rows(Pane::Orders), 4);
    assert_eq!(feed(&mut model, Feed::Link(BusLink::Up), at(70)), [Effect::Resnapshot]);
}

#[test]
fn a_degraded_bus_is_not_shown_as_a_dead_one() {
    let mut model = busy(120, 30);
    assert_eq!(feed(&mut model, Feed::Link(BusLink::Degraded("NOREPLICAS".to_owned())), at(61)), []);
    update(&mut model, Msg::Second, at(62));
    let shown = crate::ui::view::tests::screen(&model);
    assert!(shown.contains("bus degraded 1s: NOREPLICAS; no new orders"), "{shown}");
    assert!(!shown.contains("bus down") && !shown.contains(" old"), "the data is as fresh as before: {shown}");
    feed(&mut model, Feed::Link(BusLink::Degraded("OOM".to_owned())), at(65));
    assert_eq!(model.link, Link::Degraded { reason: "OOM".to_owned(), since: at(61) });
    feed(&mut model, Feed::Link(BusLink::Down("refused".to_owned())), at(66));
    let back = feed(&mut model, Feed::Link(BusLink::Degraded("NOREPLICAS".to_owned())), at(70));
    assert_eq!(back, [Effect::Resnapshot], "what can be read is read");
}

#[test]
fn a_daemon_is_judged_by_change_not_by_its_clock() {
    let mut model = model(80, 24);
    feed(&mut model, Feed::Argos(argos(at(-100))), at(0));
    assert!(!model.desk.argos.is_up(at(0)), "an old snapshot found on attaching is old");
    feed(&mut model, Feed::Argos(argos(at(-99))), at(1));
    assert!(model.desk.argos.is_up(at(2)), "it changes: it is alive, whatever its clock says");
    feed(&mut model, Feed::Argos(argos(at(-99))), at(9));
    assert!(!model.desk.argos.is_up(at(9)), "the same again is no sign of life");
}

#[test]
fn an_alert_stays_on_the_last_line_and_the_nearest_limit_in_the_header() {
    let mut model = busy(120, 30);
    let alert = |level: u32| {
        TradeEvent::Alert(Alert {
            control: Control::DailyLoss,
            subject: "account".into(),
            level,
            value: rust_decimal::Decimal::from(level),
            limit: rust_decimal::dec!(100),
            unit: "pUSD".into(),
            at: at(61),
        })
    };
    for (seq, level) in [(71, 80), (72, 95)] {
        feed(&mut model, event("hermes", "h1", seq, at(61), alert(level)), at(61));
        update(&mut model, Msg::Second, at(119));
        let shown = model.notices.shown().map(|notice| notice.text.clone());
        assert_eq!(shown, Some(format!("{level} % of daily_loss reached: {level} of 100 pUSD (account)")));
    }
    let mut state = hermes(at(62), 80, armed(), rust_decimal::dec!(1));
    let near = LimitUse::new(Control::DailyLoss, "account", (rust_decimal::dec!(96), rust_decimal::dec!(100)), "pUSD");
    state.limits.insert(0, near);
    feed(&mut model, Feed::Hermes(Box::new(state)), at(62));
    assert_eq!(model.desk.limits.get(0).map(|row| row.item.percent), Some(96));
    let mut buffer = ratatui::buffer::Buffer::empty(model.area());
    crate::ui::view::view(&model, crate::ui::theme::Theme::new(true), model.area(), &mut buffer);
    let header: String = (0..120).map(|x| buffer[(x, 1)].symbol()).collect();
    assert!(header.contains("daily_loss 96%"), "{header}");
}

#[test]
fn leaving_asks_nothing_in_sim_and_once_elsewhere() {
    let mut sim = busy(80, 24);
    assert_eq!(keys(&mut sim, "q", at(60)), [Effect::Quit]);
    assert_eq!(keys(&mut sim, ":<ctrl-c>", at(60)), [Effect::Quit], "also from an input");
    assert_eq!(keys(&mut busy(80, 24), "?q", at(60)), [], "over a layer a plain key closes the layer");
    let mut live = model(80, 24);
    live.configured = Mode::Live;
    assert_eq!(keys(&mut live, "q", at(60)), []);
    assert_eq!(keys(&mut live, "q", at(62)), [Effect::Quit]);
    let mut killing = busy(80, 24);
    keys(&mut killing, "K", at(60));
    assert_eq!(keys(&mut killing, "q", at(60)), [], "a kill on its way is not abandoned by accident");
}

#[test]
fn an_embedded_desk_that_slept_with_the_cockpit_says_so() {
    let slept = |place: &str| {
        let mut model = busy(80, 24);
        place.clone_into(&mut model.place);
        update(&mut model, Msg::Slept(std::time::Duration::from_secs(42)), at(102));
        model.notices.shown().map(|notice| notice.text.clone())
    };
    assert!(slept("embedded").is_some_and(|text| text.contains("stood still for 42s")));
    assert_eq!(slept("redis://desk:6379/0"), None, "a desk elsewhere went on");
}

#[test]
fn the_palette_runs_by_name_and_help_searches() {
    let mut model = busy(80, 24);
    assert_eq!(keys(&mut model, ":redr<enter>", at(60)), [Effect::Redraw]);
    assert!(model.overlays.top().is_none());
    keys(&mut model, ":zoo<enter>", at(60));
    assert!(model.panes.zoomed);
    assert_eq!(keys(&mut model, ":nothing like it<enter>", at(60)), []);
    keys(&mut model, "<esc>?/kill", at(60));
    assert!(matches!(model.overlays.top(), Some(Overlay::Help { filter, .. }) if filter.text() == "kill"));
}

#[test]
fn no_keymap_locks_the_reader_into_an_input() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let file = dir.path().join("keys.toml");
    std::fs::write(&file, "[keys]\nopen = [\"o\"]\nclose = [\"x\"]\npage_up = [\"ctrl-b\"]\n").expect("writes");
    for before in [":", "A", "?/"] {
        let mut model = busy(80, 24);
        model.keymap = crate::ui::keymap::Keymap::load(Some(&file)).expect("a keymap");
        keys(&mut model, before, at(60));
        assert!(matches!(model.overlays.top(), Some(top) if top.takes_text()), "after '{before}'");
        keys(&mut model, "<esc>", at(60));
        assert!(!model.overlays.top().is_some_and(Overlay::takes_text), "after '{before}'");
    }
    let mut model = busy(80, 24);
    model.keymap = crate::ui::keymap::Keymap::load(Some(&file)).expect("a keymap");
    assert_eq!(keys(&mut model, ":oxredr<ctrl-u>redr<enter>", at(60)), [Effect::Redraw]);
    assert!(matches!(keys(&mut model, "Aarm<enter>", at(60)).as_slice(), [Effect::Command(Asked::Arm { .. })]));
}

#[test]
fn pasting_into_the_palette_chooses_among_what_is_left() {
    let mut model = busy(80, 24);
    keys(&mut model, ":<down><down><down>", at(60));
    update(&mut model, Msg::Paste("redraw".to_owned()), at(60));
    assert_eq!(keys(&mut model, "<enter>", at(60)), [Effect::Redraw]);
}

fn any_key() -> impl Strategy<Value = Msg> {
    let code = prop_oneof![
        6 => proptest::char::range(' ', '~').prop_map(KeyCode::Char),
        1 => any::<char>().prop_map(KeyCode::Char),
        4 => prop_oneof![
            Just(KeyCode::Enter), Just(KeyCode::Esc), Just(KeyCode::Tab), Just(KeyCode::BackTab), Just(KeyCode::Backspace),
            Just(KeyCode::Up), Just(KeyCode::Down), Just(KeyCode::PageDown), Just(KeyCode::End), Just(KeyCode::Home),
        ],
    ];
    let modifiers = prop_oneof![
        4 => Just(KeyModifiers::NONE),
        1 => Just(KeyModifiers::SHIFT),
        1 => Just(KeyModifiers::CONTROL),
        1 => Just(KeyModifiers::ALT),
    ];
    (code, modifiers).prop_map(|(code, modifiers)| Msg::Key(KeyEvent::new(code, modifiers)))
}

fn any_feed() -> impl Strategy<Value = Feed> {
    let number = 0_i64..30;
    let seq = 0_u64..90;
    prop_oneof![
        Just(Feed::Link(BusLink::Up)),
        Just(Feed::Link(BusLink::Degraded("NOREPLICAS".to_owned()))),
        Just(Feed::Link(BusLink::Down("down".to_owned()))),
        (seq.clone(), any::<bool>()).prop_map(|(seq, armed_now)| {
            let report = if armed_now { armed() } else { killed(KillProof::Proving { zero_seen: 2 }) };
            Feed::Hermes(Box::new(hermes(at(60), seq, report, rust_decimal::dec!(-2))))
        }),
        Just(Feed::Argos(argos(at(60)))),
        (seq.clone(), number.clone()).prop_map(|(seq, number)| {
            let body = TradeEvent::Order(order(number, OrderState::Unknown, rust_decimal::dec!(1), at(number)));
            event("hermes", "h1", seq, at(60), body)
        }),
        (seq.clone(), number.clone()).prop_map(|(seq, number)| event(
            "athena",
            "t1",
            seq,
            at(60),
            TradeEvent::Signal(signal(number, at(number)))
        )),
        (seq.clone(), 0_i64..4, any::<bool>()).prop_map(|(seq, number, dropped)| {
            let mut letter = letter(number, at(number));
            if dropped {
                let (by, why) = ("cli:bob".to_owned(), "x".to_owned());
                letter.state = DeadLetterState::Dropped { by, why, at: at(60) };
            }
            event("hermes", "h1", seq, at(60), TradeEvent::DeadLetter(letter))
        }),
        (seq, number.clone()).prop_map(|(seq, number)| event("athena", "t2", seq, at(60), denial(number, at(number)))),
        number.prop_map(|number| {
            let ticks = vec![tick(&format!("C{number}/USD"), rust_decimal::Decimal::from(number), at(number))];
            Feed::Market(MarketBatch { ticks, received: 1, ..MarketBatch::default() })
        }),
        "[a-c]".prop_map(|id| ack(&id, AckVerdict::Applied)),
        "[a-c]".prop_map(|id| ack(&id, AckVerdict::Denied { reasons: vec![] })),
        Just(Feed::Latch(latch(9, KillState::Killed, at(60)))),
        Just(Feed::Unreadable { what: "state.hermes".to_owned(), error: "field 'seq'".to_owned() }),
    ]
}

fn any_wish() -> impl Strategy<Value = Asked> {
    (0_i64..4, 0..3).prop_map(|(number, kind)| {
        let id = letter(number, at(number)).id;
        match kind {
            0 => arming(),
            1 => Asked::DlqRetry { id },
            _ => Asked::DlqDrop { id, why: "x".to_owned() },
        }
    })
}

fn any_msg() -> impl Strategy<Value = Msg> {
    let mouse = (0_u16..130, 0_u16..40, 0..3).prop_map(|(column, row, kind)| {
        let kind = match kind {
            0 => MouseEventKind::Down(MouseButton::Left),
            1 => MouseEventKind::ScrollDown,
            _ => MouseEventKind::ScrollUp,
        };
        Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    });
    prop_oneof![
        8 => any_key(),
        4 => any_feed().prop_map(|feed| Msg::Feed(Box::new(feed))),
        1 => mouse,
        1 => "\\PC{0,20}".prop_map(Msg::Paste),
        1 => (0_u16..210, 0_u16..70).prop_map(|(width, height)| Msg::Resize(width, height)),
        1 => Just(Msg::Second),
        1 => Just(Msg::KillSent(Err("refused".to_owned()))),
        1 => Just(Msg::KillSent(Ok(on_bus(60)))),
        1 => (any_wish(), "[a-c]").prop_map(|(action, id)| sent(action, Ok(&id))),
        1 => any_wish().prop_map(|action| sent(action, Err("refused"))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn whatever_happens_the_kill_is_reachable_and_the_model_is_whole(
        msgs in proptest::collection::vec(any_msg(), 0..120), began_busy in any::<bool>(),
    ) {
        let mut model = if began_busy { busy(100, 30) } else { model(80, 24) };
        for (index, msg) in msgs.into_iter().enumerate() {
            let harmless = matches!(msg, Msg::Paste(_) | Msg::Mouse(_) | Msg::Resize(..));
            let effects = update(&mut model, msg, at(60 + i64::try_from(index).expect("few")));
            prop_assert!(!harmless || effects.is_empty(), "{effects:?}");
            prop_assert!(model.overlays.iter().count() <= 7);
            for pane in Pane::ALL {
                let selection = model.panes.selection(pane);
                if let Some(id) = &selection.id {
                    let there = model.row_at(pane, selection.index);
                    prop_assert_eq!(there.as_ref(), Some(id));
                }
                prop_assert!(selection.offset <= model.rows(pane));
            }
        }
        let area = model.area();
        view_at(&model, area);
        let before = model.kill.clone();
        let effects = keys(&mut model, "K", at(500));
        let already = before.is_some_and(|request| request.busy(at(500)));
        prop_assert!(model.kill.is_some());
        prop_assert!(already || is_kill(&effects), "K must always kill");
    }

    #[test]
    fn a_key_release_does_nothing(character in proptest::char::range(' ', '~')) {
        let mut model = busy(80, 24);
        let event = KeyEvent::new_with_kind(KeyCode::Char(character), KeyModifiers::NONE, KeyEventKind::Release);
        prop_assert_eq!(update(&mut model, Msg::Key(event), at(60)), []);
        prop_assert!(model.kill.is_none() && model.overlays.top().is_none());
    }
}

fn view_at(model: &Model, area: ratatui::layout::Rect) {
    let mut buffer = ratatui::buffer::Buffer::empty(area);
    crate::ui::view::view(model, crate::ui::theme::Theme::new(true), area, &mut buffer);
}
