//! News of the desk.

use crate::domain::{Alert, TradeEvent};
use crate::ui::effect::Effect;
use crate::ui::format;
use crate::ui::model::{Link, Model};
use crate::ui::msg::{Event, Feed};
use crate::ui::update::control;

/// Folds news into the model.
pub(super) fn feed(model: &mut Model, feed: Feed) -> Vec<Effect> {
    let now = model.now;
    match feed {
        Feed::Link(state) => return link(model, state),
        Feed::Argos(state) => model.desk.apply_argos(state, now),
        Feed::Athena(state) => model.desk.apply_athena(state, now),
        Feed::Hermes(state) => {
            model.desk.apply_hermes(state, now);
            control::confirm(model);
        }
        Feed::Event(event) => return self::event(model, event),
        Feed::Market(batch) => {
            if batch.resumed {
                model.notices.info("market data was interrupted and is back", now);
            }
            if let Some(error) = &batch.error {
                model.notices.bad(error, now);
            }
            model.desk.apply_market(batch, now);
        }
        Feed::Latch(latch) => model.desk.latch = Some(latch),
        Feed::Ack(ack) => return control::ack(model, ack),
        Feed::Unreadable { what, error } => {
            model.desk.losses.unreadable = model.desk.losses.unreadable.saturating_add(1);
            model.notices.bad(&format!("{what} cannot be read: {error}"), now);
        }
        Feed::Trouble(text) => model.notices.bad(&text, now),
    }
    Vec::new()
}

fn link(model: &mut Model, state: Result<(), String>) -> Vec<Effect> {
    let was_down = matches!(model.link, Link::Down { .. });
    match state {
        Ok(()) => {
            model.link = Link::Up;
            if was_down {
                model.notices.info("bus is back", model.now);
                return vec![Effect::Resnapshot];
            }
        }
        Err(reason) => {
            let since = match &model.link {
                Link::Down { since, .. } => *since,
                Link::Connecting | Link::Up => model.now,
            };
            model.link = Link::Down { reason: format::clean(&reason), since };
        }
    }
    Vec::new()
}

fn event(model: &mut Model, event: Event) -> Vec<Effect> {
    let now = model.now;
    let fresh = now.since(event.at).as_secs() < 60;
    match &event.body {
        TradeEvent::Mismatch(mismatch) if fresh => {
            model.notices.bad(&format!("books disagree with the venue: {}: {}", mismatch.what, mismatch.detail), now);
        }
        TradeEvent::Alert(alert) if fresh => {
            let Alert { control, subject, level, value, limit, unit, .. } = alert;
            let text = format!("{level} % of {control} reached: {value} of {limit} {unit} ({subject})");
            if *level < 95 { model.notices.warn(&text, now) } else { model.notices.bad(&text, now) }
        }
        TradeEvent::DeadLetter(letter) if fresh => {
            model.notices.bad(&format!("dead letter ({}): {}", letter.reason, letter.last_error), now);
        }
        TradeEvent::Params(version) if fresh => {
            let changes: Vec<_> = version.changed.iter().map(ToString::to_string).collect();
            let what = format!("{} parameters, version {} by {}", version.strategy, version.version, version.by);
            model.notices.info(&format!("{what}: {}", changes.join(", ")), now);
        }
        _ => {}
    }
    let gap = model.desk.apply_event(event);
    control::confirm(model);
    if gap { vec![Effect::Resnapshot] } else { Vec::new() }
}
