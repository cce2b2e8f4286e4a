//! The SQL ledger: what Hermes remembers.
