use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

use super::ids::Ids;
use super::order::AccountId;

/// API credentials of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The key: a UUID.
    pub key: String,
    /// The secret: 32 bytes in URL-safe base64.
    pub secret: String,
    /// The passphrase: 64 hex digits.
    pub passphrase: String,
    /// Whose they are.
    pub account: AccountId,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("account", &self.account).finish_non_exhaustive()
    }
}

/// The keys given out. An account and a nonce always get the same ones of a seed.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    by_nonce: BTreeMap<(AccountId, u64), String>,
    by_key: BTreeMap<String, Credentials>,
}

impl Keyring {
    /// New credentials; nothing when the nonce has some.
    pub(super) fn create(&mut self, ids: &Ids, account: &AccountId, nonce: u64) -> Option<Credentials> {
        let slot = (account.clone(), nonce);
        if self.by_nonce.contains_key(&slot) {
            return None;
        }
        let name = format!("{account} {nonce}");
        let credentials = Credentials {
            key: ids.fixed_uuid("api key", &name),
            secret: URL_SAFE.encode(ids.digest("api secret", &name)),
            passphrase: hex::encode(ids.digest("api passphrase", &name)),
            account: account.clone(),
        };
        self.by_nonce.insert(slot, credentials.key.clone());
        self.by_key.insert(credentials.key.clone(), credentials.clone());
        Some(credentials)
    }

    /// Those made before with this nonce.
    pub(super) fn derive(&self, account: &AccountId, nonce: u64) -> Option<&Credentials> {
        self.find(self.by_nonce.get(&(account.clone(), nonce))?)
    }

    pub(super) fn find(&self, key: &str) -> Option<&Credentials> {
        self.by_key.get(key)
    }

    pub(super) fn keys_of(&self, account: &AccountId) -> Vec<String> {
        self.by_key.values().filter(|found| found.account == *account).map(|found| found.key.clone()).collect()
    }

    pub(super) fn delete(&mut self, key: &str) {
        self.by_key.remove(key);
        self.by_nonce.retain(|_, held| held != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_has_one_key_and_it_stays_the_same() {
        let (mut keyring, ids) = (Keyring::default(), Ids::new(1));
        let account = AccountId::new("0xabc");
        let made = keyring.create(&ids, &account, 0).expect("new");
        assert!(keyring.create(&ids, &account, 0).is_none());
        assert_eq!(keyring.derive(&account, 0), Some(&made));
        assert!(keyring.derive(&account, 1).is_none());
        keyring.delete(&made.key);
        assert!(keyring.find(&made.key).is_none());
        assert_eq!(keyring.create(&ids, &account, 0).expect("again"), made);
        assert!(!format!("{made:?}").contains(&made.secret));
    }
}
