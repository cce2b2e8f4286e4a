//! Every screen at every breakpoint, as text; and a fuzz over sizes.

use std::fmt::Write as _;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::*;
use crate::domain::{KillProof, TradeEvent};
use crate::ui::msg::{Delivered, Feed, Msg};
use crate::ui::testing::{
    at, busy, deciding, event, feed, hermes, keys, killed, letter, model, resolved, with_letters,
};
use crate::ui::update::update;

const SIZES: [(u16, u16); 5] = [(200, 60), (120, 30), (80, 24), (60, 16), (40, 10)];

fn buffer(model: &Model, theme: Theme) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(model.size.0, model.size.1)).expect("in memory");
    terminal.draw(|frame| view(model, theme, frame.area(), frame.buffer_mut())).expect("draws");
    terminal.backend().buffer().clone()
}

pub(crate) fn screen(model: &Model) -> String {
    let buffer = buffer(model, Theme::new(true));
    let area = buffer.area;
    let mut text = String::new();
    for y in 0..area.height {
        let mut skip = 0;
        let mut line = String::new();
        for x in 0..area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = crate::ui::format::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Each cell's style as a letter, with a legend: what the text alone does not show.
fn styles(model: &Model, theme: Theme) -> String {
    let buffer = buffer(model, theme);
    let area = buffer.area;
    let mut legend: Vec<String> = Vec::new();
    let mut text = String::new();
    for y in 0..area.height {
        for x in 0..area.width {
            let cell = &buffer[(x, y)];
            let style = format!("{:?} on {:?} {:?}", cell.fg, cell.bg, cell.modifier);
            let index = legend.iter().position(|known| *known == style).unwrap_or_else(|| {
                legend.push(style);
                legend.len() - 1
            });
            text.push(char::from(b'a' + u8::try_from(index).expect("few styles")));
        }
        text.push('\n');
    }
    for (index, style) in legend.iter().enumerate() {
        let letter = char::from(b'a' + u8::try_from(index).expect("few styles"));
        writeln!(text, "{letter} = {style}").expect("writes to a string");
    }
    text
}

fn with_kill(width: u16, height: u16, proof: KillProof) -> Model {
    let mut model = busy(width, height);
    feed(&mut model, Feed::Hermes(Box::new(hermes(at(61), 70, killed(proof), rust_decimal::dec!(1.34)))), at(61));
    model
}

fn bus_down(width: u16, height: u16) -> Model {
    let mut model = busy(width, height);
    feed(&mut model, Feed::Link(crate::bus::BusLink::Down("Connection refused (os error 111)".to_owned())), at(61));
    update(&mut model, Msg::Second, at(72));
    model
}

fn with_keys(width: u16, height: u16, typed: &str) -> Model {
    let mut model = busy(width, height);
    keys(&mut model, typed, at(60));
    model
}

#[test]
fn screens_at_every_breakpoint() {
    for (width, height) in SIZES {
        let name = |screen: &str| format!("{screen}-{width}x{height}");
        insta::assert_snapshot!(name("connecting"), screen(&model(width, height)));
        insta::assert_snapshot!(name("busy"), screen(&busy(width, height)));
        insta::assert_snapshot!(
            name("killed-proving"),
            screen(&with_kill(width, height, KillProof::Proving { zero_seen: 1 }))
        );
        insta::assert_snapshot!(
            name("killed-proved"),
            screen(&with_kill(width, height, KillProof::Proved { at: at(60) }))
        );
        insta::assert_snapshot!(name("help"), screen(&with_keys(width, height, "?")));
        insta::assert_snapshot!(name("bus-down"), screen(&bus_down(width, height)));
        insta::assert_snapshot!(name("order-why"), screen(&with_keys(width, height, "jj<enter>")));
    }
}

/// An order that somebody else placed comes first, and is opened.
#[test]
fn an_order_of_somebody_else_is_marked_in_the_blotter_and_in_its_sheet() {
    for (width, height) in SIZES {
        let mut model = busy(width, height);
        let mut state = hermes(at(60), 61, crate::ui::testing::armed(), rust_decimal::dec!(1.34));
        let foreign = &mut state.recent_orders[0];
        foreign.intent.intent = "adopted:0xfeed".into();
        foreign.intent.strategy = crate::domain::OrderIntent::ADOPTED.into();
        foreign.reason = Some("not placed by this desk".into());
        feed(&mut model, Feed::Hermes(Box::new(state)), at(61));
        insta::assert_snapshot!(format!("foreign-{width}x{height}"), screen(&model));
        keys(&mut model, "j<enter>", at(61));
        insta::assert_snapshot!(format!("foreign-why-{width}x{height}"), screen(&model));
    }
}

/// The market is resolved: one outcome pays, the other nothing. The first is opened.
#[test]
fn what_can_be_redeemed_is_shown_in_the_row_and_in_the_sheet() {
    for (width, height) in [(120, 30), (80, 24)] {
        let mut model = resolved(width, height);
        insta::assert_snapshot!(format!("resolved-{width}x{height}"), screen(&model));
        keys(&mut model, "<tab><tab>j<enter>", at(61));
        insta::assert_snapshot!(format!("resolved-why-{width}x{height}"), screen(&model));
    }
}

fn decided(width: u16, height: u16, typed: &str) -> Model {
    let mut model = deciding(width, height);
    keys(&mut model, typed, at(60));
    model
}

/// Newest first: the skip, Hermes' denial, the signal that it denied.
#[test]
fn decisions_and_their_why_at_every_breakpoint() {
    for (width, height) in SIZES {
        let name = |screen: &str| format!("{screen}-{width}x{height}");
        insta::assert_snapshot!(name("decisions"), screen(&decided(width, height, "<shift-tab>")));
        insta::assert_snapshot!(name("skip-why"), screen(&decided(width, height, "<shift-tab>j<enter>")));
        insta::assert_snapshot!(name("hermes-denial-why"), screen(&decided(width, height, "<shift-tab>jj<enter>")));
        insta::assert_snapshot!(name("signal-why"), screen(&decided(width, height, "<shift-tab>jjj<enter>")));
        let strategy = "<shift-tab><shift-tab>j<enter>";
        insta::assert_snapshot!(name("strategy-why"), screen(&decided(width, height, strategy)));
    }
    insta::assert_snapshot!("hermes-denial-end-80x24", screen(&decided(80, 24, "<shift-tab>jj<enter>G")));
    insta::assert_snapshot!("strategy-end-80x24", screen(&decided(80, 24, "<shift-tab><shift-tab>j<enter>G")));
    insta::assert_snapshot!("skips-hidden-80x24", screen(&decided(80, 24, "<shift-tab>s<esc>")));
}

#[test]
fn a_signal_that_hermes_gave_up_says_so() {
    let mut model = busy(120, 30);
    let mut given_up = letter(1, at(56));
    (given_up.intent, given_up.attempt) = (Some("momentum-9".into()), 1);
    feed(&mut model, event("hermes", "h1", 61, at(56), TradeEvent::DeadLetter(given_up)), at(60));
    keys(&mut model, "<shift-tab>j<enter>", at(60));
    let shown = screen(&model);
    assert!(shown.contains("momentum-9") && shown.contains("given up by Hermes: expired: its deadline"), "{shown}");
}

fn letters(width: u16, height: u16, typed: &str) -> Model {
    let mut model = with_letters(width, height);
    keys(&mut model, typed, at(60));
    model
}

#[test]
fn dead_letters_at_every_breakpoint() {
    for (width, height) in SIZES {
        let name = |screen: &str| format!("{screen}-{width}x{height}");
        insta::assert_snapshot!(name("dlq"), screen(&letters(width, height, "6jj")));
        insta::assert_snapshot!(name("dlq-letter"), screen(&letters(width, height, "6jj<enter>")));
        insta::assert_snapshot!(name("dlq-retry"), screen(&letters(width, height, "6jjR")));
        insta::assert_snapshot!(name("dlq-drop"), screen(&letters(width, height, "6Dnot ours")));
    }
    insta::assert_snapshot!("styles-mono-dlq-80x24", styles(&letters(80, 24, "6jjR<enter>"), Theme::new(false)));
    insta::assert_snapshot!("dlq-asked-80x24", screen(&letters(80, 24, "6jjR<enter>")));
}

fn concerned(width: u16, height: u16, typed: &str) -> Model {
    let mut model = busy(width, height);
    let mut state = hermes(at(60), 60, crate::ui::testing::armed(), rust_decimal::dec!(1.34));
    state.fencing_token = None;
    state.venue_skew_ms = Some(-2_350);
    state.trouble = Some("the venue's clock is 2.4 s behind of ours; at most 2 s are allowed".to_owned());
    state.bus_concerns = vec![
        "appendonly is no: set it to yes, else a restart of the server loses what is on the bus".to_owned(),
        "the master moved from 10.0.0.1:6379 to 10.0.0.2:6379".to_owned(),
    ];
    let why = "the outcome of order momentum-3 is unknown for 61 s".to_owned();
    state.halted = vec![crate::domain::StrategyHalt { strategy: "momentum".into(), why }];
    feed(&mut model, Feed::Hermes(Box::new(state)), at(60));
    keys(&mut model, typed, at(60));
    model
}

#[test]
fn the_system_at_every_breakpoint() {
    for (width, height) in SIZES {
        let name = |screen: &str| format!("{screen}-{width}x{height}");
        insta::assert_snapshot!(name("system"), screen(&with_keys(width, height, "8")));
        insta::assert_snapshot!(name("system-concerned"), screen(&concerned(width, height, "<esc>8")));
    }
    insta::assert_snapshot!("fact-80x24", screen(&concerned(80, 24, "<esc>8jjjjjj<enter>")));
    insta::assert_snapshot!("overview-concerned-80x24", screen(&concerned(80, 24, "")));
}

#[test]
fn layers_and_the_kill_key() {
    insta::assert_snapshot!("palette-120x30", screen(&with_keys(120, 30, ":pan")));
    insta::assert_snapshot!("arm-80x24", screen(&with_keys(80, 24, "Aar")));
    insta::assert_snapshot!("messages-80x24", screen(&with_keys(80, 24, "/mj")));
    insta::assert_snapshot!("denial-why-120x30", screen(&with_keys(120, 30, "<shift-tab>jjjjjj<enter>")));
    insta::assert_snapshot!("limits-120x30", screen(&with_keys(120, 30, "5j")));
    insta::assert_snapshot!("limit-why-80x24", screen(&with_keys(80, 24, "5<enter>")));
    insta::assert_snapshot!("zoomed-80x24", screen(&with_keys(80, 24, "zj")));
    insta::assert_snapshot!("kill-requested-80x24", screen(&with_keys(80, 24, ":K")));
    insta::assert_snapshot!("kill-requested-30x5", screen(&with_keys(30, 5, "K")));
}

#[test]
fn a_wrong_word_and_what_a_proof_waits_for_are_told() {
    assert!(screen(&with_keys(80, 24, "Axy")).contains("not the word"));
    assert!(!screen(&with_keys(80, 24, "Aar")).contains("not the word"), "it may still become the word");
    let waiting = screen(&with_kill(80, 24, KillProof::Proving { zero_seen: 2 }));
    assert!(waiting.contains("zero 2/3  PROVING, waits out late orders"), "{waiting}");
}

#[test]
fn monochrome_says_the_same_without_a_colour() {
    for model in [
        busy(80, 24),
        with_kill(80, 24, KillProof::Proving { zero_seen: 1 }),
        with_keys(80, 24, "j"),
        letters(80, 24, "6jjR<enter>"),
        concerned(80, 24, "8j"),
    ] {
        let buffer = buffer(&model, Theme::new(false));
        for cell in buffer.content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
    }
    insta::assert_snapshot!(
        "styles-mono-killed-80x24",
        styles(&with_kill(80, 24, KillProof::Proving { zero_seen: 1 }), Theme::new(false))
    );
    insta::assert_snapshot!("styles-colour-busy-80x24", styles(&with_keys(80, 24, "j"), Theme::new(true)));
}

#[test]
fn what_must_always_be_seen_is_seen_at_every_size() {
    let mut trading = busy(80, 24);
    let mut worried = concerned(80, 24, "8");
    let mut killing = with_keys(80, 24, "K");
    for width in (40..=220).step_by(3) {
        for height in [10, 11, 15, 16, 24, 30, 60] {
            update(&mut trading, Msg::Resize(width, height), at(60));
            let text = screen(&trading);
            for part in ["SIM", "active", "armed #3", "K KILL", "+1.34", "24%", "bus up"] {
                assert!(text.contains(part), "{part} missing at {width}x{height}:\n{text}");
            }
            update(&mut worried, Msg::Resize(width, height), at(60));
            let text = screen(&worried);
            assert!(text.contains("K KILL") && text.contains("armed #3"), "{width}x{height}:\n{text}");
            update(&mut killing, Msg::Resize(width, height), at(60));
            assert!(screen(&killing).contains("KILL REQUESTED"), "{width}x{height}");
        }
    }
}

#[test]
fn killed_is_shown_only_when_hermes_says_so() {
    let mut model = busy(120, 30);
    keys(&mut model, "K", at(61));
    update(
        &mut model,
        Msg::KillSent(Ok(Delivered::Bus(crate::ui::testing::latch(3, crate::domain::KillState::Killed, at(61))))),
        at(61),
    );
    let text = screen(&model);
    assert!(text.contains("active ?") && text.contains("may still be trading") && !text.contains("KILLED"), "{text}");
    let text = screen(&with_kill(120, 30, KillProof::Proving { zero_seen: 0 }));
    assert!(text.contains("HALTED  KILLED #3"), "{text}");
}

#[test]
fn too_small_still_tells_the_state() {
    for (width, height) in [(39, 10), (30, 3), (20, 1)] {
        let mut model = busy(width, height);
        assert!(screen(&model).contains("armed #3 K KILL"), "{width}x{height}: {}", screen(&model));
        keys(&mut model, "K", at(61));
        assert!(screen(&model).contains("KILL requested"), "{width}x{height}: {}", screen(&model));
    }
}

#[test]
fn a_signal_of_which_nobody_knows_whether_hermes_has_it_is_marked_and_says_so() {
    let mut model = busy(120, 40);
    let mut doubtful = crate::ui::testing::signal(99, at(60));
    doubtful.doubt = Some("no answer within 2 s".to_owned());
    let body = crate::domain::TradeEvent::Signal(doubtful);
    feed(&mut model, crate::ui::testing::event("athena", "t1", 69, at(60), body), at(60));
    let text = screen(&model);
    assert!(text.contains("? B") && text.contains("in doubt: no answer"), "{text}");
    keys(&mut model, "<shift-tab>j<enter>", at(60));
    let text = screen(&model);
    assert!(text.contains("whether Hermes was given it is not known"), "{text}");
}

#[test]
fn remote_text_cannot_break_the_screen() {
    let mut model = busy(80, 24);
    let mut evil = crate::ui::testing::signal(99, at(60));
    evil.intent.outcome = "東京\u{1b}[2J\u{202e}雨".to_owned();
    evil.rationale.note = "x\u{1b}]52;c;evil\u{7}y\nz".into();
    let body = crate::domain::TradeEvent::Signal(evil);
    feed(&mut model, crate::ui::testing::event("athena", "t1", 69, at(60), body), at(60));
    keys(&mut model, "<shift-tab>j<enter>", at(60));
    let text = screen(&model);
    assert!(text.contains("東京[2J雨"), "{text}");
    assert!(!text.chars().any(|character| character.is_control() && character != '\n'));
}

#[test]
fn no_size_panics_on_any_screen() {
    let screens: [fn(u16, u16) -> Model; 14] = [
        model,
        busy,
        bus_down,
        |width, height| with_kill(width, height, KillProof::Incomplete { why: "1 POST in flight".to_owned() }),
        |width, height| with_keys(width, height, "?/kill"),
        |width, height| with_keys(width, height, "K:a"),
        |width, height| with_keys(width, height, "Aarm<enter>"),
        |width, height| with_keys(width, height, "Gz<enter>G"),
        |width, height| letters(width, height, "6jj<enter>G"),
        |width, height| letters(width, height, "6jjR"),
        |width, height| concerned(width, height, "8G<enter>"),
        |width, height| letters(width, height, "6Dnot ours"),
        |width, height| decided(width, height, "<shift-tab>jj<enter>G"),
        |width, height| decided(width, height, "<shift-tab><shift-tab>j<enter>G"),
    ];
    for make in screens {
        let mut model = make(120, 30);
        for width in (0..48).step_by(3).chain((48..=300).step_by(36)) {
            for height in (0..28).step_by(2).chain((28..=100).step_by(24)) {
                update(&mut model, Msg::Resize(width, height), at(75));
                buffer(&model, Theme::new(true));
                // The terminal may have another size than the last one heard of.
                let other = Rect::new(0, 0, height + 1, width.min(60) + 1);
                view(&model, Theme::new(true), other, &mut Buffer::empty(other));
            }
        }
    }
}
