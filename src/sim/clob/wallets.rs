//! The wallets that a key may trade from: their addresses follow from the key by CREATE2. Constants are those of the
//! published clients.

use alloy_primitives::{Address, B256, address, b256, hex, keccak256};

const PROXY_FACTORY: Address = address!("0xaB45c5A4B0c941a2F231C04C3f49182e1A254052");
const PROXY_IMPLEMENTATION: Address = address!("0x44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f");
const SAFE_FACTORY: Address = address!("0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b");
const SAFE_CODE_HASH: B256 = b256!("0x2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf");
const DEPOSIT_FACTORY: Address = address!("0x00000000000Fb5C9ADea0298D729A0CB3823Cc07");
const DEPOSIT_IMPLEMENTATION: Address = address!("0x58CA52ebe0DadfdF531Cde7062e76746de4Db1eB");
const DEPOSIT_BEACON: Address = address!("0x7A18EDfe055488A3128f01F563e5B479D92ffc3a");

/// The proxy wallet: a minimal proxy with a constructor call and its two empty words.
pub(super) fn proxy(key: Address) -> Address {
    let code = [
        hex!("3d3d606380380380913d393d73").as_slice(),
        PROXY_FACTORY.as_slice(),
        &hex!("5af4602a57600080fd5b602d8060366000396000f3363d3d373d3d3d363d73"),
        PROXY_IMPLEMENTATION.as_slice(),
        &hex!("5af43d82803e903d91602b57fd5bf352e831dd"),
        &hex!("0000000000000000000000000000000000000000000000000000000000000020"),
        &[0; 32],
    ];
    PROXY_FACTORY.create2(keccak256(key), keccak256(code.concat()))
}

/// The Gnosis Safe.
pub(super) fn safe(key: Address) -> Address {
    SAFE_FACTORY.create2(keccak256(key.into_word()), SAFE_CODE_HASH)
}

/// The two generations of deposit wallets: UUPS proxy and beacon proxy.
pub(super) fn deposits(key: Address) -> [Address; 2] {
    let arguments = [DEPOSIT_FACTORY.into_word(), key.into_word()].concat();
    // The creation code begins with the length of all that follows it: 61 bytes (82 for a beacon) and the arguments.
    let uups = [
        hex!("61007d3d8160233d3973").as_slice(),
        DEPOSIT_IMPLEMENTATION.as_slice(),
        &hex!("6009"),
        &hex!("5155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"),
        &hex!("cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"),
        &arguments,
    ];
    let beacon = [
        hex!("6100923d8160233d3973").as_slice(),
        DEPOSIT_BEACON.as_slice(),
        &hex!("60195155f3363d3d373d3d363d602036600436635c60da"),
        &hex!("1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"),
        &hex!("b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"),
        &arguments,
    ];
    let salt = keccak256(&arguments);
    [uups.concat(), beacon.concat()].map(|code| DEPOSIT_FACTORY.create2(salt, keccak256(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_wallets_follow_from_the_development_key() {
        let key = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        assert_eq!(proxy(key), address!("0x365f0CA36Ae1f641E02fE3B7743673da42A13A70"));
        assert_eq!(safe(key), address!("0xd93B25cb943D14d0d34FBaF01Fc93a0f8b5F6E47"));
        assert_eq!(
            deposits(key),
            [
                address!("0xdf8b9E8f9AB23f261F6e1B171B7454ae6E46Ba76"),
                address!("0xBc0fF067b7740Eff76C1ca93c875Ba6B890d6B50")
            ]
        );
    }
}
