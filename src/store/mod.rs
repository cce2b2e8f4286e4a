//! The SQL ledger: what Hermes remembers. [`ledger`] is the port; [`sqlite`] is for a single machine, [`postgres`] for a desk
//! whose standby runs elsewhere. Both keep one hash-chained log, from which every other table follows.

pub mod audit;
pub mod books;
mod chain;
mod engine;
pub mod ledger;
mod plan;
pub mod postgres;
mod refold;
mod sql;
pub mod sqlite;
mod tables;

pub use sql::SqlLedger;
