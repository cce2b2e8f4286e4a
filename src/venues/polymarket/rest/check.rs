//! Whether venue and account are those that we sign for. What differs is a mismatch: nothing may be signed.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::super::signing::L2Signer;
use super::{Ask, Rest, held, read};
use crate::domain::{CallClass, RejectCode};
use crate::exec::venue::VenueError;

/// The version of the venue for whose contracts we can sign, the only one that it documents.
const VERSION: u64 = 2;

impl Rest {
    /// Whether the venue has named `exchange` as its own; `None` until every check has passed.
    pub(in super::super) fn is_confirmed(&self, exchange: Address) -> Option<bool> {
        held(&self.confirmed).as_ref().map(|confirmed| confirmed.contains(&exchange))
    }

    /// Checks version, API key, account and contracts; gives the exchanges that the venue names.
    pub(super) async fn check(&self, signer: &L2Signer) -> Result<BTreeSet<Address>, VenueError> {
        self.check_version().await?;
        self.check_key(signer.credentials().key()).await?;
        self.check_account().await?;
        self.check_contracts().await
    }

    async fn check_version(&self) -> Result<(), VenueError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let timeout = self.admit(CallClass::Setup, 1).await?;
        let Version { version } = read("version", &self.public("/version", timeout).await?)?;
        if version == VERSION {
            return Ok(());
        }
        Err(VenueError::Mismatch {
            what: "version",
            ours: format!("{VERSION}: this build of cockpit is too old"),
            theirs: version.to_string(),
        })
    }

    /// The venue lists the keys of the address that asks: ours must be among them.
    async fn check_key(&self, ours: &str) -> Result<(), VenueError> {
        #[derive(Deserialize)]
        struct Keys {
            #[serde(rename = "apiKeys")]
            keys: Vec<Value>,
        }
        let body = self.setup("/auth/api-keys").await?;
        let Keys { keys } = read("api-keys", &body)?;
        let names: Vec<&str> = keys.iter().filter_map(|key| key.as_str().or_else(|| key["apiKey"].as_str())).collect();
        if names.contains(&ours) {
            return Ok(());
        }
        let address = self.key.address().to_checksum(None);
        Err(VenueError::Mismatch {
            what: "API key",
            ours: format!("{ours} for {address}: delete it at the venue, or use the key that it belongs to"),
            theirs: if names.is_empty() { "none for that address".to_owned() } else { names.join(", ") },
        })
    }

    async fn check_account(&self) -> Result<(), VenueError> {
        #[derive(Deserialize)]
        struct Status {
            closed_only: bool,
        }
        let body = self.setup("/auth/ban-status/closed-only").await?;
        let Status { closed_only } = read("ban-status", &body)?;
        if !closed_only {
            return Ok(());
        }
        let reason = "the venue lets this account close positions only".to_owned();
        Err(VenueError::Barred { code: RejectCode::ClosedOnly, reason })
    }

    /// The venue names its exchanges as spenders of the account's pUSD: those that we sign for must be among them. One that does not
    /// name our `ExchangeV3` may have none yet; one that names a contract that we do not know in its place has another.
    async fn check_contracts(&self) -> Result<BTreeSet<Address>, VenueError> {
        let collateral = self.asset_balance(None).await?;
        let theirs: BTreeSet<Address> =
            collateral.allowances.iter().filter_map(|allowance| allowance.spender.parse().ok()).collect();
        let contracts = self.contracts;
        let mut needed = vec![contracts.exchange_v2, contracts.neg_risk_exchange_v2];
        if theirs.iter().any(|spender| !contracts.knows(*spender)) {
            needed.push(contracts.exchange_v3);
        }
        if needed.iter().all(|ours| theirs.contains(ours)) {
            return Ok(theirs);
        }
        let list = |addresses: &mut dyn Iterator<Item = &Address>| {
            let texts: Vec<String> = addresses.map(|address| address.to_checksum(None)).collect();
            texts.join(", ")
        };
        Err(VenueError::Mismatch {
            what: "exchange contracts",
            ours: format!(
                "{} on chain {} (set {}): this build of cockpit is too old, or the host is another network's",
                list(&mut needed.iter()),
                contracts.chain_id,
                contracts.set
            ),
            theirs: if theirs.is_empty() { "not named".to_owned() } else { list(&mut theirs.iter()) },
        })
    }

    async fn setup(&self, path: &str) -> Result<Vec<u8>, VenueError> {
        self.call(Ask::of(CallClass::Setup, Method::GET, path)).await?.success()
    }
}
