//! Addresses of the wallets that Polymarket deploys for a key, by CREATE2. Source of factories, implementations and
//! init code: the wallet derivation of `polymarket-client` 0.14.0; the addresses are the same on every chain.

use alloy_primitives::{Address, B256, FixedBytes, address, b256, hex, keccak256};

const PROXY_FACTORY: Address = address!("0xaB45c5A4B0c941a2F231C04C3f49182e1A254052");
const PROXY_IMPLEMENTATION: Address = address!("0x44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f");
const SAFE_FACTORY: Address = address!("0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b");
const SAFE_INIT_CODE_HASH: B256 = b256!("0x2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf");
const DEPOSIT_FACTORY: Address = address!("0x00000000000Fb5C9ADea0298D729A0CB3823Cc07");
const DEPOSIT_IMPLEMENTATION: Address = address!("0x58CA52ebe0DadfdF531Cde7062e76746de4Db1eB");
const DEPOSIT_BEACON: Address = address!("0x7A18EDfe055488A3128f01F563e5B479D92ffc3a");

/// The wallets of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wallets {
    /// Signature type 1.
    pub proxy: Address,
    /// Signature type 2.
    pub safe: Address,
    /// Signature type 3, deployed while the factory used an implementation of its own (UUPS).
    pub deposit_uups: Address,
    /// Signature type 3, deployed since the factory has a beacon: what new accounts get.
    pub deposit_beacon: Address,
}

/// The wallets that belong to the key with address `owner`, deployed or not.
#[must_use]
pub fn derive_wallets(owner: Address) -> Wallets {
    let deposit_args = [DEPOSIT_FACTORY.into_word().as_slice(), owner.into_word().as_slice()].concat();
    let deposit_salt = keccak256(&deposit_args);
    Wallets {
        proxy: PROXY_FACTORY.create2(keccak256(owner), keccak256(proxy_init_code())),
        safe: SAFE_FACTORY.create2(keccak256(owner.into_word()), SAFE_INIT_CODE_HASH),
        deposit_uups: DEPOSIT_FACTORY.create2(deposit_salt, keccak256(uups_init_code(&deposit_args))),
        deposit_beacon: DEPOSIT_FACTORY.create2(deposit_salt, keccak256(beacon_init_code(&deposit_args))),
    }
}

/// EIP-1167 clone whose constructor hands one empty `bytes` argument to the factory.
fn proxy_init_code() -> Vec<u8> {
    [
        hex!("3d3d606380380380913d393d73").as_slice(),
        PROXY_FACTORY.as_slice(),
        &hex!("5af4602a57600080fd5b602d8060366000396000f3363d3d373d3d3d363d73"),
        PROXY_IMPLEMENTATION.as_slice(),
        &hex!("5af43d82803e903d91602b57fd5bf352e831dd"),
        FixedBytes::<32>::with_last_byte(32).as_slice(),
        FixedBytes::<32>::ZERO.as_slice(),
    ]
    .concat()
}

/// Solady's ERC-1967 proxy with immutable arguments: the code length includes them.
fn uups_init_code(args: &[u8]) -> Vec<u8> {
    [
        init_prefix(0x003d, args).as_slice(),
        &hex!("3d8160233d3973"),
        DEPOSIT_IMPLEMENTATION.as_slice(),
        &hex!("6009"),
        &hex!("5155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"),
        &hex!("cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"),
        args,
    ]
    .concat()
}

/// Solady's ERC-1967 beacon proxy with immutable arguments.
fn beacon_init_code(args: &[u8]) -> Vec<u8> {
    [
        init_prefix(0x0052, args).as_slice(),
        &hex!("3d8160233d3973"),
        DEPOSIT_BEACON.as_slice(),
        &hex!("60195155f3363d3d373d3d363d602036600436635c60da"),
        &hex!("1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"),
        &hex!("b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"),
        args,
    ]
    .concat()
}

/// `PUSH2 <length of code and arguments>`.
fn init_prefix(code_length: u16, args: &[u8]) -> [u8; 3] {
    let length = code_length.saturating_add(u16::try_from(args.len()).unwrap_or(u16::MAX));
    let [high, low] = length.to_be_bytes();
    [0x61, high, low]
}
