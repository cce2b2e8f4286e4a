//! What several process-level tests share.

pub(crate) mod approved;
pub(crate) mod postgres;
pub(crate) mod redis_server;
pub(crate) mod scene;
pub(crate) mod sentinel_cluster;
