use alloy_primitives::Address;

use super::deposit::{INNER, trailer};
use super::{Exchange, Order, RecoverError, SignatureType, derive_wallets, recover, signed_digest};

/// Why a signed order is not what it claims to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A signature type that does not exist.
    #[error("signature type {0} is not 0, 1, 2 or 3")]
    Type(u8),
    /// A deposit wallet's signature whose outer part does not belong to this order and exchange.
    #[error("the wrapped signature belongs to another order, exchange or type")]
    Wrapper,
    /// Nobody can be recovered from it.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// Made by a key that may not sign for this signer.
    #[error("signed by {by}, which may not sign for {signer}")]
    Signer {
        /// Who made it.
        by: Address,
        /// Who the order says signed.
        signer: Address,
    },
    /// The maker is not a wallet of the key.
    #[error("maker {maker} is not the {kind} of {by}")]
    Maker {
        /// The order's maker.
        maker: Address,
        /// Which kind of wallet it ought to be.
        kind: SignatureType,
        /// Who signed.
        by: Address,
    },
}

/// The address of the key that signed the order. Says nothing about whether that key may.
///
/// # Errors
/// [`VerifyError::Type`], [`VerifyError::Wrapper`], [`VerifyError::Recover`]
pub fn recover_owner(order: &Order, exchange: &Exchange, signature: &[u8]) -> Result<Address, VerifyError> {
    let kind = SignatureType::from_code(order.signatureType).ok_or(VerifyError::Type(order.signatureType))?;
    let inner = match kind {
        SignatureType::Eoa | SignatureType::Proxy | SignatureType::Safe => signature,
        SignatureType::DepositWallet => {
            let (inner, outer) = signature.split_at_checked(INNER).ok_or(VerifyError::Wrapper)?;
            if outer != trailer(order, exchange) {
                return Err(VerifyError::Wrapper);
            }
            inner
        }
    };
    Ok(recover(&signed_digest(order, exchange), inner)?)
}

/// Whether the order is signed by a key that may sign for its signer and maker; gives that key's address.
///
/// # Errors
/// [`VerifyError`]
pub fn verify_order(order: &Order, exchange: &Exchange, signature: &[u8]) -> Result<Address, VerifyError> {
    let by = recover_owner(order, exchange, signature)?;
    let kind = SignatureType::from_code(order.signatureType).ok_or(VerifyError::Type(order.signatureType))?;
    let wallets = derive_wallets(by);
    let maker_fits = match kind {
        SignatureType::Eoa => order.maker == by,
        SignatureType::Proxy => order.maker == wallets.proxy,
        SignatureType::Safe => order.maker == wallets.safe,
        SignatureType::DepositWallet => [wallets.deposit_beacon, wallets.deposit_uups].contains(&order.maker),
    };
    if !maker_fits {
        return Err(VerifyError::Maker { maker: order.maker, kind, by });
    }
    let signer_fits = match kind {
        SignatureType::DepositWallet => order.signer == order.maker,
        SignatureType::Eoa | SignatureType::Proxy | SignatureType::Safe => order.signer == by,
    };
    if signer_fits { Ok(by) } else { Err(VerifyError::Signer { by, signer: order.signer }) }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{B256, U256};

    use super::super::{Contracts, LocalKey, sign_order};
    use super::*;
    use crate::domain::Protocol;

    fn order(maker: Address, signer: Address, kind: u8) -> Order {
        Order {
            salt: U256::from(7),
            maker,
            signer,
            tokenId: U256::from(1_u64 << 50),
            makerAmount: U256::from(5_000_000),
            takerAmount: U256::from(10_000_000),
            side: 0,
            signatureType: kind,
            timestamp: U256::from(1_795_348_800_000_u64),
            metadata: B256::ZERO,
            builder: B256::ZERO,
        }
    }

    #[test]
    fn every_wallet_of_the_key_verifies_and_no_other() {
        let exchange = Contracts::of(137).expect("polygon").exchange(Protocol::V2, false);
        let other_exchange = Contracts::of(137).expect("polygon").exchange(Protocol::V3, false);
        let key = LocalKey::from_hex(&"11".repeat(32)).expect("key");
        let stranger = LocalKey::from_hex(&"22".repeat(32)).expect("key");
        let wallets = derive_wallets(key.address());
        for (kind, maker, signer) in [
            (0, key.address(), key.address()),
            (1, wallets.proxy, key.address()),
            (2, wallets.safe, key.address()),
            (3, wallets.deposit_beacon, wallets.deposit_beacon),
            (3, wallets.deposit_uups, wallets.deposit_uups),
        ] {
            let order = order(maker, signer, kind);
            let signature = sign_order(&order, &exchange, &key).expect("signs");
            assert_eq!(verify_order(&order, &exchange, &signature), Ok(key.address()), "type {kind}");
            let forged = sign_order(&order, &exchange, &stranger).expect("signs");
            assert!(verify_order(&order, &exchange, &forged).is_err(), "type {kind}");
            assert!(verify_order(&order, &other_exchange, &signature).is_err(), "type {kind}");
            let mut changed = order.clone();
            changed.makerAmount += U256::from(1);
            assert!(verify_order(&changed, &exchange, &signature).is_err(), "type {kind}");
            assert!(verify_order(&order, &exchange, &signature[..30]).is_err(), "type {kind}");
        }
    }

    #[test]
    fn a_signer_that_is_not_the_key_and_an_unknown_type_are_named() {
        let exchange = Contracts::of(137).expect("polygon").exchange(Protocol::V2, false);
        let key = LocalKey::from_hex(&"11".repeat(32)).expect("key");
        let stranger = Address::repeat_byte(9);
        let odd = order(key.address(), stranger, 0);
        let signature = sign_order(&odd, &exchange, &key).expect("signs");
        let refused = verify_order(&odd, &exchange, &signature);
        assert_eq!(refused, Err(VerifyError::Signer { by: key.address(), signer: stranger }));
        let odd = order(key.address(), key.address(), 4);
        assert_eq!(verify_order(&odd, &exchange, &signature), Err(VerifyError::Type(4)));
    }
}
