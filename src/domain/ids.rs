//! Identifiers: cheap to clone, compared as text, never mixed up with one another.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Text;

/// A map by ids. They are long, and every decision looks some of them up: they are hashed by what is quick at that.
pub type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(transparent)]
        pub struct $name(#[schemars(with = "String")] Arc<str>);

        impl $name {
            /// From its text.
            #[must_use]
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// Its text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<$name> for Text {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }
    };
}

id! {
    /// A crypto pair as Kraken v2 writes it: `BTC/USD`.
    Symbol
}
id! {
    /// An outcome token: the decimal ERC-1155 id (`asset_id` on the venue's wire).
    TokenId
}
id! {
    /// An event group: markets of which exactly one comes true.
    GroupId
}
id! {
    /// A market: its condition id, `0x` and 64 hex digits.
    MarketId
}
id! {
    /// The venue's readable name of a market: `btc-updown-5m-1795348800`.
    Slug
}
id! {
    /// A weather station by its ICAO code: `KLGA`.
    StationId
}
id! {
    /// A strategy of ours: `momentum`.
    StrategyId
}
id! {
    /// One wish to trade, derived from what caused it, so that the same cause gives the same id after a restart.
    IntentId
}
id! {
    /// The venue's order id: the EIP-712 hash of the order, known before it is sent.
    OrderId
}
id! {
    /// The venue's id of a trade.
    TradeId
}
