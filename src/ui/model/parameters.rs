//! Parameters of strategies and the risk limits: what is in force, and what the books on the bus say about each of them.

use crate::domain::{ParamBook, ParamVersion, ParamsInForce, StrategyId};

/// Books kept: those of as many strategies as are shown, and that of the limits.
const BOOKS_MAX: usize = 65;

/// What is known.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    strategies: Vec<ParamsInForce>,
    limits: Option<ParamsInForce>,
    books: Vec<ParamBook>,
}

impl Parameters {
    /// What Athena says is in force.
    pub(crate) fn athena(&mut self, params: Vec<ParamsInForce>) {
        self.strategies = params;
    }

    /// What Hermes says is in force.
    pub(crate) fn hermes(&mut self, limits: Option<ParamsInForce>) {
        self.limits = limits;
    }

    /// Takes in a book; the oldest goes when there are too many.
    pub(crate) fn learn(&mut self, book: ParamBook) {
        self.books.retain(|known| known.strategy != book.strategy);
        if self.books.len() >= BOOKS_MAX {
            self.books.remove(0);
        }
        self.books.push(book);
    }

    /// A strategy's parameters in force.
    pub(crate) fn of(&self, strategy: &StrategyId) -> Option<&ParamsInForce> {
        self.strategies.iter().find(|params| params.strategy == *strategy)
    }

    /// The limits in force.
    pub(crate) const fn limits(&self) -> Option<&ParamsInForce> {
        self.limits.as_ref()
    }

    /// A strategy's book; under `risk` that of the limits.
    pub(crate) fn book(&self, strategy: &StrategyId) -> Option<&ParamBook> {
        self.books.iter().find(|book| book.strategy == *strategy)
    }

    /// Who set what is in force, when and why; absent while the book does not tell of that version.
    pub(crate) fn version(&self, params: &ParamsInForce) -> Option<&ParamVersion> {
        let versions = &self.book(&params.strategy)?.versions;
        versions.iter().rev().find(|version| version.version == params.version)
    }
}
