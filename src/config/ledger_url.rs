//! The address of the ledger.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use url::Url;

/// What an address may be; `config.toml` explains it.
pub(super) const ALLOWED: &str = "\"sqlite://auto\", \"sqlite:///path/of/ledger.db\", or \"postgres://user:password@host:5432/database\" with ?sslmode=verify-full off this machine";

const AUTO: &str = "sqlite://auto";
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Where the ledger is; shows itself without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct LedgerUrl(String);

impl LedgerUrl {
    /// From its text, checked by the reader.
    #[must_use]
    pub const fn new(url: String) -> Self {
        Self(url)
    }

    /// Whether it is the file in the state directory.
    #[must_use]
    pub fn is_auto(&self) -> bool {
        self.0 == AUTO
    }

    /// The file that it names itself.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.0.strip_prefix("sqlite://").filter(|_| !self.is_auto()).map(Path::new)
    }

    /// Whether it is a file at all.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.0.starts_with("sqlite://")
    }

    /// The whole address, password included.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// # Errors
    /// What is wrong, without the address itself.
    pub(super) fn check(text: &str) -> Result<(), String> {
        if text == AUTO || text.starts_with("sqlite:///") {
            return Ok(());
        }
        let url = Url::parse(text).map_err(|error| format!("{ALLOWED}; {error}"))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(ALLOWED.to_owned());
        }
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return Err(format!("{ALLOWED}; the host is missing"));
        };
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        if url.username().is_empty() || url.path().len() < 2 {
            return Err(format!("{ALLOWED}; user and database must be there"));
        }
        let mode = url.query_pairs().find(|(key, _)| key == "sslmode").map(|(_, mode)| mode.into_owned());
        match mode {
            Some(mode) if !MODES.contains(&mode.as_str()) => Err(format!("sslmode is one of {}", MODES.join(", "))),
            None if !local => Err(format!("{ALLOWED}; sslmode must say how the connection is protected")),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_file() {
            return f.write_str(&self.0);
        }
        let Ok(url) = Url::parse(&self.0) else { return f.write_str("(unreadable address)") };
        let port = url.port().unwrap_or(5432);
        write!(f, "postgres://{}@{}:{port}{}", url.username(), url.host_str().unwrap_or_default(), url.path())
    }
}

impl fmt::Debug for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_and_a_password_is_not() {
        for good in [
            "sqlite://auto",
            "sqlite:///var/lib/desk/ledger.db",
            "postgres://desk@localhost/cockpit",
            "postgresql://desk:p%40ss@127.0.0.1:5433/cockpit",
            "postgres://desk@[::1]/cockpit",
            "postgres://desk:x@db.example.com/cockpit?sslmode=verify-full",
        ] {
            assert_eq!(LedgerUrl::check(good), Ok(()), "{good}");
        }
        for (bad, word) in [
            ("sqlite://ledger.db", "sqlite://auto"),
            ("mysql://a:hunter2@b/c", "postgres://"),
            ("postgres://:hunter2@localhost/c", "user"),
            ("postgres://a:hunter2@localhost/", "database"),
            ("postgres://a:hunter2@db.example.com/c", "sslmode"),
            ("postgres://a:hunter2@localhost/c?sslmode=never", "sslmode is one of"),
            ("postgres://a:hunter2@localhost:port/c", "port"),
        ] {
            let wrong = LedgerUrl::check(bad).expect_err(bad);
            assert!(wrong.contains(word) && !wrong.contains("hunter2"), "{bad}: {wrong}");
        }
        let url = LedgerUrl::new("postgres://desk:hunter2@db.example.com/cockpit?sslmode=require".into());
        assert_eq!(format!("{url} {url:?}").matches("postgres://desk@db.example.com:5432/cockpit").count(), 2);
    }
}
