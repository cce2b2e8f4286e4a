//! The names on the wire. Nothing else in the crate spells them.

use std::fmt;

use crate::domain::{StrategyId, Symbol};

/// Pub/sub channels: at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// `data.crypto`: validated ticks.
    Crypto,
    /// `data.weather`: forecasts and observations.
    Weather,
    /// `data.polymarket`: markets and books.
    Polymarket,
    /// `control.kill`: the latch, pushed when it changes; the key of the same name keeps it.
    Kill,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 4] = [Self::Crypto, Self::Weather, Self::Polymarket, Self::Kill];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crypto => "data.crypto",
            Self::Weather => "data.weather",
            Self::Polymarket => "data.polymarket",
            Self::Kill => "control.kill",
        }
    }

    /// The channel of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Streams: kept until trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// `data.rejected`: what validation refused.
    Rejected,
    /// `trade.signals`: approved intents on their way to Hermes.
    Signals,
    /// `trade.events`: everything that happened to orders, fills, positions, risk and kill.
    Events,
    /// `trade.dlq`: what could not be executed.
    Dlq,
    /// `control.commands`: what people ask.
    Commands,
    /// `control.acks`: what daemons answer.
    Acks,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 6] = [Self::Rejected, Self::Signals, Self::Events, Self::Dlq, Self::Commands, Self::Acks];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "data.rejected",
            Self::Signals => "trade.signals",
            Self::Events => "trade.events",
            Self::Dlq => "trade.dlq",
            Self::Commands => "control.commands",
            Self::Acks => "control.acks",
        }
    }

    /// The group whose members read it, each entry by one of them; nothing when every reader follows it for itself.
    #[must_use]
    pub const fn group(self) -> Option<Group> {
        match self {
            Self::Signals => Some(Group::Hermes),
            Self::Rejected | Self::Events | Self::Dlq | Self::Commands | Self::Acks => None,
        }
    }

    /// How many entries it keeps at least; the oldest beyond that go. Streams whose loss would lose an order or a dead
    /// letter have none: a cap would trim what is pending; they are trimmed with [`Bus::trim`](super::Bus::trim).
    #[must_use]
    pub const fn cap(self) -> Option<usize> {
        match self {
            Self::Rejected | Self::Commands | Self::Acks => Some(10_000),
            Self::Events => Some(100_000),
            Self::Signals | Self::Dlq => None,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Consumer groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// The executors of `trade.signals`.
    Hermes,
}

impl Group {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hermes => "hermes",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// `control.kill`: the latch.
    Kill,
    /// `state.<daemon>`: a daemon's snapshot.
    Daemon(&'static str),
    /// `state.athena.<strategy>.<instrument>`: a rolling window and its strategy's state.
    Strategy(StrategyId, Symbol),
    /// `params.<strategy>`: a strategy's parameters, what each may hold, and who changed what when.
    Params(StrategyId),
}

impl Key {
    /// `state.argos`.
    pub const ARGOS: Self = Self::Daemon("argos");
    /// `state.athena`.
    pub const ATHENA: Self = Self::Daemon("athena");
    /// `state.hermes`.
    pub const HERMES: Self = Self::Daemon("hermes");
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("control.kill"),
            Self::Daemon(name) => write!(f, "state.{name}"),
            Self::Strategy(strategy, symbol) => write!(f, "state.athena.{strategy}.{symbol}"),
            Self::Params(strategy) => write!(f, "params.{strategy}"),
        }
    }
}
