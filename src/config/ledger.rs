use std::fmt;
use std::path::PathBuf;

/// What `ledger.url` may be.
pub(super) const LEDGER_URLS: &str =
    "\"\", \"sqlite:///path/of/ledger.db\" or \"postgres://user:password@host:5432/database?sslmode=verify-full\"";

/// Where the ledger is; shows itself without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum LedgerUrl {
    /// `ledger.db` in the state directory.
    StateDir,
    /// A `SQLite` file elsewhere.
    Sqlite(PathBuf),
    /// A database on a server: the whole address, password included.
    Postgres(String),
}

impl LedgerUrl {
    /// From the text of the key.
    ///
    /// # Errors
    /// What is wrong with it; never its password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::StateDir);
        }
        if let Some(path) = text.strip_prefix("sqlite://") {
            return if path.starts_with('/') {
                Ok(Self::Sqlite(PathBuf::from(path)))
            } else {
                Err("the path after sqlite:// must begin with /".to_owned())
            };
        }
        let url = url::Url::parse(text).map_err(|error| error.to_string())?;
        match url.scheme() {
            "postgres" | "postgresql" if url.has_host() => Ok(Self::Postgres(text.to_owned())),
            "postgres" | "postgresql" => Err("no host".to_owned()),
            other => Err(format!("{other}:// is not a ledger")),
        }
    }

    /// The text without its password.
    pub(super) fn shown(text: &str) -> String {
        Self::parse(text).map_or_else(|_| "(an address)".to_owned(), |url| url.to_string())
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StateDir => f.write_str("ledger.db in the state directory"),
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(text) => match url::Url::parse(text) {
                Ok(url) => write!(
                    f,
                    "postgres://{}:{}{}",
                    url.host_str().unwrap_or_default(),
                    url.port().unwrap_or(5432),
                    url.path()
                ),
                Err(_) => f.write_str("postgres://"),
            },
        }
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
    fn a_ledger_is_named_without_its_password() {
        assert_eq!(LedgerUrl::parse(""), Ok(LedgerUrl::StateDir));
        let file = LedgerUrl::parse("sqlite:///srv/desk/ledger.db").expect("a file");
        assert_eq!(file, LedgerUrl::Sqlite(PathBuf::from("/srv/desk/ledger.db")));
        let text = "postgres://desk:s3cret@db.example:6432/desk?sslmode=require";
        let server = LedgerUrl::parse(text).expect("a server");
        assert_eq!(format!("{server} {server:?} {}", LedgerUrl::shown(text)).matches("s3cret").count(), 0);
        assert_eq!(server.to_string(), "postgres://db.example:6432/desk");
        for wrong in ["ledger.db", "sqlite://ledger.db", "mysql://a/b", "postgres://"] {
            assert!(LedgerUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
