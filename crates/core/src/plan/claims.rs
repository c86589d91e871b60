//! Unique strings, such as addresses and group names: the subjects that may take one when several want it, or another has
//! it.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Order of claims: a claim that is withheld or simulated takes nothing from one that is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Live,
    Withheld,
    Simulated,
}

/// A unique string that a subject wants and does not have yet.
pub(super) struct Claim<Owner> {
    /// The subject's index in its list. Among equal weights, the earliest announced subject wins.
    pub(super) subject: usize,
    pub(super) key: String,
    /// The owner that gives up another string by this claim.
    pub(super) mover: Option<Owner>,
    pub(super) weight: Weight,
}

/// The subjects that do not get their string, because its holder keeps it or an earlier claim takes it. The owners in
/// `vacating` give up theirs in any case.
///
/// All claims start as granted. A refusal may strand another claim, so the search repeats until nothing changes: a swap or
/// a longer cycle stays granted as a whole.
pub(super) fn refused<Owner: Copy + Eq + Hash>(
    mut claims: Vec<Claim<Owner>>,
    vacating: &HashSet<Owner>,
    holder: impl Fn(&str) -> Option<Owner>,
) -> Vec<usize> {
    claims.sort_by_key(|claim| (claim.weight, claim.subject));
    let mut refused = Vec::new();
    loop {
        let mut leaving: HashMap<Owner, Weight> = HashMap::new();
        for claim in &claims {
            if let Some(owner) = claim.mover {
                leaving.entry(owner).or_insert(claim.weight);
            }
        }
        let mut taken: HashSet<&str> = HashSet::new();
        let blocked = claims.iter().position(|claim| {
            let let_go = |owner: Owner| {
                claim.mover == Some(owner)
                    || vacating.contains(&owner)
                    || leaving.get(&owner).is_some_and(|weight| *weight <= claim.weight)
            };
            !holder(&claim.key).is_none_or(let_go) || !taken.insert(&claim.key)
        });
        match blocked {
            Some(index) => refused.push(claims.remove(index).subject),
            None => return refused,
        }
    }
}
