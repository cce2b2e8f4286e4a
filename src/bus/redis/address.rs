//! Where the server is and how to speak to it: from a URL, with errors that say what is wrong and never show the password.

use std::fmt;

use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, TlsCertificates};
use url::Url;

use crate::bus::BusError;

/// A server that can be dialled.
pub(super) struct Address {
    /// For blocking reads and pub/sub.
    pub(super) plain: Client,
    /// For the shared connection: the newer protocol, in which the library reports a lost connection at once.
    pub(super) pushing: Client,
    shown: String,
}

impl fmt::Display for Address {
    /// The URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

impl Address {
    /// From `redis://[user][:password@]host[:port][/db]`, or `rediss://` for TLS. There `?ca=/path/to/ca.pem` trusts that
    /// authority alone instead of the public ones.
    pub(super) fn parse(text: &str) -> Result<Self, BusError> {
        let mut url = Url::parse(text)
            .map_err(|error| bad(format!("{error}; expected redis://[user][:password@]host[:port][/db]")))?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            other => return Err(bad(format!("scheme '{other}': use redis, or rediss for TLS"))),
        };
        let database = url.path().trim_matches('/').to_owned();
        if !database.is_empty() && database.parse::<u32>().is_err() {
            return Err(bad(format!("database '{database}': expected a number from 0")));
        }
        if url.fragment().is_some() {
            return Err(bad("'#...': not supported; server certificates are always checked".into()));
        }
        let authority = authority(&url, tls)?;
        url.set_query(None);
        let shown = shown(&url);
        let info = url.as_str().into_connection_info().map_err(|error| bad(format!("{shown}: {error}")))?;
        let client = |protocol| client(&info, protocol, authority.clone()).map_err(|error| bad(format!("ca: {error}")));
        Ok(Self { plain: client(ProtocolVersion::RESP2)?, pushing: client(ProtocolVersion::RESP3)?, shown })
    }
}

/// The certificates of `?ca=`; refuses every other option.
fn authority(url: &Url, tls: bool) -> Result<Option<Vec<u8>>, BusError> {
    let mut authority = None;
    for (name, value) in url.query_pairs() {
        match &*name {
            "ca" if tls => {
                authority = Some(std::fs::read(&*value).map_err(|error| bad(format!("ca '{value}': {error}")))?);
            }
            "ca" => return Err(bad("option 'ca': only with rediss".into())),
            other => return Err(bad(format!("option '{other}': the only one is ca=/path/to/ca.pem"))),
        }
    }
    Ok(authority)
}

fn client(info: &ConnectionInfo, protocol: ProtocolVersion, authority: Option<Vec<u8>>) -> redis::RedisResult<Client> {
    let settings =
        info.redis_settings().clone().set_protocol(protocol).set_lib_name("cockpit", env!("CARGO_PKG_VERSION"));
    let info = info.clone().set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true));
    match authority {
        None => Client::open(info),
        Some(pem) => Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(pem) }),
    }
}

fn shown(url: &Url) -> String {
    let user = if url.username().is_empty() { String::new() } else { format!("{}@", url.username()) };
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{user}{host}{port}{}", url.scheme(), url.path().trim_end_matches('/'))
}

const fn bad(reason: String) -> BusError {
    BusError::Url(reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::ConnectionAddr;

    #[test]
    fn user_password_database_and_port_are_taken_and_the_password_is_not_shown() {
        let address = Address::parse("redis://hermes:s%40crit@bus.example:7000/3").expect("good");
        let info = address.plain.get_connection_info();
        assert_eq!(*info.addr(), ConnectionAddr::Tcp("bus.example".into(), 7000));
        assert_eq!(info.redis_settings().username(), Some("hermes"));
        assert_eq!(info.redis_settings().password(), Some("s@crit"));
        assert_eq!(info.redis_settings().db(), 3);
        assert!(info.tcp_settings().nodelay());
        assert_eq!(address.to_string(), "redis://hermes@bus.example:7000/3");
        assert!(!format!("{address:?}").contains("crit"));
    }

    #[test]
    fn rediss_dials_tls() {
        let address = Address::parse("rediss://bus.example").expect("good");
        let ConnectionAddr::TcpTls { host, port, insecure, .. } = address.plain.get_connection_info().addr() else {
            panic!("not TLS");
        };
        assert_eq!((host.as_str(), *port, *insecure), ("bus.example", 6379, false));
    }

    #[test]
    fn a_bad_url_is_refused_by_what_is_wrong_with_it() {
        for (url, named) in [
            ("bus.example", "expected redis://"),
            ("http://u:secret@bus", "scheme 'http'"),
            ("redis://u:secret@bus/first", "database 'first'"),
            ("redis://u:secret@bus/-1", "database '-1'"),
            ("redis:///3", "host"),
            ("rediss://u:secret@bus/#insecure", "always checked"),
            ("redis://u:secret@bus?ca=/x.pem", "only with rediss"),
            ("rediss://u:secret@bus?ca=/no/such/file.pem", "/no/such/file.pem"),
            ("rediss://u:secret@bus?verify=no", "option 'verify'"),
            ("redis://u:secret@bus:99999", "port"),
        ] {
            let error = Address::parse(url).expect_err(url).to_string();
            assert!(error.contains(named), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        }
    }
}
