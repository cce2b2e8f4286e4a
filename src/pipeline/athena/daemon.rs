//! Athena on the bus.
