//! Seals: the proof that a hub of this database wrote an entry of Redis, about this credential and at this time. Redis is not
//! trusted: whoever can write it would otherwise be the owner of every tenant.
//!
//! An entry is a version, a kind, the time of sealing and the life in milliseconds, an HMAC-SHA256, and the value. The code
//! covers all of it and the digest of the credential, so an entry serves no other credential, no longer than it says, and in no
//! other meaning.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use rollcall_core::clock::Clock;
use sha2::Sha256;

use super::CredentialDigest;

/// Longest life of an answer, whatever the entry says.
pub(super) const LIFE_MAX: Duration = Duration::from_secs(60);
/// Tolerated difference between the clocks of two hubs.
const SKEW_MS: i64 = 5_000;
const VERSION: u8 = 2;
/// Sets these codes apart from any other use of the key.
const CONTEXT: &[u8] = b"rollcall cache entry\0";
const CODE: usize = 32;
/// Version, kind, time of sealing, life.
const HEAD: usize = 1 + 1 + 8 + 4;

/// The secret that all hubs of one database share, and Redis does not know.
#[derive(Clone)]
pub struct SealKey([u8; 32]);

impl SealKey {
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealKey(…)")
    }
}

/// Meaning of an entry; its byte is the second one, which scripts in Redis compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The caller's value follows.
    Present = b'P' as isize,
    Absent = b'A' as isize,
    /// A tombstone.
    Revoked = b'R' as isize,
    /// The database has another answer than the one that was here.
    Refresh = b'F' as isize,
}

impl Kind {
    pub(super) const fn byte(self) -> u8 {
        self as u8
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Present, Self::Absent, Self::Revoked, Self::Refresh].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// Why an entry is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No hub of this database wrote it, or not for this credential, or somebody changed it.
    Forged,
    /// It is genuine and too old, or from the future of a wrong clock.
    Outdated,
}

impl Refused {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::Outdated => "outdated",
        }
    }
}

pub(super) struct Seals {
    /// With the key and the context already in.
    keyed: Hmac<Sha256>,
    clock: Clock,
}

impl Seals {
    pub(super) fn new(key: &SealKey, clock: Clock) -> Self {
        // HMAC pads a key with zeros to the block of its hash.
        let mut block = [0; 64];
        block[..key.0.len()].copy_from_slice(&key.0);
        let mut keyed = Hmac::<Sha256>::new(&block.into());
        keyed.update(CONTEXT);
        Self { keyed, clock }
    }

    /// An entry about this credential.
    pub(super) fn seal(&self, digest: &CredentialDigest, kind: Kind, value: &[u8], life: Duration) -> Vec<u8> {
        let mut entry = Vec::with_capacity(HEAD + CODE + value.len());
        entry.extend([VERSION, kind.byte()]);
        entry.extend(self.now().to_be_bytes());
        entry.extend(u32::try_from(life.as_millis()).unwrap_or(u32::MAX).to_be_bytes());
        let code = self.code(digest, &entry, value).finalize().into_bytes();
        entry.extend_from_slice(&code);
        entry.extend_from_slice(value);
        entry
    }

    /// The meaning and the value of an entry that is genuine and in force.
    pub(super) fn open<'e>(&self, digest: &CredentialDigest, entry: &'e [u8]) -> Result<(Kind, &'e [u8]), Refused> {
        let (head, rest) = entry.split_at_checked(HEAD).ok_or(Refused::Forged)?;
        let (code, value) = rest.split_at_checked(CODE).ok_or(Refused::Forged)?;
        self.code(digest, head, value).verify_slice(code).map_err(|_| Refused::Forged)?;
        let [VERSION, kind, times @ ..] = head else { return Err(Refused::Forged) };
        let kind = Kind::of(*kind).ok_or(Refused::Forged)?;
        let (sealed, life) = times.split_at(8);
        let sealed = i64::from_be_bytes(sealed.try_into().map_err(|_| Refused::Forged)?);
        let life = i64::from(u32::from_be_bytes(life.try_into().map_err(|_| Refused::Forged)?));
        let longest = if matches!(kind, Kind::Present | Kind::Absent) { LIFE_MAX.as_millis() as i64 } else { life };
        let age = self.now().saturating_sub(sealed);
        if age < -SKEW_MS || age >= life.min(longest) {
            return Err(Refused::Outdated);
        }
        Ok((kind, value))
    }

    fn code(&self, digest: &CredentialDigest, head: &[u8], value: &[u8]) -> Hmac<Sha256> {
        // Digest and head have fixed lengths, so the parts cannot be shifted against each other.
        let mut code = self.keyed.clone();
        code.update(digest);
        code.update(head);
        code.update(value);
        code
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta};

    const MINUTE: Duration = Duration::from_secs(60);
    const TOKEN: CredentialDigest = [7; 32];

    fn seals(key: u8, clock: &Clock) -> Seals {
        Seals::new(&SealKey::new([key; 32]), clock.clone())
    }

    fn clock() -> Clock {
        Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).expect("a time"))
    }

    #[test]
    fn s4_a_sealed_entry_opens_for_its_credential_and_its_key() {
        let clock = clock();
        let (one, other) = (seals(1, &clock), seals(2, &clock));
        for (kind, value) in
            [(Kind::Present, "{\"a\":1}"), (Kind::Absent, ""), (Kind::Revoked, ""), (Kind::Refresh, "")]
        {
            let entry = one.seal(&TOKEN, kind, value.as_bytes(), MINUTE);
            assert_eq!(one.open(&TOKEN, &entry), Ok((kind, value.as_bytes())));
            assert_eq!(one.open(&[8; 32], &entry), Err(Refused::Forged), "moved to another credential");
            assert_eq!(other.open(&TOKEN, &entry), Err(Refused::Forged), "of another database");
        }
    }

    #[test]
    fn s4_no_flipped_bit_and_no_cut_opens() {
        let seals = seals(1, &clock());
        let entry = seals.seal(&TOKEN, Kind::Present, b"{\"role\":\"admin\"}", MINUTE);
        for bit in 0..entry.len() * 8 {
            let mut flipped = entry.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(seals.open(&TOKEN, &flipped), Err(Refused::Forged), "bit {bit}");
        }
        for length in 0..entry.len() {
            assert_eq!(seals.open(&TOKEN, &entry[..length]), Err(Refused::Forged), "{length} bytes");
        }
        assert_eq!(
            seals.open(&TOKEN, b"P{\"role\":\"owner\"}"),
            Err(Refused::Forged),
            "the form of an earlier version"
        );
    }

    #[test]
    fn s4_an_entry_lives_as_long_as_it_says_and_a_minute_at_most() {
        for (kind, asked, lives) in
            [(Kind::Present, 20, 20), (Kind::Present, 3_600, 60), (Kind::Absent, 3_600, 60), (Kind::Revoked, 120, 120)]
        {
            let clock = clock();
            let seals = seals(1, &clock);
            let entry = seals.seal(&TOKEN, kind, b"", Duration::from_secs(asked));
            clock.advance(TimeDelta::seconds(lives) - TimeDelta::milliseconds(1));
            assert!(seals.open(&TOKEN, &entry).is_ok(), "{kind:?} of {asked} s");
            clock.advance(TimeDelta::milliseconds(1));
            assert_eq!(seals.open(&TOKEN, &entry), Err(Refused::Outdated), "{kind:?} of {asked} s");
            clock.advance(TimeDelta::seconds(-lives - 6));
            assert_eq!(seals.open(&TOKEN, &entry), Err(Refused::Outdated), "from a future clock");
        }
    }
}
