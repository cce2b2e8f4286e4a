//! Deposit wallets check signatures by ERC-7739: the order is nested into a struct of the wallet's own domain, so that
//! a signature made for one wallet of a key is worthless at another.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolStruct;

use super::order::{order_type_string, struct_hash, typed_digest};
use super::{Exchange, Order};

mod typed {
    use super::super::Order;

    alloy_sol_types::sol! {
        #[derive(Debug)]
        struct TypedDataSign {
            Order contents;
            string name;
            string version;
            uint256 chainId;
            address verifyingContract;
            bytes32 salt;
        }
    }
}

const WALLET_NAME: &str = "DepositWallet";
const WALLET_VERSION: &str = "1";
/// Bytes of the plain signature inside the wrapped one.
pub(super) const INNER: usize = 65;

/// EIP-712 type string of the nesting struct.
#[must_use]
pub fn deposit_type_string() -> String {
    typed::TypedDataSign::eip712_encode_type().into_owned()
}

pub(super) fn nested_digest(order: &Order, exchange: &Exchange) -> B256 {
    let nested = typed::TypedDataSign {
        contents: order.clone(),
        name: WALLET_NAME.to_owned(),
        version: WALLET_VERSION.to_owned(),
        chainId: U256::from(exchange.chain_id()),
        verifyingContract: wallet(order),
        salt: B256::ZERO,
    };
    typed_digest(exchange.separator(), nested.eip712_hash_struct())
}

const fn wallet(order: &Order) -> Address {
    order.signer
}

/// The signature that the venue takes for a deposit wallet: the key's 65 bytes, the exchange's domain separator, the
/// order's struct hash, its type string, and the length of that string in two bytes.
#[must_use]
pub fn wrap_signature(order: &Order, exchange: &Exchange, inner: &[u8; INNER]) -> Vec<u8> {
    let mut bytes = inner.to_vec();
    bytes.extend(trailer(order, exchange));
    bytes
}

/// All but the first 65 bytes of a wrapped signature; wholly determined by order and exchange.
pub(super) fn trailer(order: &Order, exchange: &Exchange) -> Vec<u8> {
    let type_string = order_type_string();
    let length = u16::try_from(type_string.len()).unwrap_or(u16::MAX);
    [
        exchange.separator().as_slice(),
        struct_hash(order).as_slice(),
        type_string.as_bytes(),
        length.to_be_bytes().as_slice(),
    ]
    .concat()
}
