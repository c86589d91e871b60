//! Secrets that the hub has to present itself, such as the client secret of a tenant's identity provider, sealed in the database by
//! XChaCha20-Poly1305. The keys come from the operator, so a copy of the database alone opens nothing.

use crate::engine::error::StoreError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes that name the key of a sealed text.
const NAME: usize = 4;
const NONCE: usize = 24;
/// The first byte of a sealed text: its form.
const FORM: u8 = 1;

/// The keys of a process: the first seals, all open. Cheap to clone.
#[derive(Clone)]
pub struct SealingKeys(Arc<Vec<SealingKey>>);

struct SealingKey {
    name: [u8; NAME],
    cipher: XChaCha20Poly1305,
}

impl SealingKey {
    fn of(bytes: &[u8; KEY]) -> Self {
        let mut name = [0; NAME];
        name.copy_from_slice(&Sha256::digest(bytes)[..NAME]);
        Self { name, cipher: XChaCha20Poly1305::new(bytes.into()) }
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKeys({})", self.0.len())
    }
}

/// Keys as text: base64 of 32 bytes each, divided by white space or commas.
impl FromStr for SealingKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for word in text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
            let bytes = STANDARD.decode(word).ok().and_then(|bytes| <[u8; KEY]>::try_from(bytes).ok());
            let bytes =
                bytes.ok_or("a sealing key is the base64 of 32 bytes: `rollcall sealing-key new` prints one")?;
            keys.push(SealingKey::of(&bytes));
        }
        if keys.is_empty() {
            return Err("there is no sealing key: `rollcall sealing-key new` prints one".into());
        }
        Ok(Self(Arc::new(keys)))
    }
}

impl SealingKeys {
    /// A new key as text.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the system gives no randomness.
    pub fn new_key() -> Result<String, StoreError> {
        let mut bytes = [0; KEY];
        randomly(&mut bytes)?;
        Ok(STANDARD.encode(bytes))
    }

    /// Seals a text for one place. It opens for the same place alone, so a sealed text that is copied elsewhere is worth nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the system gives no randomness.
    pub fn seal(&self, place: &str, text: &[u8]) -> Result<Vec<u8>, StoreError> {
        let [first, ..] = self.0.as_slice() else { return Err(StoreError::database("there is no sealing key")) };
        let mut nonce = [0; NONCE];
        randomly(&mut nonce)?;
        let payload = Payload { msg: text, aad: place.as_bytes() };
        let sealed = first.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| StoreError::database("a text cannot be sealed"))?;
        Ok([&[FORM], first.name.as_slice(), &nonce, &sealed].concat())
    }

    /// Opens a text that was sealed for this place; `None` where no key of this process does.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (form, rest) = sealed.split_first()?;
        let (name, rest) = rest.split_at_checked(NAME)?;
        let (nonce, text) = rest.split_at_checked(NONCE)?;
        let nonce = XNonce::from(<[u8; NONCE]>::try_from(nonce).ok()?);
        let key = self.0.iter().find(|key| *form == FORM && key.name == name)?;
        key.cipher.decrypt(&nonce, Payload { msg: text, aad: place.as_bytes() }).ok()
    }

    /// True for a text that the first key sealed.
    pub(crate) fn is_sealed_by_first(&self, sealed: &[u8]) -> bool {
        self.0.first().is_some_and(|key| sealed.get(1..=NAME) == Some(&key.name))
    }
}

fn randomly(bytes: &mut [u8]) -> Result<(), StoreError> {
    OsRng.try_fill_bytes(bytes).map_err(|error| StoreError::Unavailable(format!("no randomness: {error}").into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> SealingKeys {
        text.parse().expect("keys")
    }

    #[test]
    fn a_sealed_text_opens_in_its_place_with_its_key_and_nowhere_else() {
        let (old, new) = (SealingKeys::new_key().expect("a key"), SealingKeys::new_key().expect("a key"));
        let before = keys(&old);
        let sealed = before.seal("here", b"secret").expect("sealed");
        assert_eq!(before.open("here", &sealed).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(before.open("there", &sealed), None);
        assert_eq!(keys(&new).open("here", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(before.open("here", &changed), None, "byte {at}");
            assert_eq!(before.open("here", &sealed[..at]), None, "cut at {at}");
        }
        let after = keys(&format!("{new},\n{old}"));
        assert_eq!(after.open("here", &sealed).as_deref(), Some(b"secret".as_slice()));
        assert!(!after.is_sealed_by_first(&sealed) && before.is_sealed_by_first(&sealed));
        assert_ne!(sealed, before.seal("here", b"secret").expect("sealed"), "a nonce is used once");
    }

    #[test]
    fn a_text_that_is_no_key_is_refused_and_not_shown() {
        for text in ["", " ,", "secret", "c2hvcnQ="] {
            let refused = text.parse::<SealingKeys>().expect_err("no key");
            assert!(refused.contains("rollcall sealing-key") && !refused.contains("c2hvcnQ"), "{refused}");
        }
    }
}
