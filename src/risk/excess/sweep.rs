//! In which order resting buys are asked about, so that none is asked about in vain. Pure.
//!
//! Invariant: of buys of one kind (market, token, strategy, and whether one may lose anything when its token pays and when it does not) the
//! limits refuse all or none. Each limit is held against the sum over all orders, whichever is asked about, and an order has a part in an
//! outcome's loss or it has none. So while one of a kind passes, the others would; and that changes only with what leaves the same market
//! or group, since only then another outcome may become the worst.

use std::collections::{BTreeSet, HashMap};

use crate::domain::{GroupId, MarketId, StrategyId, TokenId, Usd};
use crate::risk::Commitment;

/// Buys that are refused alike.
#[derive(Debug)]
struct Kind {
    cluster: usize,
    /// Which of all they are by age, the newest first.
    ranks: BTreeSet<usize>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    round: usize,
    /// Which of all by age, the newest first.
    pub(super) rank: usize,
    kind: usize,
}

/// Everything that is still to be asked about.
#[derive(Debug)]
pub(super) struct Sweep {
    kinds: Vec<Kind>,
    /// The next of each kind that may be refused.
    due: BTreeSet<Turn>,
    /// The kinds that pass, of each market or group.
    passing: Vec<Vec<usize>>,
}

#[derive(PartialEq, Eq, Hash)]
enum Cluster<'a> {
    Group(&'a GroupId),
    Market(&'a MarketId),
}

impl Sweep {
    /// Over buys by age, the newest first, each with the group of its market.
    pub(super) fn over<'a>(buys: impl Iterator<Item = (&'a Commitment, Option<&'a GroupId>)>) -> Self {
        type Name<'a> = (&'a MarketId, &'a TokenId, &'a StrategyId, [bool; 2]);
        let mut sweep = Self { kinds: Vec::new(), due: BTreeSet::new(), passing: Vec::new() };
        let mut clusters: HashMap<Cluster<'a>, usize> = HashMap::new();
        let mut names: HashMap<Name<'a>, usize> = HashMap::new();
        for (rank, (buy, group)) in buys.enumerate() {
            let cluster = group.map_or(Cluster::Market(&buy.market), Cluster::Group);
            let next = clusters.len();
            let cluster = *clusters.entry(cluster).or_insert(next);
            let loses = buy.may_lose().map(|loss| loss > Usd::ZERO);
            let kind = *names.entry((&buy.market, &buy.token, &buy.strategy, loses)).or_insert_with(|| {
                let kind = sweep.kinds.len();
                sweep.kinds.push(Kind { cluster, ranks: BTreeSet::new() });
                sweep.due.insert(Turn { round: 0, rank, kind });
                kind
            });
            sweep.kinds[kind].ranks.insert(rank);
        }
        sweep.passing.resize_with(clusters.len(), Vec::new);
        sweep
    }

    /// Who is next; to be answered by one of the two below.
    pub(super) fn next(&mut self) -> Option<Turn> {
        self.due.pop_first()
    }

    /// That one passes, and with it all of its kind for now.
    pub(super) fn passed(&mut self, turn: Turn) {
        self.passing[self.kinds[turn.kind].cluster].push(turn.kind);
    }

    /// That one is gone: those that passed in its market or group may be refused now, those behind it first.
    pub(super) fn refused(&mut self, turn: Turn) {
        let Kind { cluster, ranks } = &mut self.kinds[turn.kind];
        ranks.remove(&turn.rank);
        let passing = std::mem::take(&mut self.passing[*cluster]);
        for kind in passing.into_iter().chain([turn.kind]) {
            let ranks = &self.kinds[kind].ranks;
            let behind = ranks.range(turn.rank..).next().map(|rank| (turn.round, *rank));
            let next = behind.or_else(|| ranks.first().map(|rank| (turn.round + 1, *rank)));
            self.due.extend(next.map(|(round, rank)| Turn { round, rank, kind }));
        }
    }
}
