//! What several process-level tests share.

#[allow(dead_code, reason = "not every binary with the shared parts needs one")]
pub(crate) mod approved;
#[allow(dead_code, reason = "not every binary with the shared parts runs a hermes")]
pub(crate) mod hermes;
pub(crate) mod postgres;
pub(crate) mod redis_server;
pub(crate) mod scene;
pub(crate) mod sentinel_cluster;
