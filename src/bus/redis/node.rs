//! Servers that can be dialled.

use std::fmt;
use std::sync::Arc;

use redis::io::tcp::TcpSettings;
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, TlsCertificates,
};

use crate::bus::BusError;
use crate::bus::url::{Credentials, Host, RedisUrl};

/// A server that can be dialled.
pub(super) struct Node {
    /// For blocking reads and pub/sub.
    pub(super) plain: Client,
    /// For the shared connection: the newer protocol, in which the library reports a lost connection at once.
    pub(super) pushing: Client,
    /// Where it is.
    pub(super) host: Host,
    shown: String,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.shown).finish()
    }
}

/// How to speak to any server of one kind.
pub(super) struct Manners {
    credentials: Credentials,
    database: u32,
    tls: bool,
    /// The certificates of the only authority that is trusted.
    authority: Option<Arc<[u8]>>,
}

impl Manners {
    /// For the servers that hold the data.
    pub(super) fn of_servers(url: &RedisUrl, authority: Option<Arc<[u8]>>) -> Self {
        Self { credentials: url.server.clone(), database: url.database, tls: url.tls, authority }
    }

    /// For sentinels, which have no databases.
    pub(super) fn of_sentinels(url: &RedisUrl, authority: Option<Arc<[u8]>>) -> Self {
        Self { credentials: url.sentinel.clone(), database: 0, tls: url.tls, authority }
    }

    /// A server that can be dialled, shown as `shown`.
    pub(super) fn node(&self, host: Host, shown: String) -> Result<Node, BusError> {
        let client =
            |protocol| self.client(&host, protocol).map_err(|error| BusError::Url(format!("{shown}: {error}")));
        Ok(Node { plain: client(ProtocolVersion::RESP2)?, pushing: client(ProtocolVersion::RESP3)?, host, shown })
    }

    fn client(&self, host: &Host, protocol: ProtocolVersion) -> redis::RedisResult<Client> {
        let mut settings = RedisConnectionInfo::default()
            .set_protocol(protocol)
            .set_db(self.database.into())
            .set_lib_name("cockpit", env!("CARGO_PKG_VERSION"));
        if let Some(user) = &self.credentials.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.credentials.password {
            settings = settings.set_password(password);
        }
        let info: ConnectionInfo = self.address(host).into_connection_info()?;
        let info = info.set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true));
        match &self.authority {
            None => Client::open(info),
            Some(pem) => {
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(pem.to_vec()) })
            }
        }
    }

    fn address(&self, host: &Host) -> ConnectionAddr {
        let Host { name, port } = host.clone();
        if self.tls {
            ConnectionAddr::TcpTls { host: name, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(name, port)
        }
    }
}

/// The certificates that `?ca=` names.
pub(super) fn authority(url: &RedisUrl) -> Result<Option<Arc<[u8]>>, BusError> {
    let Some(path) = &url.authority else { return Ok(None) };
    let read = std::fs::read(path).map_err(|error| BusError::Url(format!("ca '{path}': {error}")))?;
    Ok(Some(read.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Result<Node, BusError> {
        let url = RedisUrl::parse(text)?;
        let manners = Manners::of_servers(&url, authority(&url)?);
        manners.node(url.hosts[0].clone(), url.to_string())
    }

    #[test]
    fn the_library_gets_what_the_address_says() {
        let node = node("redis://hermes:s%40crit@bus.example:7000/3").expect("good");
        let info = node.plain.get_connection_info();
        assert_eq!(*info.addr(), ConnectionAddr::Tcp("bus.example".into(), 7000));
        assert_eq!(info.redis_settings().username(), Some("hermes"));
        assert_eq!(info.redis_settings().password(), Some("s@crit"));
        assert_eq!(info.redis_settings().db(), 3);
        assert!(info.tcp_settings().nodelay());
        assert!(!format!("{node:?}").contains("crit"));
    }

    #[test]
    fn rediss_dials_tls_and_checks_the_name() {
        let node = node("rediss://bus.example").expect("good");
        let ConnectionAddr::TcpTls { host, port, insecure, .. } = node.plain.get_connection_info().addr() else {
            panic!("not TLS");
        };
        assert_eq!((host.as_str(), *port, *insecure), ("bus.example", 6379, false));
    }

    #[test]
    fn an_authority_that_cannot_be_used_is_named() {
        let error = node("rediss://u:secret@bus?ca=/no/such/file.pem").expect_err("no such file").to_string();
        assert!(error.contains("/no/such/file.pem") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn sentinels_get_their_own_credentials_and_no_database() {
        let url = RedisUrl::parse("redis+sentinel://u:one@s/m/3?sentinel_password=two").expect("good");
        let sentinel = Manners::of_sentinels(&url, None).node(url.hosts[0].clone(), "s".into()).expect("good");
        let settings = sentinel.plain.get_connection_info().redis_settings();
        assert_eq!((settings.username(), settings.password(), settings.db()), (None, Some("two"), 0));
    }
}
