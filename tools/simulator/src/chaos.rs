//! Faults of a network between an identity provider and the hub, decided by the seed alone.
//!
//! A decision depends on the seed, the step, the subject's anchor and the attempt, never on timing or on ids the hub
//! chose, so a run under chaos can be repeated.

use std::str::FromStr;

use anyhow::{Context, bail};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Possible faults. Each leaves the IdP's final state unchanged, so the hub must end in the state of a run without
/// faults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chaos {
    /// Share of writes sent twice at the same time, 0 to 1. Group creation is exempt: SCIM lets two groups share a name.
    pub duplicate: f64,
    /// Share of answers treated as lost, 0 to 1: the client sends again, or looks up what it may have created.
    pub drop_answers: f64,
    /// Independent requests go out in a shuffled order.
    pub reorder: bool,
    /// Each membership change is a request for one member, all at once, whatever the group. Not for IdPs that PUT whole
    /// groups.
    pub parallel_group_patches: bool,
}

impl Default for Chaos {
    fn default() -> Self {
        Self { duplicate: 0.1, drop_answers: 0.1, reorder: true, parallel_group_patches: true }
    }
}

impl FromStr for Chaos {
    type Err = anyhow::Error;

    /// `all`, or some of `duplicate[=0.1]`, `drop[=0.1]`, `reorder`, `parallel`, separated by commas.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::default());
        }
        let mut chaos = Self { duplicate: 0.0, drop_answers: 0.0, reorder: false, parallel_group_patches: false };
        for part in text.split(',').map(str::trim) {
            let (name, share) = match part.split_once('=') {
                Some((name, share)) => (name, share_of(share)?),
                None => (part, 0.1),
            };
            match name {
                "duplicate" => chaos.duplicate = share,
                "drop" => chaos.drop_answers = share,
                "reorder" => chaos.reorder = true,
                "parallel" => chaos.parallel_group_patches = true,
                _ => {
                    bail!("unknown chaos {name:?}; one of all, duplicate, drop, reorder, parallel")
                }
            }
        }
        Ok(chaos)
    }
}

fn share_of(text: &str) -> anyhow::Result<f64> {
    let share: f64 = text.parse().with_context(|| format!("{text:?} is not a share between 0 and 1"))?;
    if !(0.0..=1.0).contains(&share) {
        bail!("{text} is not a share between 0 and 1");
    }
    Ok(share)
}

/// The seeded decisions of one run.
#[derive(Debug)]
pub(crate) struct Dice {
    pub(crate) chaos: Chaos,
    seed: u64,
}

impl Dice {
    pub(crate) const fn new(chaos: Chaos, seed: u64) -> Self {
        Self { chaos, seed }
    }

    /// True if the answer of this attempt gets lost.
    pub(crate) fn drops(&self, step: &str, subject: &str, attempt: u32) -> bool {
        self.falls("drop", self.chaos.drop_answers, step, subject, attempt)
    }

    /// True if this attempt is sent twice.
    pub(crate) fn duplicates(&self, step: &str, subject: &str, attempt: u32) -> bool {
        self.falls("duplicate", self.chaos.duplicate, step, subject, attempt)
    }

    fn falls(&self, fault: &str, share: f64, step: &str, subject: &str, attempt: u32) -> bool {
        if share <= 0.0 {
            return false;
        }
        let key = fnv1a([fault, step, subject, &attempt.to_string()]);
        StdRng::seed_from_u64(self.seed ^ key).random_bool(share.min(1.0))
    }
}

/// FNV-1a over the parts with a separator: the same on every machine and version, unlike std's hasher.
fn fnv1a<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dice_fall_the_same_way_for_the_same_seed() {
        let one = Dice::new(Chaos::default(), 7);
        let two = Dice::new(Chaos::default(), 7);
        let mut dropped = 0;
        for n in 0..2000 {
            let subject = format!("person-{n}");
            assert_eq!(one.drops("create", &subject, 1), two.drops("create", &subject, 1));
            dropped += usize::from(one.drops("create", &subject, 1));
        }
        assert!((120..280).contains(&dropped), "a tenth of 2000 was meant, {dropped} fell");
    }

    #[test]
    fn chaos_reads_a_list_and_refuses_what_it_does_not_know() {
        let chaos: Chaos = "drop=0.5, parallel".parse().expect("a list");
        assert_eq!(chaos, Chaos { duplicate: 0.0, drop_answers: 0.5, reorder: false, parallel_group_patches: true });
        assert!("drop=2".parse::<Chaos>().is_err());
        assert!("lightning".parse::<Chaos>().is_err());
    }
}
