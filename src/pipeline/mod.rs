//! From the world to a decision: Argos collects and validates, Athena decides.

pub mod argos;
pub mod athena;
