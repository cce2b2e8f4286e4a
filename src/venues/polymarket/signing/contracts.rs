use alloy_primitives::{Address, B256, address};
use alloy_sol_types::Eip712Domain;

use crate::domain::Protocol;

/// Name in the EIP-712 domain of every exchange. Source: `py-clob-client-v2` 1.2.1.
pub const EXCHANGE_NAME: &str = "Polymarket CTF Exchange";

/// The contracts of one chain. Source: `py-clob-client-v2` 1.2.1 and `polymarket-client` 0.14.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contracts {
    /// Which edition of the venue's list of contracts this is: year and month.
    pub set: &'static str,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Exchange of CTF markets, domain version "2".
    pub exchange_v2: Address,
    /// Exchange of CTF neg-risk markets, domain version "2".
    pub neg_risk_exchange_v2: Address,
    /// Exchange of protocol V2 markets, neg risk included, domain version "3".
    pub exchange_v3: Address,
    /// The first exchange, domain version "1": retired, nothing is signed for it.
    pub retired_exchange: Address,
    /// The first neg-risk exchange: retired.
    pub retired_neg_risk_exchange: Address,
    /// Neg-risk adapter.
    pub neg_risk_adapter: Address,
    /// Adapters of pUSD for CTF markets, and for those with neg risk.
    pub collateral_adapters: [Address; 2],
    /// pUSD, six decimals.
    pub collateral: Address,
    /// Conditional tokens (ERC-1155).
    pub conditional_tokens: Address,
}

const POLYGON: Contracts = Contracts {
    set: "2026-10",
    chain_id: 137,
    exchange_v2: address!("0xE111180000d2663C0091e4f400237545B87B996B"),
    neg_risk_exchange_v2: address!("0xe2222d279d744050d28e00520010520000310F59"),
    exchange_v3: address!("0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"),
    retired_exchange: address!("0x4bFb41d5B3570DeFd03C39a9A4D8dE6Bd8B8982E"),
    retired_neg_risk_exchange: address!("0xC5d563A36AE78145C45a50134d48A1215220f80a"),
    neg_risk_adapter: address!("0xd91E80cF2E7be2e162c6513ceD06f1dD0dA35296"),
    collateral_adapters: [
        address!("0xAdA100Db00Ca00073811820692005400218FcE1f"),
        address!("0xadA2005600Dec949baf300f4C6120000bDB6eAab"),
    ],
    collateral: address!("0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"),
    conditional_tokens: address!("0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"),
};

const AMOY: Contracts = Contracts {
    chain_id: 80_002,
    exchange_v3: address!("0x9fE6e61422AdB6F610d8597F9684b16912D50C3D"),
    retired_exchange: address!("0xdFE02Eb6733538f8Ea35D585af8DE5958AD99E40"),
    conditional_tokens: address!("0x69308FB512518e39F9b16112fA8d994F4e2Bf8bB"),
    ..POLYGON
};

impl Contracts {
    /// The contracts of `chain_id`; nothing for a chain on which Polymarket does not trade.
    #[must_use]
    pub const fn of(chain_id: u64) -> Option<&'static Self> {
        match chain_id {
            137 => Some(&POLYGON),
            80_002 => Some(&AMOY),
            _ => None,
        }
    }

    /// Whether a contract that may spend pUSD is one of these.
    #[must_use]
    pub fn knows(&self, spender: Address) -> bool {
        let exchanges = [self.exchange_v2, self.neg_risk_exchange_v2, self.exchange_v3];
        let retired = [self.retired_exchange, self.retired_neg_risk_exchange];
        let all = [exchanges.as_slice(), &retired, &self.collateral_adapters, &[self.neg_risk_adapter]];
        all.iter().any(|known| known.contains(&spender))
    }

    /// The exchange on which a market trades.
    #[must_use]
    pub fn exchange(&self, protocol: Protocol, neg_risk: bool) -> Exchange {
        let address = match (protocol, neg_risk) {
            (Protocol::V2, false) => self.exchange_v2,
            (Protocol::V2, true) => self.neg_risk_exchange_v2,
            (Protocol::V3, _) => self.exchange_v3,
        };
        Exchange::new(self.chain_id, protocol, address)
    }
}

/// An exchange contract with its EIP-712 domain, the separator computed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    chain_id: u64,
    address: Address,
    separator: B256,
}

impl Exchange {
    fn new(chain_id: u64, protocol: Protocol, address: Address) -> Self {
        let version = match protocol {
            Protocol::V2 => "2",
            Protocol::V3 => "3",
        };
        let domain = Eip712Domain::new(
            Some(EXCHANGE_NAME.into()),
            Some(version.into()),
            Some(alloy_primitives::U256::from(chain_id)),
            Some(address),
            None,
        );
        Self { chain_id, address, separator: domain.separator() }
    }

    /// EIP-155 chain id.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The contract.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Hash of its EIP-712 domain.
    #[must_use]
    pub const fn separator(&self) -> B256 {
        self.separator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neg_risk_splits_the_exchange_only_on_domain_two() {
        let polygon = Contracts::of(137).expect("polygon");
        assert_eq!(polygon.exchange(Protocol::V2, false).address(), polygon.exchange_v2);
        assert_eq!(polygon.exchange(Protocol::V2, true).address(), polygon.neg_risk_exchange_v2);
        assert_eq!(polygon.exchange(Protocol::V3, true), polygon.exchange(Protocol::V3, false));
        assert_ne!(
            polygon.exchange(Protocol::V2, false).separator(),
            polygon.exchange(Protocol::V3, false).separator()
        );
        assert!(Contracts::of(1).is_none());
    }
}
