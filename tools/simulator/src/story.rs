//! Choice of the people who are renamed, move, leave and return: decided once from the seed, the same for every
//! identity provider.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::book::Book;
use crate::options::Options;

/// The changes between the first sync and the end. People are drawn from one shuffled list, so in a directory of more
/// than a handful each person is changed by one phase at most.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) renamed: Vec<usize>,
    pub(crate) readdressed: Vec<usize>,
    pub(crate) leavers: Vec<usize>,
    /// The first half of the leavers, or none.
    pub(crate) returners: Vec<usize>,
    pub(crate) group_changes: Vec<GroupChange>,
    /// The group that gets a new name.
    pub(crate) group_renamed: Option<usize>,
    /// Members of the pilot group.
    pub(crate) pilot: BTreeSet<usize>,
}

#[derive(Debug)]
pub(crate) struct GroupChange {
    pub(crate) team: usize,
    pub(crate) add: Vec<usize>,
    pub(crate) remove: Vec<usize>,
}

impl Story {
    pub(crate) fn write(options: &Options, book: &Book) -> Self {
        let mut rng = StdRng::seed_from_u64(options.seed ^ 0x0005_7012);
        let mut order: Vec<usize> = (0..book.people.len()).collect();
        order.shuffle(&mut rng);
        // After the shuffle, so that the others are drawn as at every IdP.
        order.retain(|who| book.people[*who].profile.active);
        let mut draw = Draw { order, next: 0 };
        let people = book.people.len();
        let leavers = draw.take(options.leavers.unwrap_or_else(|| default_leavers(people)));
        let returners = if options.leavers_return { leavers.len().div_ceil(2) } else { 0 };
        let returners = leavers[..returners].to_vec();
        Self {
            renamed: draw.take(people.div_ceil(20)),
            readdressed: draw.take(people.div_ceil(50)),
            group_changes: group_changes(book, &leavers, &mut rng),
            group_renamed: (book.teams.len() > 1).then(|| book.teams.len() - 1),
            pilot: draw.take(3).into_iter().collect(),
            leavers,
            returners,
        }
    }
}

/// Far below the removal limit of max(10, 5 %).
fn default_leavers(people: usize) -> usize {
    if people < 4 { 1 } else { (people / 50).max(2) }
}

struct Draw {
    order: Vec<usize>,
    next: usize,
}

impl Draw {
    /// The next `count` different people; begins again when the list is used up.
    fn take(&mut self, count: usize) -> Vec<usize> {
        let count = count.min(self.order.len());
        let drawn = (0..count).map(|step| self.order[(self.next + step) % self.order.len()]).collect();
        self.next += count;
        drawn
    }
}

/// Up to ten groups gain two people and lose one; "All staff" stays whole. Leavers are not moved.
fn group_changes(book: &Book, leavers: &[usize], rng: &mut StdRng) -> Vec<GroupChange> {
    let mut changes = Vec::new();
    for (team, group) in book.teams.iter().enumerate().skip(1).take(10) {
        let mut outside: Vec<usize> =
            (0..book.people.len()).filter(|who| !group.members.contains(who) && !leavers.contains(who)).collect();
        let mut inside: Vec<usize> = group.members.iter().copied().filter(|who| !leavers.contains(who)).collect();
        outside.shuffle(rng);
        inside.shuffle(rng);
        outside.truncate(2);
        inside.truncate(usize::from(inside.len() > 2));
        if outside.is_empty() && inside.is_empty() {
            continue;
        }
        changes.push(GroupChange { team, add: outside, remove: inside });
    }
    changes
}
