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

/// The outcome of all claims.
pub(super) struct Settled<Owner> {
    /// The subjects that do not get their string, because its holder keeps it or an earlier claim takes it.
    pub(super) refused: Vec<usize>,
    /// The subjects that get a string because its holder gives way, and the holders.
    pub(super) given_way: Vec<(usize, Owner)>,
}

/// The subjects that do not get their string. The owners in `vacating` give up theirs in any case.
pub(super) fn refused<Owner: Copy + Eq + Hash>(
    claims: Vec<Claim<Owner>>,
    vacating: &HashSet<Owner>,
    holder: impl Fn(&str) -> Option<Owner>,
) -> Vec<usize> {
    settle(claims, vacating, holder, |_, _| false).refused
}

/// Settles all claims. An owner for whom `gives_way` is true loses the string to the claim.
///
/// All claims start as granted. A refusal may strand another claim, so the search repeats until nothing changes: a swap or
/// a longer cycle stays granted as a whole.
pub(super) fn settle<Owner: Copy + Eq + Hash>(
    mut claims: Vec<Claim<Owner>>,
    vacating: &HashSet<Owner>,
    holder: impl Fn(&str) -> Option<Owner>,
    gives_way: impl Fn(&Claim<Owner>, Owner) -> bool,
) -> Settled<Owner> {
    claims.sort_by_key(|claim| (claim.weight, claim.subject));
    let mut refused = Vec::new();
    loop {
        let mut leaving: HashMap<Owner, Weight> = HashMap::new();
        for claim in &claims {
            if let Some(owner) = claim.mover {
                leaving.entry(owner).or_insert(claim.weight);
            }
        }
        let lets_go = |claim: &Claim<Owner>, owner: Owner| {
            claim.mover == Some(owner)
                || vacating.contains(&owner)
                || leaving.get(&owner).is_some_and(|weight| *weight <= claim.weight)
        };
        let mut taken: HashSet<&str> = HashSet::new();
        let blocked = claims.iter().position(|claim| {
            let is_free = |owner| lets_go(claim, owner) || gives_way(claim, owner);
            !holder(&claim.key).is_none_or(is_free) || !taken.insert(&claim.key)
        });
        let Some(index) = blocked else {
            let given_way = |claim: &Claim<Owner>| {
                let owner = holder(&claim.key).filter(|owner| !lets_go(claim, *owner))?;
                Some((claim.subject, owner))
            };
            return Settled { refused, given_way: claims.iter().filter_map(given_way).collect() };
        };
        refused.push(claims.remove(index).subject);
    }
}
