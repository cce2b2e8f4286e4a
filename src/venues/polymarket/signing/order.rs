use std::fmt;

use alloy_primitives::{B256, keccak256};
use alloy_sol_types::SolStruct;

use super::{Exchange, LocalKey, deposit};
use crate::exec::venue::SignError;

pub use typed::Order;

mod typed {
    alloy_sol_types::sol! {
        /// What is signed. Source: `Exchange.sol` of the venue; the same for domain versions "2" and "3".
        #[derive(Debug, PartialEq, Eq)]
        struct Order {
            /// Makes the order unique; at most 2^53 - 1, because it travels as a JSON number.
            uint256 salt;
            /// Whose money moves.
            address maker;
            /// Who signs: the key's address, or the wallet itself for type 3.
            address signer;
            /// The outcome token.
            uint256 tokenId;
            /// What the maker gives, times 10^6.
            uint256 makerAmount;
            /// What the maker wants, times 10^6.
            uint256 takerAmount;
            /// 0 buys, 1 sells.
            uint8 side;
            /// 0 to 3, see `SignatureType`.
            uint8 signatureType;
            /// When it was made, in milliseconds.
            uint256 timestamp;
            /// Zero.
            bytes32 metadata;
            /// Attribution code of a builder, zero for none.
            bytes32 builder;
        }
    }
}

/// Which kind of wallet holds the money and how the key speaks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureType {
    /// The key's own address.
    Eoa,
    /// A proxy wallet of the key.
    Proxy,
    /// A Gnosis Safe of the key.
    Safe,
    /// A deposit wallet (ERC-1271), the default of accounts made since May 2026.
    DepositWallet,
}

impl SignatureType {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Eoa => 0,
            Self::Proxy => 1,
            Self::Safe => 2,
            Self::DepositWallet => 3,
        }
    }

    /// From the word in a configuration: `eoa`, `proxy`, `safe`, `deposit_wallet`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "eoa" => Some(Self::Eoa),
            "proxy" => Some(Self::Proxy),
            "safe" => Some(Self::Safe),
            "deposit_wallet" => Some(Self::DepositWallet),
            _ => None,
        }
    }

    /// From the number on the wire.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Eoa),
            1 => Some(Self::Proxy),
            2 => Some(Self::Safe),
            3 => Some(Self::DepositWallet),
            _ => None,
        }
    }
}

impl fmt::Display for SignatureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Eoa => "eoa",
            Self::Proxy => "proxy",
            Self::Safe => "safe",
            Self::DepositWallet => "deposit wallet",
        })
    }
}

/// EIP-712 type string of an order.
#[must_use]
pub fn order_type_string() -> String {
    Order::eip712_encode_type().into_owned()
}

/// EIP-712 hash of the struct alone.
#[must_use]
pub fn struct_hash(order: &Order) -> B256 {
    order.eip712_hash_struct()
}

/// The order's id at the venue: the EIP-712 hash under the exchange's domain, whatever the signature type.
#[must_use]
pub fn order_hash(order: &Order, exchange: &Exchange) -> B256 {
    typed_digest(exchange.separator(), struct_hash(order))
}

/// What the key signs: the order's hash, or for a deposit wallet the hash that nests it in the wallet's own domain.
#[must_use]
pub fn signed_digest(order: &Order, exchange: &Exchange) -> B256 {
    if order.signatureType == SignatureType::DepositWallet.code() {
        deposit::nested_digest(order, exchange)
    } else {
        order_hash(order, exchange)
    }
}

/// Signs with `key`; for a deposit wallet the result is the wrapped signature of 317 bytes, else 65. The same order
/// gives the same bytes (RFC 6979).
///
/// # Errors
/// [`SignError::Signer`] when the curve arithmetic fails.
pub fn sign_order(order: &Order, exchange: &Exchange, key: &LocalKey) -> Result<Vec<u8>, SignError> {
    let inner = key.sign(&signed_digest(order, exchange))?;
    Ok(if order.signatureType == SignatureType::DepositWallet.code() {
        deposit::wrap_signature(order, exchange, &inner)
    } else {
        inner.to_vec()
    })
}

pub(super) fn typed_digest(separator: B256, struct_hash: B256) -> B256 {
    let mut bytes = [0_u8; 66];
    bytes[..2].copy_from_slice(b"\x19\x01");
    bytes[2..34].copy_from_slice(separator.as_slice());
    bytes[34..].copy_from_slice(struct_hash.as_slice());
    keccak256(bytes)
}
