//! News of the desk.

use crate::bus::BusLink;
use crate::domain::{Alert, HermesState, TradeEvent, Withdrawal};
use crate::ui::effect::Effect;
use crate::ui::format;
use crate::ui::model::{Link, Model};
use crate::ui::msg::{Event, Feed};
use crate::ui::update::{commands, control, letters};

/// Folds news into the model.
pub(super) fn feed(model: &mut Model, feed: Feed) -> Vec<Effect> {
    let now = model.now;
    match feed {
        Feed::Link(state) => return link(model, state),
        Feed::Argos(state) => model.desk.apply_argos(state, now),
        Feed::Athena(state) => model.desk.apply_athena(state, now),
        Feed::Hermes(state) => {
            changes(model, &state);
            model.desk.apply_hermes(*state, now);
            control::confirm(model);
        }
        Feed::Params(book) => model.desk.parameters.learn(book),
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
        Feed::Ack(ack) => return commands::answered(model, ack),
        Feed::Unreadable { what, error } => {
            model.desk.losses.unreadable = model.desk.losses.unreadable.saturating_add(1);
            model.notices.bad(&format!("{what} cannot be read: {error}"), now);
        }
        Feed::Trouble(text) => model.notices.bad(&text, now),
    }
    Vec::new()
}

/// Tells of what a trader must not miss between two snapshots: another Hermes at work, a new concern about the
/// bus or the limits, a strategy that was halted.
fn changes(model: &mut Model, state: &HermesState) {
    let Some(books) = &model.desk.books else { return };
    if let (Some(before), Some(token)) = (books.fencing_token, state.fencing_token)
        && token > before
    {
        let text = format!("another run of Hermes took the account over: lease #{token} after #{before}");
        model.notices.bad(&text, model.now);
    }
    let concerns = state.bus_concerns.iter().filter(|concern| !books.bus_concerns.contains(concern));
    let limits = state.limit_concerns.iter().filter(|concern| !books.limit_concerns.contains(concern));
    let halted = |strategy| books.halted.iter().any(|known| known.strategy == strategy);
    let halts = state.halted.iter().filter(|halt| !halted(halt.strategy.clone()));
    for text in concerns
        .map(|concern| format!("bus: {concern}"))
        .chain(limits.map(|concern| format!("limits: {concern}")))
        .chain(halts.map(|halt| format!("{} halted: {}", halt.strategy, halt.why)))
    {
        model.notices.bad(&text, model.now);
    }
}

/// Reasons may change while a state lasts; its age does not.
fn link(model: &mut Model, state: BusLink) -> Vec<Effect> {
    let now = model.now;
    let link = match (state, &model.link) {
        (BusLink::Up, _) => Link::Up,
        (BusLink::Degraded(reason), Link::Degraded { since, .. }) => {
            Link::Degraded { reason: format::clean(&reason), since: *since }
        }
        (BusLink::Degraded(reason), _) => Link::Degraded { reason: format::clean(&reason), since: now },
        (BusLink::Down(reason), Link::Down { since, .. }) => {
            Link::Down { reason: format::clean(&reason), since: *since }
        }
        (BusLink::Down(reason), _) => Link::Down { reason: format::clean(&reason), since: now },
    };
    let was_down = matches!(std::mem::replace(&mut model.link, link), Link::Down { .. });
    if !was_down || matches!(model.link, Link::Down { .. }) {
        return Vec::new();
    }
    model.notices.info("bus is back", now);
    vec![Effect::Resnapshot]
}

fn event(model: &mut Model, event: Event) -> Vec<Effect> {
    let now = model.now;
    let fresh = now.since(event.at).as_secs() < 60;
    match event.body.as_ref() {
        TradeEvent::Mismatch(mismatch) if fresh => {
            model.notices.bad(&format!("books disagree with the venue: {}: {}", mismatch.what, mismatch.detail), now);
        }
        TradeEvent::Alert(alert) if fresh => {
            let Alert { control, subject, level, value, limit, unit, .. } = alert;
            let text = format!("{level} % of {control} reached: {value} of {limit} {unit} ({subject})");
            if *level < 95 { model.notices.warn(&text, now) } else { model.notices.bad(&text, now) }
        }
        TradeEvent::Withdrawn(Withdrawal { intent, denial, .. }) if fresh => {
            model.notices.warn(&format!("{intent} is cancelled, the limits admit it no more: {denial}"), now);
        }
        TradeEvent::DeadLetter(letter) if fresh => letters::news(&mut model.notices, letter, now),
        TradeEvent::Params(version) if fresh => {
            let changes: Vec<_> = version.changed.iter().map(ToString::to_string).collect();
            let what = format!("{} parameters, version {} by {}", version.strategy, version.version, version.by);
            model.notices.info(&format!("{what}: {} ({})", changes.join(", "), version.why), now);
        }
        _ => {}
    }
    let gap = model.desk.apply_event(event);
    control::confirm(model);
    if gap { vec![Effect::Resnapshot] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use crate::domain::{Control, Denial, ParamChange, ParamVersion, TradeEvent, Withdrawal};
    use crate::ui::testing::{at, busy, event, feed};

    #[test]
    fn what_the_limits_take_back_is_told_with_its_reason() {
        let mut model = busy(120, 30);
        let denial = Denial { control: Control::GrossExposure, value: "12 pUSD".into(), limit: "10 pUSD".into() };
        let taken = TradeEvent::Withdrawn(Withdrawal { intent: "momentum-9".into(), denial, at: at(61) });
        feed(&mut model, event("hermes", "h1", 71, at(61), taken), at(61));
        let shown = model.notices.shown().map(|notice| notice.text.clone());
        let text = "momentum-9 is cancelled, the limits admit it no more: gross_exposure: 12 pUSD (limit 10 pUSD)";
        assert_eq!(shown.as_deref(), Some(text));
    }

    #[test]
    fn a_change_of_parameters_is_told_with_its_reason() {
        let mut model = busy(120, 30);
        let changed = vec![ParamChange { name: "size".into(), from: "20".into(), to: "10".into() }];
        let version = ParamVersion {
            strategy: "momentum".into(),
            version: 3,
            values: std::collections::BTreeMap::new(),
            changed,
            by: "config file".into(),
            why: "the configuration file changed".into(),
            at: at(61),
            command: None,
        };
        feed(&mut model, event("athena", "a1", 71, at(61), TradeEvent::Params(version)), at(61));
        let shown = model.notices.shown().map(|notice| notice.text.clone());
        let text = "momentum parameters, version 3 by config file: size 20 -> 10 (the configuration file changed)";
        assert_eq!(shown.as_deref(), Some(text));
    }
}
