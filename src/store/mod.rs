//! The SQL ledger: what Hermes remembers. [`ledger`] is the port, [`sqlite`] the adapter of a single machine.

pub mod ledger;
pub mod sqlite;
