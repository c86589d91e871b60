//! Secrets that machines and people present. A secret is shown once; the store keeps its SHA-256 digest.
//!
//! SHA-256 without salt or stretching is right here: a secret holds 256 random bits, so there is nothing to guess, and
//! a look-up by digest compares no secret byte by byte.

use crate::engine::error::StoreError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use rand::rngs::OsRng;
use rollcall_core::ids::CredentialId;
use rollcall_core::user_code;
use sha2::{Digest, Sha256};

/// SHA-256 of a presented secret.
pub type SecretDigest = [u8; 32];

/// The prefix tells people and secret scanners the kind of a secret.
pub const SCIM_TOKEN_PREFIX: &str = "rcs_";
pub const ACCESS_TOKEN_PREFIX: &str = "rca_";
pub const CLIENT_SECRET_PREFIX: &str = "rcc_";
pub const API_KEY_PREFIX: &str = "rck_";
pub const OPERATOR_KEY_PREFIX: &str = "rco_";
pub const OPERATOR_SESSION_PREFIX: &str = "ros_";
pub const SESSION_PREFIX: &str = "rss_";
pub const SIGN_IN_LINK_PREFIX: &str = "rcl_";
pub const SETUP_LINK_PREFIX: &str = "rcu_";
pub const RECOVERY_CODE_PREFIX: &str = "rcr_";
pub const DEVICE_CODE_PREFIX: &str = "rcd_";
pub const AGENT_ENROLMENT_PREFIX: &str = "rce_";
pub const AGENT_INSTALL_PREFIX: &str = "rci_";
/// Characters after the prefix: 256 bits.
const SECRET_CHARACTERS: usize = 43;

/// Whether the text has the form of a secret made here; a malformed one needs no look-up.
pub fn may_be_secret(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|random| {
        random.len() == SECRET_CHARACTERS
            && random.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    })
}

/// Whether a text holds something of the form of a secret made here, whatever its kind.
pub fn holds_secret(text: &str) -> bool {
    // Every prefix is an `r`, two letters and `_`.
    let begins = text.match_indices('_').filter_map(|(at, _)| at.checked_sub(3));
    let has = |begin: usize| {
        let Some(rest) = text.get(begin..) else { return false };
        let prefix = rest.get(..4).filter(|prefix| prefix.starts_with('r'));
        let whole = rest.get(..4 + SECRET_CHARACTERS);
        prefix.zip(whole).is_some_and(|(prefix, whole)| may_be_secret(whole, prefix))
    };
    begins.into_iter().any(has)
}

/// The digest under which a presented secret is looked up.
pub fn digest(secret: &str) -> SecretDigest {
    Sha256::digest(secret.as_bytes()).into()
}

/// A new secret. Its text exists only now.
pub struct NewSecret {
    pub id: CredentialId,
    pub secret: String,
}

/// A digest as it is stored.
pub(crate) fn stored_digest(bytes: Vec<u8>) -> Result<SecretDigest, StoreError> {
    bytes.try_into().map_err(|_| StoreError::database("a digest has 32 bytes"))
}

/// 256 bits from the operating system, in URL-safe characters after the prefix.
pub(crate) fn random_secret(prefix: &str) -> Result<String, StoreError> {
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(|e| StoreError::Unavailable(format!("no randomness: {e}").into()))?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// A code for people to type. It lives for minutes, and guesses of it are counted.
pub(crate) fn random_user_code() -> Result<String, StoreError> {
    let mut bytes = [0_u8; 64];
    OsRng.try_fill_bytes(&mut bytes).map_err(|e| StoreError::Unavailable(format!("no randomness: {e}").into()))?;
    // Sixty-four bytes have eight usable ones but for once in a lifetime of the universe.
    user_code::of_random(&bytes).ok_or_else(|| StoreError::Unavailable("no randomness".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_made_here_has_the_form_and_little_else_has() {
        let secret = random_secret(SCIM_TOKEN_PREFIX).expect("randomness");
        assert!(may_be_secret(&secret, SCIM_TOKEN_PREFIX), "{secret}");
        assert!(!may_be_secret(&secret, API_KEY_PREFIX));
        for other in [
            "",
            "rcs_",
            "nonsense",
            &secret[..secret.len() - 1],
            &format!("{secret}a"),
            &secret.replace("rcs_", "RCS_"),
        ] {
            assert!(!may_be_secret(other, SCIM_TOKEN_PREFIX), "{other}");
        }
        assert!(!may_be_secret(&format!("rcs_{}", "=".repeat(43)), SCIM_TOKEN_PREFIX));
    }
}
