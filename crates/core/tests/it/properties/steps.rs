//! The steps of random histories, and the policies under which they are played.

use proptest::prelude::*;
use rollcall_core::policy::{GroupScope, Limit, OnDeleted, Onboarding, OverLimit, Policy};

/// Few, so that people collide; two of them are one address.
pub(super) const ADDRESSES: [&str; 6] = ["ann@x", "bob@x", "ANN@X", "cy@x", "stra\u{df}e@x", "STRASSE@x"];
pub(super) const NAMES: [&str; 4] = ["Design", "design ", "Sales", "Everyone"];

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create {
        second_source: bool,
        email: Option<usize>,
        anchor: Option<u8>,
        active: bool,
    },
    Mail {
        user: usize,
        email: Option<usize>,
    },
    Tombstone {
        user: usize,
    },
    Name {
        user: usize,
        name: u8,
    },
    Active {
        user: usize,
        active: bool,
    },
    Delete {
        user: usize,
    },
    /// A person of the roster leaves, and another one gets the address.
    Reissue {
        user: usize,
        deleted: bool,
    },
    /// A person of the roster leaves and comes back by another record of the same external id.
    Again {
        user: usize,
        email: Option<usize>,
        deleted: bool,
    },
    /// The address of a person of the roster is put right, and the person disabled.
    Correct {
        user: usize,
        email: usize,
    },
    /// A record that another one of the same person replaced is enabled again.
    Revive {
        member: usize,
    },
    /// A person whose address went to another one is enabled again, with a new address.
    Return {
        member: usize,
        email: usize,
    },
    CreateGroup {
        second_source: bool,
        name: usize,
    },
    RenameGroup {
        group: usize,
        name: usize,
    },
    DeleteGroup {
        group: usize,
    },
    Membership {
        group: usize,
        user: usize,
        inside: bool,
    },
    ByHand {
        email: usize,
    },
    Promote {
        member: usize,
        billing: bool,
    },
    /// The policy protects one member from now on.
    Protect {
        member: usize,
    },
    Accept {
        member: usize,
    },
    Decide {
        member: usize,
        approve: bool,
    },
    Block {
        member: usize,
        block: bool,
    },
    /// An admin invites the person of an address.
    Invite {
        email: usize,
        admin: bool,
    },
    /// An admin takes out a member who was made by hand.
    TakeOut {
        member: usize,
    },
    Seats(u32),
    /// The guards' window passes.
    Window,
    /// An admin sets the scope of users; `None`: everybody.
    Scope(Option<usize>),
    Mode {
        simulate: bool,
    },
    /// The worker takes this many changes.
    Run(usize),
}

/// The steps that a property allows.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Sources send external ids; otherwise none does.
    pub(crate) anchors: bool,
    pub(crate) runs: bool,
    /// Mode changes and a second source.
    pub(crate) simulation: bool,
    /// The policy's user scope changes.
    pub(crate) scopes: bool,
}

pub(crate) fn steps(shape: Shape, count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    // A worker often looks at once, so that what follows from a departure is seen before the next one.
    let looks = (step(shape), any::<bool>()).prop_map(move |(step, looks)| {
        let departs =
            matches!(step, Step::Reissue { .. } | Step::Again { .. } | Step::Correct { .. } | Step::Revive { .. });
        let runs = if looks && departs && shape.runs { 2 } else { 0 };
        std::iter::once(step).chain(std::iter::repeat_n(Step::Run(20), runs)).collect::<Vec<_>>()
    });
    prop::collection::vec(looks, count).prop_map(|steps| steps.into_iter().flatten().collect())
}

fn step(shape: Shape) -> impl Strategy<Value = Step> {
    let any_place = || 0..64_usize;
    let email = || prop::option::weighted(0.95, 0..ADDRESSES.len());
    let anchor = if shape.anchors { prop::option::weighted(0.9, 0..5_u8).boxed() } else { Just(None).boxed() };
    let second = if shape.simulation { prop::bool::weighted(0.4).boxed() } else { Just(false).boxed() };
    let create = (second.clone(), email(), anchor, prop::bool::weighted(0.85))
        .prop_map(|(second_source, email, anchor, active)| Step::Create { second_source, email, anchor, active });
    let create_group =
        (second, 0..NAMES.len()).prop_map(|(second_source, name)| Step::CreateGroup { second_source, name });
    let membership = (any_place(), any_place(), prop::bool::weighted(0.8));
    let never = || Just(Step::Window).boxed();
    let mode = any::<bool>().prop_map(|simulate| Step::Mode { simulate });
    let mode = if shape.simulation { mode.boxed() } else { never() };
    let scope = prop::option::weighted(0.5, 0..NAMES.len()).prop_map(Step::Scope);
    let scope = if shape.scopes { scope.boxed() } else { never() };
    let run = if shape.runs { (1..8_usize).prop_map(Step::Run).boxed() } else { never() };
    prop_oneof![
        8 => create,
        5 => (any_place(), email()).prop_map(|(user, email)| Step::Mail { user, email }),
        1 => any_place().prop_map(|user| Step::Tombstone { user }),
        1 => (any_place(), 0..3_u8).prop_map(|(user, name)| Step::Name { user, name }),
        4 => (any_place(), any::<bool>()).prop_map(|(user, active)| Step::Active { user, active }),
        3 => any_place().prop_map(|user| Step::Delete { user }),
        3 => (any_place(), any::<bool>()).prop_map(|(user, deleted)| Step::Reissue { user, deleted }),
        3 => (any_place(), email(), prop::bool::weighted(0.3))
            .prop_map(|(user, email, deleted)| Step::Again { user, email, deleted }),
        2 => (any_place(), 0..ADDRESSES.len()).prop_map(|(user, email)| Step::Correct { user, email }),
        4 => any_place().prop_map(|member| Step::Revive { member }),
        3 => (any_place(), 0..ADDRESSES.len()).prop_map(|(member, email)| Step::Return { member, email }),
        2 => create_group,
        2 => (any_place(), 0..NAMES.len()).prop_map(|(group, name)| Step::RenameGroup { group, name }),
        1 => any_place().prop_map(|group| Step::DeleteGroup { group }),
        4 => membership.prop_map(|(group, user, inside)| Step::Membership { group, user, inside }),
        1 => (0..ADDRESSES.len()).prop_map(|email| Step::ByHand { email }),
        1 => (any_place(), any::<bool>()).prop_map(|(member, billing)| Step::Promote { member, billing }),
        1 => any_place().prop_map(|member| Step::Protect { member }),
        2 => any_place().prop_map(|member| Step::Accept { member }),
        2 => (any_place(), any::<bool>()).prop_map(|(member, approve)| Step::Decide { member, approve }),
        2 => (any_place(), prop::bool::weighted(0.6)).prop_map(|(member, block)| Step::Block { member, block }),
        1 => (0..6_u32).prop_map(Step::Seats),
        1 => Just(Step::Window),
        1 => scope,
        1 => mode,
        6 => run,
    ]
}

/// A history in which an admin blocks and unblocks members as well.
pub(crate) fn with_blocks(history: impl Strategy<Value = Vec<Step>>) -> impl Strategy<Value = Vec<Step>> {
    let block = (0..64_usize, 0..64_usize, prop::bool::weighted(0.6));
    (history, prop::collection::vec(block, 1..8)).prop_map(|(mut history, blocks)| {
        for (place, member, block) in blocks {
            history.insert(place % (history.len() + 1), Step::Block { member, block });
        }
        history
    })
}

/// A history in which an admin invites people by hand and takes them out as well.
pub(crate) fn with_invitations(history: impl Strategy<Value = Vec<Step>>) -> impl Strategy<Value = Vec<Step>> {
    let invite =
        (0..ADDRESSES.len(), prop::bool::weighted(0.2)).prop_map(|(email, admin)| Step::Invite { email, admin });
    let by_hand = prop_oneof![3 => invite, 2 => (0..64_usize).prop_map(|member| Step::TakeOut { member })];
    (history, prop::collection::vec((0..64_usize, by_hand), 1..10)).prop_map(|(mut history, steps)| {
        for (place, step) in steps {
            history.insert(place % (history.len() + 1), step);
        }
        history
    })
}

/// The people of one group, whatever the case and spacing of its name.
pub(crate) fn scope_of(name: usize) -> GroupScope {
    GroupScope { names: vec![NAMES[name].to_owned()], ..GroupScope::default() }
}

/// Any policy, with limits that a handful of people can reach.
pub(crate) fn policies() -> impl Strategy<Value = Policy> {
    let switches = (prop::bool::weighted(0.85), prop::bool::weighted(0.85), prop::bool::weighted(0.2), any::<bool>());
    let limits = (0..5_u32, prop::option::weighted(0.2, 0..4_u32), prop::option::weighted(0.2, 0..4_u32));
    let limit = |count| Limit { count, percent: 0, ..Limit::default() };
    let disabled = prop_oneof![5 => Just(OnDeleted::Suspend), 1 => Just(OnDeleted::Remove)];
    let outside = prop_oneof![3 => Just(OnDeleted::Suspend), 1 => Just(OnDeleted::Remove)];
    let scope = (prop::option::weighted(0.2, 0..NAMES.len()), outside);
    let seats = (disabled, prop::option::weighted(0.2, 0..8_u32), scope);
    (switches, any::<bool>(), any::<bool>(), any::<bool>(), limits, seats).prop_map(
        move |((auto_provision, auto_deprovision, approval, adopt_existing), invite, remove, hold, limits, seats)| {
            Policy {
                on_disabled: seats.0,
                seat_cap: seats.1,
                user_scope: seats.2.0.map(scope_of),
                on_out_of_scope: seats.2.1,
                auto_provision,
                auto_deprovision,
                approval,
                adopt_existing,
                onboarding: if invite { Onboarding::Invite } else { Onboarding::Federated },
                on_deleted: if remove { OnDeleted::Remove } else { OnDeleted::Suspend },
                over_limit: if hold { OverLimit::Hold } else { OverLimit::SuspendOnly },
                removal_limit: limit(limits.0),
                creation_limit: limits.1.map(limit),
                modification_limit: limits.2.map(limit),
                ..Policy::default()
            }
        },
    )
}
