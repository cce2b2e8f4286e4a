//! What several process-level tests share.

pub(crate) mod redis_server;
pub(crate) mod sentinel_cluster;
