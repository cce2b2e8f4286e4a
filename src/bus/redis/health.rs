//! What is asked of a server while nothing else is: whether it takes writes, whether it is the master, how it is set.

use std::collections::HashMap;

use redis::RedisError;
use redis::aio::MultiplexedConnection;

use super::error::{is_degraded, is_fatal, translate};
use super::link::CALL_LIMIT;
use crate::bus::BusError;

/// Never written: the probe asks for a change of this key if it exists.
const PROBE: &str = "bus.probe";

/// A server with which something can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Sound,
    /// It answers but takes no writes, and why.
    Degraded(BusError),
}

/// Asks for a write that changes nothing, which finds what a PING does not: a replica, a full server, missing replicas. Whoever may
/// not write the key learns only that the server answers.
pub(super) async fn look(connection: &mut MultiplexedConnection) -> Result<Health, BusError> {
    let mut probe = redis::cmd("SET");
    probe.arg(PROBE).arg("").arg("XX");
    match probe.query_async::<redis::Value>(connection).await {
        Err(error) if is_fatal(&error) => Err(translate(&error, CALL_LIMIT, None)),
        Err(error) if is_degraded(&error) => Ok(Health::Degraded(translate(&error, CALL_LIMIT, None))),
        Ok(_) | Err(_) => Ok(Health::Sound),
    }
}

/// Refuses a server that is not the master.
pub(super) async fn must_be_master(connection: &mut MultiplexedConnection) -> Result<(), BusError> {
    let told: Result<redis::Value, RedisError> = redis::cmd("ROLE").query_async(connection).await;
    let told = match told {
        Ok(redis::Value::Array(parts)) => parts.into_iter().next(),
        Ok(_) => None,
        Err(error) if error.code() == Some("NOPERM") => {
            return Err(BusError::Refused("its role cannot be asked for: the user needs the right +role".into()));
        }
        Err(error) => return Err(translate(&error, CALL_LIMIT, None)),
    };
    match told {
        Some(redis::Value::BulkString(role)) if role == b"master" => Ok(()),
        Some(redis::Value::BulkString(role)) => {
            Err(BusError::Unreachable(format!("its role is {}, not master", String::from_utf8_lossy(&role))))
        }
        _ => Err(super::reply::unexpected("ROLE")),
    }
}

/// Settings under which a Redis loses what it was given, each with the right value. Nothing when it may not be asked.
pub(super) async fn concerns(connection: &mut MultiplexedConnection, replicated: bool) -> Vec<String> {
    let mut found = Vec::new();
    let policy = setting(connection, "maxmemory-policy").await;
    if let Some(policy) = policy.filter(|policy| policy != "noeviction") {
        found.push(format!(
            "maxmemory-policy is {policy}: set it to noeviction, else orders and groups are thrown away when memory is short"
        ));
    }
    if setting(connection, "appendonly").await.is_some_and(|appendonly| appendonly != "yes") {
        found.push("appendonly is no: set it to yes, else a restart of the server loses what is on the bus".into());
    }
    if replicated && setting(connection, "min-replicas-to-write").await.is_some_and(|least| least == "0") {
        found.push(
            "min-replicas-to-write is 0: set it to 1, and min-replicas-max-lag to 2, else a master that was cut off takes \
             writes that the failover throws away"
                .into(),
        );
    }
    found
}

async fn setting(connection: &mut MultiplexedConnection, name: &str) -> Option<String> {
    let asked: Result<HashMap<String, String>, RedisError> =
        redis::cmd("CONFIG").arg("GET").arg(name).query_async(connection).await;
    match asked {
        Ok(mut told) => told.remove(name),
        Err(error) => {
            tracing::debug!(name, %error, "the server's settings cannot be checked");
            None
        }
    }
}
