//! What the library reports, in the words of the port.

use std::time::Duration;

use redis::{ErrorKind, RedisError};

use crate::bus::{BusError, Group, Stream};

/// Which group a command was about, so that its absence can be named.
pub(super) type Scope = Option<(Stream, Group)>;

/// Answers of a server that is there but not ready; the same call may succeed in a moment.
const NOT_READY: [&str; 5] = ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY"];

/// Answers of a server that is there and takes no writes for now: too few replicas, no memory, no disk.
const NO_WRITES: [&str; 3] = ["NOREPLICAS", "OOM", "MISCONF"];
/// The answer of a replica to a write: the master is elsewhere.
const REPLICA: &str = "READONLY";

/// What a failed call means to the caller; `limit` is how long it was waited for.
pub(super) fn translate(error: &RedisError, limit: Duration, scope: Scope) -> BusError {
    if error.is_timeout() {
        return BusError::Timeout(limit);
    }
    match (error.code(), scope) {
        (Some("NOGROUP"), Some((stream, group))) => BusError::NoGroup { stream, group },
        // A reader that is blocked while its stream is deleted is told that instead of NOGROUP; one that is blocked while its
        // master becomes a replica is told of that with the same code.
        (Some("UNBLOCKED"), Some((stream, group))) if is_deletion(error) => BusError::NoGroup { stream, group },
        (Some(code @ ("UNBLOCKED" | REPLICA)), _) => BusError::Unreachable(answer(code, error)),
        (Some(code), _) if NOT_READY.contains(&code) => BusError::Unreachable(answer(code, error)),
        (Some(code), _) if NO_WRITES.contains(&code) => BusError::Degraded(answer(code, error)),
        (Some(code), _) => BusError::Refused(answer(code, error)),
        (None, _) if error.kind() == ErrorKind::AuthenticationFailed => BusError::Refused(error.to_string()),
        (None, _) if error.kind() == ErrorKind::UnexpectedReturnType => BusError::Refused(error.to_string()),
        (None, _) => BusError::Unreachable(error.to_string()),
    }
}

/// Whether the server itself answered, so that the connection is sound.
pub(super) fn is_answer(error: &RedisError) -> bool {
    error.code().is_some()
}

/// Whether the error calls for a look at the server: there was no answer, or one that concerns every other call as well.
pub(super) fn is_suspect(error: &RedisError) -> bool {
    error.code().is_none_or(|code| code == REPLICA || code == "UNBLOCKED" || NO_WRITES.contains(&code))
}

/// Whether an error to a probe shows a server with which nothing can be done.
pub(super) fn is_fatal(error: &RedisError) -> bool {
    error.code().is_none_or(|code| code == "NOAUTH" || code == REPLICA || NOT_READY.contains(&code))
}

/// Whether an error to a probe shows a server that takes no writes for now.
pub(super) fn is_degraded(error: &RedisError) -> bool {
    error.code().is_some_and(|code| NO_WRITES.contains(&code))
}

fn is_deletion(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("no longer exists"))
}

fn answer(code: &str, error: &RedisError) -> String {
    format!("{code} {}", error.detail().unwrap_or_default()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(line: &[u8]) -> RedisError {
        redis::parse_redis_value(line).expect("parses").extract_error().expect_err("an error")
    }

    #[test]
    fn answers_are_sorted_by_what_the_caller_can_do() {
        let scope = Some((Stream::Signals, Group::Hermes));
        let translated = |line: &str| translate(&raised(line.as_bytes()), Duration::from_secs(2), scope);
        let missing = BusError::NoGroup { stream: Stream::Signals, group: Group::Hermes };
        assert_eq!(translated("-NOGROUP No such key\r\n"), missing);
        assert_eq!(translated("-UNBLOCKED the stream key no longer exists\r\n"), missing);
        assert_eq!(
            translated("-LOADING Redis is loading the dataset in memory\r\n"),
            BusError::Unreachable("LOADING Redis is loading the dataset in memory".into())
        );
        for line in ["-READONLY You can't write\r\n", "-UNBLOCKED force unblock, instance state changed\r\n"] {
            assert!(matches!(translated(line), BusError::Unreachable(_)), "{line}");
        }
        for code in ["NOREPLICAS", "OOM", "MISCONF"] {
            let error = translated(&format!("-{code} because\r\n"));
            assert_eq!(error, BusError::Degraded(format!("{code} because")));
            assert!(error.is_transient());
        }
        for code in ["NOAUTH", "NOPERM", "WRONGTYPE", "ERR"] {
            let error = translated(&format!("-{code} because\r\n"));
            assert_eq!(error, BusError::Refused(format!("{code} because")));
            assert!(!error.is_transient());
        }
    }

    #[test]
    fn a_refused_probe_still_proves_a_server() {
        assert!(!is_fatal(&raised(b"-NOPERM no writes for you\r\n")));
        assert!(!is_fatal(&raised(b"-MISCONF disk full\r\n")) && is_degraded(&raised(b"-MISCONF disk full\r\n")));
        assert!(is_fatal(&raised(b"-READONLY You can't write against a read only replica.\r\n")));
        assert!(is_fatal(&raised(b"-NOAUTH Authentication required.\r\n")));
        assert!(is_fatal(&raised(b"-LOADING\r\n")));
    }

    #[test]
    fn the_rest_is_the_connection() {
        let broken = RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(matches!(translate(&broken, Duration::ZERO, None), BusError::Unreachable(_)));
        let late = RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        assert_eq!(translate(&late, Duration::from_secs(2), None), BusError::Timeout(Duration::from_secs(2)));
    }
}
