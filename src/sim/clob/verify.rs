//! Whether a signature is what it claims: order hashes and `ClobAuth`, encoded by hand from the published type strings, so
//! that this side does not repeat a mistake of the client's.

use alloy_primitives::{Address, B256, Signature, U256, address, keccak256};

use super::wallets;

/// The type that V2 and V3 orders are hashed with.
const ORDER_TYPE: &str = "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,\
uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)";
/// How a deposit wallet signs: an ERC-7739 envelope around the order; the order's type string follows it.
const ENVELOPE_TYPE: &str = "TypedDataSign(Order contents,string name,string version,uint256 chainId,\
address verifyingContract,bytes32 salt)";
const DOMAIN_TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const AUTH_DOMAIN_TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId)";
const AUTH_TYPE: &str = "ClobAuth(address address,string timestamp,uint256 nonce,string message)";
const AUTH_MESSAGE: &str = "This message attests that I control the given wallet";
/// Polygon.
const CHAIN: u64 = 137;

/// The contracts that orders are signed for.
pub(super) const EXCHANGE: Address = address!("0xE111180000d2663C0091e4f400237545B87B996B");
pub(super) const NEG_RISK_EXCHANGE: Address = address!("0xe2222d279d744050d28e00520010520000310F59");
pub(super) const EXCHANGE_V3: Address = address!("0xe3333700cA9d93003F00f0F71f8515005F6c00Aa");

/// What an order's signature covers.
#[derive(Clone, Debug)]
pub(super) struct OrderTerms {
    pub(super) salt: U256,
    pub(super) maker: Address,
    pub(super) signer: Address,
    pub(super) token: U256,
    pub(super) maker_amount: U256,
    pub(super) taker_amount: U256,
    /// 0 buys, 1 sells.
    pub(super) side: u8,
    /// 0 to 3.
    pub(super) signature_type: u8,
    pub(super) timestamp: U256,
    pub(super) metadata: B256,
    pub(super) builder: B256,
}

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadSignature {
    /// It fits no key, or another than the order claims.
    #[error("invalid signature")]
    Invalid,
    /// It would be right for another version of the exchange.
    #[error("order_version_mismatch")]
    Version,
    /// The maker is not a wallet of the key.
    #[error("maker address not allowed, please use the deposit wallet flow")]
    Maker,
}

/// A version of the exchange: domain version and contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Domain {
    version: &'static str,
    contract: Address,
}

impl Domain {
    /// The one that orders for a token must be signed for: the token id's bits tell the protocol.
    pub(super) fn of(token: U256, neg_risk: bool) -> Self {
        // Position ids of the newer protocol leave bits 40 to 103 at zero; CTF token ids are hashes.
        let reserved: U256 = (token >> 40_usize) & U256::from(u64::MAX);
        match (reserved.is_zero(), neg_risk) {
            (true, _) => Self { version: "3", contract: EXCHANGE_V3 },
            (false, true) => Self { version: "2", contract: NEG_RISK_EXCHANGE },
            (false, false) => Self { version: "2", contract: EXCHANGE },
        }
    }

    const ALL: [Self; 3] = [
        Self { version: "2", contract: EXCHANGE },
        Self { version: "2", contract: NEG_RISK_EXCHANGE },
        Self { version: "3", contract: EXCHANGE_V3 },
    ];

    fn separator(self) -> B256 {
        struct_hash(&[
            keccak256(DOMAIN_TYPE),
            keccak256("Polymarket CTF Exchange"),
            keccak256(self.version),
            number(CHAIN),
            self.contract.into_word(),
        ])
    }
}

impl OrderTerms {
    fn contents(&self) -> B256 {
        struct_hash(&[
            keccak256(ORDER_TYPE),
            self.salt.into(),
            self.maker.into_word(),
            self.signer.into_word(),
            self.token.into(),
            self.maker_amount.into(),
            self.taker_amount.into(),
            number(u64::from(self.side)),
            number(u64::from(self.signature_type)),
            self.timestamp.into(),
            self.metadata,
            self.builder,
        ])
    }

    /// The order id: the EIP-712 hash, whatever the signature type.
    pub(super) fn id(&self, domain: Domain) -> B256 {
        digest(domain.separator(), self.contents())
    }

    /// Checks that `key` signed this for `domain` and may act for the maker.
    pub(super) fn verify(&self, signature: &[u8], key: Address, domain: Domain) -> Result<(), BadSignature> {
        let fits = |domain| self.recover(signature, domain) == Some(key);
        if !fits(domain) {
            let other = Domain::ALL.into_iter().any(|other| other.version != domain.version && fits(other));
            return Err(if other { BadSignature::Version } else { BadSignature::Invalid });
        }
        let allowed = match self.signature_type {
            0 => self.maker == key,
            1 => self.maker == wallets::proxy(key),
            2 => self.maker == wallets::safe(key),
            _ => self.maker == self.signer && wallets::deposits(key).contains(&self.maker),
        };
        if allowed { Ok(()) } else { Err(BadSignature::Maker) }
    }

    fn recover(&self, signature: &[u8], domain: Domain) -> Option<Address> {
        if self.signature_type != 3 {
            return recover(signature, self.id(domain));
        }
        let (separator, contents) = (domain.separator(), self.contents());
        let length = u16::try_from(ORDER_TYPE.len()).ok()?.to_be_bytes();
        let trailer = [separator.as_slice(), contents.as_slice(), ORDER_TYPE.as_bytes(), length.as_slice()].concat();
        let inner = signature.strip_suffix(trailer.as_slice())?;
        let envelope = struct_hash(&[
            keccak256([ENVELOPE_TYPE, ORDER_TYPE].concat()),
            contents,
            keccak256("DepositWallet"),
            keccak256("1"),
            number(CHAIN),
            self.signer.into_word(),
            B256::ZERO,
        ]);
        recover(inner, digest(separator, envelope))
    }
}

/// Whose signature stands under a request for API credentials.
pub(super) fn recover_auth(claimed: Address, timestamp: &str, nonce: u64, signature: &[u8]) -> Option<Address> {
    let separator =
        struct_hash(&[keccak256(AUTH_DOMAIN_TYPE), keccak256("ClobAuthDomain"), keccak256("1"), number(CHAIN)]);
    let contents = struct_hash(&[
        keccak256(AUTH_TYPE),
        claimed.into_word(),
        keccak256(timestamp),
        number(nonce),
        keccak256(AUTH_MESSAGE),
    ]);
    recover(signature, digest(separator, contents))
}

fn number(value: u64) -> B256 {
    U256::from(value).into()
}

fn struct_hash(words: &[B256]) -> B256 {
    keccak256(words.iter().flat_map(|word| word.0).collect::<Vec<u8>>())
}

fn digest(separator: B256, contents: B256) -> B256 {
    keccak256([b"\x19\x01".as_slice(), separator.as_slice(), contents.as_slice()].concat())
}

fn recover(signature: &[u8], digest: B256) -> Option<Address> {
    Signature::from_raw(signature).ok()?.recover_address_from_prehash(&digest).ok()
}
