//! The agent's identity: its key, bound to the machine and account that made it (DA4, DA12).

use crate::exit::{Exit, Failure};
use crate::place::{beside, machine, read_private, write_private};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use rollcall_snapshot::SigningKey;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file of the key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    key_id: String,
    /// 32 bytes in base64.
    seed: String,
    machine: String,
}

pub(crate) struct Identity {
    pub(crate) key: SigningKey,
    pub(crate) key_id: String,
    pub(crate) machine: String,
}

/// A key that the hub does not know yet.
pub(crate) struct NewIdentity {
    seed: [u8; 32],
    pub(crate) key: SigningKey,
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Exit::Internal.because("the system gives no randomness."))?;
    Ok(bytes)
}

impl NewIdentity {
    pub(crate) fn make() -> Result<Self, Failure> {
        let seed = random()?;
        Ok(Self { seed, key: SigningKey::of_seed(&seed) })
    }

    /// Keeps the key, once the hub has given it an id.
    pub(crate) fn keep(self, config: &Path, key_id: &str) -> Result<Identity, Failure> {
        let stored = Stored { key_id: key_id.to_owned(), seed: STANDARD.encode(self.seed), machine: machine() };
        let text = toml::to_string(&stored).map_err(|error| Exit::Internal.because(error.to_string()))?;
        write_private(&path(config), &text)?;
        Ok(Identity { key: self.key, key_id: stored.key_id, machine: stored.machine })
    }
}

pub(crate) fn path(config: &Path) -> PathBuf {
    beside(config, ".key")
}

impl Identity {
    pub(crate) fn load(config: &Path) -> Result<Self, Failure> {
        let path = path(config);
        if !path.exists() {
            return Err(Exit::Config.because(format!("there is no key at {}: run setup.", path.display())));
        }
        let text = read_private(&path)?;
        let wrong = || Exit::Config.because(format!("{} is no key: run setup again.", path.display()));
        let stored: Stored = toml::from_str(&text).map_err(|_| wrong())?;
        if stored.machine != machine() {
            let why = "the key was made on another machine or by another account, and makes no second identity here.";
            return Err(Exit::OtherMachine.because(why));
        }
        let seed: Option<[u8; 32]> = STANDARD.decode(&stored.seed).ok().and_then(|seed| seed.try_into().ok());
        let key = SigningKey::of_seed(&seed.ok_or_else(wrong)?);
        Ok(Self { key, key_id: stored.key_id, machine: stored.machine })
    }
}
