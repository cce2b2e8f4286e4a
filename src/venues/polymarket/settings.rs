use alloy_primitives::Address;
use url::Url;

use super::budget::Rates;
use super::signing::{SignatureType, derive_wallets};

/// Where the venue is and whose money is traded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// REST host: `https://clob.polymarket.com`.
    pub clob: String,
    /// WebSocket host, without `/ws/user`: `wss://ws-subscriptions-clob.polymarket.com`.
    pub clob_ws: String,
    /// 137 (Polygon) or 80002 (Amoy).
    pub chain_id: u64,
    /// Which kind of wallet holds the money.
    pub signature_type: SignatureType,
    /// The wallet, when it is not the one that new accounts of this kind get; it must be derived from the key.
    pub wallet: Option<String>,
    /// What the account's tier allows by the second.
    pub rates: Rates,
}

/// Why there can be no venue with these settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// An address of a host that is none.
    #[error("{field} '{value}' is not a URL that begins with {expected}")]
    Url {
        /// Which setting.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it should begin with.
        expected: &'static str,
    },
    /// A chain without Polymarket.
    #[error("chain_id {0} is not 137 (Polygon) or 80002 (Amoy)")]
    Chain(u64),
    /// A wallet that the key has no power over.
    #[error("wallet '{wallet}' is not the {kind} of the key with address {owner}; expected {expected}")]
    Wallet {
        /// What was given.
        wallet: String,
        /// Which kind it ought to be.
        kind: SignatureType,
        /// The key's address.
        owner: Address,
        /// What would be right.
        expected: Address,
    },
    /// The HTTP client could not be made.
    #[error("HTTP client: {0}")]
    Http(String),
}

pub(super) fn host(
    field: &'static str,
    value: &str,
    schemes: &[&str],
    expected: &'static str,
) -> Result<Url, SetupError> {
    Url::parse(value)
        .ok()
        .filter(|url| schemes.contains(&url.scheme()) && url.has_host())
        .ok_or_else(|| SetupError::Url { field, value: value.to_owned(), expected })
}

/// Whose money the key moves.
pub(super) fn maker(settings: &Settings, owner: Address) -> Result<Address, SetupError> {
    let wallets = derive_wallets(owner);
    let allowed = match settings.signature_type {
        SignatureType::Eoa => [owner; 2],
        SignatureType::Proxy => [wallets.proxy; 2],
        SignatureType::Safe => [wallets.safe; 2],
        SignatureType::DepositWallet => [wallets.deposit_beacon, wallets.deposit_uups],
    };
    let Some(wallet) = &settings.wallet else { return Ok(allowed[0]) };
    wallet.parse().ok().filter(|wallet| allowed.contains(wallet)).ok_or_else(|| SetupError::Wallet {
        wallet: wallet.clone(),
        kind: settings.signature_type,
        owner,
        expected: allowed[0],
    })
}
