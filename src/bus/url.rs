//! The address of a Redis bus as people write it, taken apart and checked. Nothing here opens a file or a socket, so that a
//! configuration can be checked anywhere; no message and no display holds a password.

use std::fmt;
use std::net::Ipv6Addr;

use super::BusError;

const EXPECTED: &str = "expected redis://[user][:password@]host[:port][/db], rediss:// for TLS, or \
    redis+sentinel://[user:password@]host:port[,host:port...]/service[/db]";
/// Where a server listens when the address does not say.
const SERVER_PORT: u16 = 6379;
/// Where a sentinel listens when the address does not say.
const SENTINEL_PORT: u16 = 26379;

/// An address of a Redis server, or of the sentinels that know it.
///
/// `redis://[user][:password@]host[:port][/db]` names a server. `redis+sentinel://[user:password@]host[:port][,host[:port]...]/service[/db]`
/// names sentinels and the service that they watch; user, password and db are those of the servers. The sentinels get
/// credentials of their own from `?sentinel_user=...&sentinel_password=...`, and none without. `rediss` in place of `redis` is TLS,
/// to servers and sentinels alike; there `?ca=/path/to/ca.pem` trusts that authority alone. Special characters are
/// percent-encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    pub(super) tls: bool,
    /// The server, or the sentinels.
    pub(super) hosts: Vec<Host>,
    /// What the sentinels call the server; nothing when the address names the server itself.
    pub(super) service: Option<String>,
    /// Number of the database, from 0.
    pub(super) database: u32,
    pub(super) server: Credentials,
    pub(super) sentinel: Credentials,
    /// Path of the certificate authority to trust.
    pub(super) authority: Option<String>,
}

/// Where something listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Host {
    /// Name or address; one of version 6 without its brackets.
    pub(super) name: String,
    pub(super) port: u16,
}

/// What is told to a server that asks who we are.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

impl RedisUrl {
    /// Takes an address apart.
    ///
    /// # Errors
    /// [`BusError::Url`], which says what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, BusError> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad(EXPECTED))?;
        let (tls, sentinels) = match scheme {
            "redis" => (false, false),
            "rediss" => (true, false),
            "redis+sentinel" => (false, true),
            "rediss+sentinel" => (true, true),
            other => {
                return Err(bad(format!(
                    "scheme '{other}': use redis, rediss for TLS, redis+sentinel or rediss+sentinel"
                )));
            }
        };
        if rest.contains('#') {
            return Err(bad("'#': not supported, server certificates are always checked; in a password write %23"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        if path.contains('@') || query.contains('@') {
            return Err(bad("'@' behind '/' or '?': in a password write %2F for '/', %3F for '?' and %40 for '@'"));
        }
        let (login, listed) = place.rsplit_once('@').unwrap_or(("", place));
        let mut url = Self {
            tls,
            hosts: hosts(listed, if sentinels { SENTINEL_PORT } else { SERVER_PORT }, sentinels)?,
            service: None,
            database: 0,
            server: credentials(login)?,
            sentinel: Credentials::default(),
            authority: None,
        };
        url.take_path(path, sentinels)?;
        url.take_options(query)?;
        Ok(url)
    }

    fn take_path(&mut self, path: &str, sentinels: bool) -> Result<(), BusError> {
        let mut parts = path.trim_end_matches('/').split('/').filter(|part| !part.is_empty());
        if sentinels {
            let service = parts.next().ok_or_else(|| {
                bad("service: name the one that the sentinels watch, as in redis+sentinel://host:26379/mymaster")
            })?;
            self.service = Some(decoded(service)?);
        }
        if let Some(database) = parts.next() {
            self.database =
                database.parse().map_err(|_| bad(format!("database '{database}': expected a number from 0")))?;
        }
        match parts.next() {
            Some(more) => Err(bad(format!("'/{more}': nothing may follow the database"))),
            None => Ok(()),
        }
    }

    fn take_options(&mut self, query: &str) -> Result<(), BusError> {
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "ca" if self.tls => self.authority = Some(decoded(value)?),
                "ca" => return Err(bad("option 'ca': only with rediss")),
                "sentinel_user" if self.service.is_some() => self.sentinel.user = Some(decoded(value)?),
                "sentinel_password" if self.service.is_some() => self.sentinel.password = Some(decoded(value)?),
                "sentinel_user" | "sentinel_password" => {
                    return Err(bad(format!("option '{name}': only with redis+sentinel or rediss+sentinel")));
                }
                other => {
                    return Err(bad(format!(
                        "option '{other}': there are ca=/path/to/ca.pem, sentinel_user=... and sentinel_password=..."
                    )));
                }
            }
        }
        if self.sentinel.user.is_some() && self.sentinel.password.is_none() {
            return Err(bad("option 'sentinel_user': needs sentinel_password=... as well"));
        }
        Ok(())
    }
}

impl fmt::Display for RedisUrl {
    /// The address without passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss" } else { "redis" })?;
        f.write_str(if self.service.is_some() { "+sentinel://" } else { "://" })?;
        if let Some(user) = &self.server.user {
            write!(f, "{user}@")?;
        }
        for (number, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if number > 0 { "," } else { "" })?;
        }
        if let Some(service) = &self.service {
            write!(f, "/{service}")?;
        }
        if self.database > 0 { write!(f, "/{}", self.database) } else { Ok(()) }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

fn hosts(listed: &str, port: u16, several: bool) -> Result<Vec<Host>, BusError> {
    let mut hosts = Vec::new();
    for (number, text) in (1..).zip(listed.split(',')) {
        let host = host(text, port).map_err(|wrong| bad(format!("host {number}: {wrong}")))?;
        if hosts.contains(&host) {
            return Err(bad(format!("host {number}: {host} is there twice")));
        }
        hosts.push(host);
    }
    if hosts.len() > 1 && !several {
        return Err(bad("several hosts: only sentinels can be several, see redis+sentinel://"));
    }
    Ok(hosts)
}

/// One host. What stands where the port should is not repeated: it may be a password whose host is missing.
fn host(text: &str, default: u16) -> Result<Host, String> {
    let (name, port) = if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or("the ']' of an address of version 6 is missing")?;
        address.parse::<Ipv6Addr>().map_err(|_| "between '[' and ']' belongs an address of version 6")?;
        (address, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("")))
    } else {
        let (name, port) = text.split_once(':').map_or((text, ""), |(name, port)| (name, port));
        (name, Some(port))
    };
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("expected the host's name or address".to_owned());
    }
    let wrong = "the port must be a number from 1 to 65535";
    let port = match port.ok_or(wrong)? {
        "" => default,
        digits => digits.parse().ok().filter(|port| *port > 0).ok_or(wrong)?,
    };
    Ok(Host { name: name.to_owned(), port })
}

fn credentials(login: &str) -> Result<Credentials, BusError> {
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    Ok(Credentials {
        user: (!user.is_empty()).then(|| decoded(user)).transpose()?,
        password: password.map(decoded).transpose()?,
    })
}

/// With every `%41` made an `A`.
fn decoded(text: &str) -> Result<String, BusError> {
    let wrong = || bad("'%' must be followed by two hexadecimal digits that make text; '%' itself is %25");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or_else(wrong)?;
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let (high, low) = value(digits[0]).zip(value(digits[1])).ok_or_else(wrong)?;
        bytes.push(high * 16 + low);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn bad(reason: impl Into<String>) -> BusError {
    BusError::Url(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> RedisUrl {
        RedisUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn at(name: &str, port: u16) -> Host {
        Host { name: name.into(), port }
    }

    #[test]
    fn a_server_is_named_with_everything_it_needs() {
        let url = parsed("redis://hermes:s%40cr%2Fit@bus.example:7000/3");
        assert_eq!((url.tls, &url.service, url.database), (false, &None, 3));
        assert_eq!(url.hosts, [at("bus.example", 7000)]);
        assert_eq!(url.server.user.as_deref(), Some("hermes"));
        assert_eq!(url.server.password.as_deref(), Some("s@cr/it"));
        assert_eq!(url.to_string(), "redis://hermes@bus.example:7000/3");
        let url = parsed("rediss://:only-password@[::1]/?ca=/etc/ca.pem");
        assert_eq!(
            (url.tls, url.hosts.clone(), url.authority.as_deref()),
            (true, vec![at("::1", 6379)], Some("/etc/ca.pem"))
        );
        assert_eq!((url.server.user.clone(), url.server.password.as_deref()), (None, Some("only-password")));
        assert_eq!(url.to_string(), "rediss://[::1]:6379");
    }

    #[test]
    fn sentinels_are_named_with_their_service_and_their_own_credentials() {
        let url = parsed(
            "redis+sentinel://desk:pw@s1:26379,s2,10.0.0.3:7000/mymaster/2?sentinel_user=w&sentinel_password=a%2Bb",
        );
        assert_eq!(url.hosts, [at("s1", 26379), at("s2", 26379), at("10.0.0.3", 7000)]);
        assert_eq!((url.service.as_deref(), url.database), (Some("mymaster"), 2));
        assert_eq!(url.server.password.as_deref(), Some("pw"));
        assert_eq!((url.sentinel.user.as_deref(), url.sentinel.password.as_deref()), (Some("w"), Some("a+b")));
        assert_eq!(url.to_string(), "redis+sentinel://desk@s1:26379,s2:26379,10.0.0.3:7000/mymaster/2");
        let url = parsed("rediss+sentinel://s1/desk/");
        assert_eq!((url.tls, url.service.as_deref(), url.database), (true, Some("desk"), 0));
        assert!(url.sentinel == Credentials::default());
    }

    #[test]
    fn passwords_are_not_shown() {
        let url = parsed("redis+sentinel://u:secret1@s/m?sentinel_password=secret2");
        assert!(!format!("{url} {url:?}").contains("secret"));
    }

    #[test]
    fn a_bad_address_is_refused_by_what_is_wrong_with_it() {
        for (url, named) in [
            ("bus.example", "expected redis://"),
            ("http://u:secret@bus", "scheme 'http'"),
            ("redis://u:secret@bus/first", "database 'first'"),
            ("redis://u:secret@bus/-1", "database '-1'"),
            ("redis://u:secret@bus/0/1", "'/1'"),
            ("redis:///3", "host 1"),
            ("redis://u:secret@", "host 1"),
            ("redis://u:secret", "the port must be"),
            ("redis://u:secret/more@bus", "%2F"),
            ("redis://u:secret?more@bus", "%3F"),
            ("redis://u:secret#more@bus", "%23"),
            ("redis://u:secret%4@bus", "hexadecimal"),
            ("redis://u:secret%zz@bus", "hexadecimal"),
            ("redis://u:secret%ff@bus", "hexadecimal"),
            ("redis://u:secret@bus:99999", "the port must be"),
            ("redis://u:secret@bus:0", "the port must be"),
            ("redis://u:secret@[::1", "']'"),
            ("redis://u:secret@[bus]:1", "version 6"),
            ("redis://u:secret@a,b", "only sentinels can be several"),
            ("redis://u:secret@bus?ca=/x.pem", "only with rediss"),
            ("redis://u:secret@bus?sentinel_password=secret", "only with redis+sentinel"),
            ("rediss://u:secret@bus?verify=no", "option 'verify'"),
            ("rediss://u:secret@bus/#insecure", "always checked"),
            ("redis+sentinel://u:secret@s1,s2", "service: name the one"),
            ("redis+sentinel://u:secret@s1,,s2/m", "host 2"),
            ("redis+sentinel://u:secret@s1,s1:26379/m", "s1:26379 is there twice"),
            ("redis+sentinel://u:secret@s1/m/zero", "database 'zero'"),
            ("redis+sentinel://u:secret@s1/m?sentinel_user=x", "needs sentinel_password"),
        ] {
            let error = RedisUrl::parse(url).expect_err(url).to_string();
            assert!(error.contains(named), "{url}: {error}");
            assert!(!error.contains("secret") || named.contains("option"), "{url}: {error}");
        }
    }
}
