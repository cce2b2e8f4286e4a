//! Where the data is: at a server that the address names, or at the master that the sentinels name.

use std::fmt;
use std::sync::Arc;

use super::node::{Manners, Node, authority};
use super::sentinel::Sentinels;
use crate::bus::BusError;
use crate::bus::url::RedisUrl;

pub(super) struct Target {
    shown: String,
    kind: Kind,
}

enum Kind {
    Server(Arc<Node>),
    Sentinels(Sentinels),
}

impl fmt::Display for Target {
    /// The address without passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, BusError> {
        let url = RedisUrl::parse(text)?;
        let shown = url.to_string();
        let authority = authority(&url)?;
        let kind = match (&url.service, url.hosts.first()) {
            (Some(service), _) => Kind::Sentinels(Sentinels::new(&url, service, authority)?),
            (None, Some(host)) => {
                Kind::Server(Arc::new(Manners::of_servers(&url, authority).node(host.clone(), shown.clone())?))
            }
            (None, None) => return Err(BusError::Url(format!("{shown}: names no host"))),
        };
        Ok(Self { shown, kind })
    }

    /// The server, when the address names it.
    pub(super) fn server(&self) -> Option<Arc<Node>> {
        match &self.kind {
            Kind::Server(node) => Some(Arc::clone(node)),
            Kind::Sentinels(_) => None,
        }
    }

    /// The sentinels, when the address names them.
    pub(super) const fn sentinels(&self) -> Option<&Sentinels> {
        match &self.kind {
            Kind::Server(_) => None,
            Kind::Sentinels(sentinels) => Some(sentinels),
        }
    }

    /// The server to dial.
    pub(super) async fn find(&self) -> Result<Arc<Node>, BusError> {
        match &self.kind {
            Kind::Server(node) => Ok(Arc::clone(node)),
            Kind::Sentinels(sentinels) => sentinels.master().await.map(Arc::new),
        }
    }
}
