//! Ed25519 keys of agents. The private key is a seed of 32 random bytes that never leaves its machine.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// The text before a public key in the proof that its maker holds the private one.
const PROOF: &str = "rollcall-agent-key-1\n";

/// The key with which an agent signs.
pub struct SigningKey(Ed25519KeyPair);

/// The key by which the hub knows an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

/// A public key as people compare it: `SHA256:` and the base64 of its digest.
pub type Fingerprint = String;

impl SigningKey {
    /// The key of 32 random bytes.
    ///
    /// # Panics
    /// Never: every 32 bytes are a seed.
    pub fn of_seed(seed: &[u8; 32]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed has 32 bytes"))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().try_into().expect("32 bytes"))
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }

    /// The proof that this key's holder asks for it to be enrolled with this secret, or under this key.
    pub fn proof(&self, bound_to: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.sign(&proof_message(&self.public(), bound_to)))
    }
}

fn proof_message(key: &PublicKey, bound_to: &str) -> Vec<u8> {
    let bound = Sha256::digest(bound_to.as_bytes());
    [PROOF.as_bytes(), &key.0, &bound[..]].concat()
}

impl PublicKey {
    /// Reads base64 in the alphabet of URLs, without padding.
    pub fn of_text(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub fn fingerprint(&self) -> Fingerprint {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(self.0)))
    }

    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }

    /// Whether the proof of [`SigningKey::proof`] is right.
    pub fn is_proven(&self, bound_to: &str, proof: &str) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(proof).unwrap_or_default();
        self.verifies(&proof_message(self, bound_to), &signature)
    }
}
