//! Properties of every history, under any policy.

mod blocks;
mod groups;
mod history;
mod invitations;
mod occurrence;
mod rewind;
mod steps;

use crate::model::{Hub, Touch, scim};
use history::{Player, second_source};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rollcall_core::directory::SourceMode;
use rollcall_core::email::fold;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, MemberId};
use rollcall_core::policy::{Limit, OnDeleted, Onboarding, Policy};
use rollcall_core::roster::{MemberState, MemberStatus, WaitingFor};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use steps::{Shape, Step, policies, scope_of, steps};

const ANY: Shape = Shape { anchors: true, runs: true, simulation: true, scopes: true };
const UNANCHORED: Shape = Shape { anchors: false, ..ANY };
const LIVE: Shape = Shape { simulation: false, ..ANY };

/// The same histories every time, unless `PROPTEST_RNG_SEED` is set.
fn config(cases: u32) -> ProptestConfig {
    let mut config =
        ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(20_261_122);
    }
    config
}

fn any_history() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![steps(ANY, 5..60), steps(UNANCHORED, 5..60)]
}

/// A member's state without its random id.
type Face =
    (MemberStatus, Option<MemberStatus>, Option<WaitingFor>, bool, bool, String, Option<String>, Option<String>);

fn face(member: &MemberState) -> Face {
    let profile = member.profile.clone();
    let waits = (member.status, member.suspended_from, member.waiting_for);
    // A removed member holds no address, so it makes no difference whether the address was given on before or after.
    let given_on = member.gave_up().filter(|_| member.status != MemberStatus::Removed);
    let email = given_on.map_or(member.own_address().to_owned(), |former| format!("({former})"));
    (waits.0, waits.1, waits.2, member.seated, member.held, email, profile.external_id, profile.display_name)
}

/// Members by their record, unmanaged members by their id, and groups by their record with their people.
#[derive(Debug, PartialEq, Eq)]
struct Roster {
    linked: BTreeMap<DirectoryUserId, Face>,
    by_hand: BTreeMap<MemberId, Face>,
    groups: BTreeMap<DirectoryGroupId, (String, BTreeSet<DirectoryUserId>)>,
}

fn roster(hub: &Hub) -> Roster {
    let linked = hub.members.values().filter_map(|member| Some((member.directory_user?, face(member)))).collect();
    let by_hand = hub.members.values().filter(|member| member.directory_user.is_none());
    let mut groups: BTreeMap<DirectoryGroupId, (String, BTreeSet<DirectoryUserId>)> = BTreeMap::new();
    for (id, group) in hub.sharing_groups.iter().filter(|(_, group)| !group.removed) {
        let inside = hub.group_members.iter().filter(|(group, _)| group == id);
        let people = inside.filter_map(|(_, member)| hub.members[member].directory_user).collect();
        groups.insert(group.directory_group.expect("only sources make groups here"), (group.name.clone(), people));
    }
    Roster { linked, by_hand: by_hand.map(|member| (member.id, face(member))).collect(), groups }
}

/// A chunk size for each turn, drawn from a list that repeats.
fn sizes(list: Vec<usize>) -> impl FnMut(usize) -> usize {
    let mut next = list.into_iter().cycle();
    move |waiting| next.next().unwrap_or(waiting)
}

/// The step as the last word about its people that leaves them with an address and access.
fn wanted(step: Step) -> Option<Step> {
    match step {
        Step::Create { second_source, email, anchor, .. } => {
            Some(Step::Create { second_source, email: email.or(Some(0)), anchor, active: true })
        }
        Step::Mail { email: None, .. } | Step::Tombstone { .. } | Step::Active { active: false, .. } => None,
        Step::Correct { .. } => None,
        Step::Reissue { user, .. } => Some(Step::Reissue { user, deleted: true }),
        Step::Again { user, email, .. } => Some(Step::Again { user, email: email.or(Some(0)), deleted: true }),
        other => Some(other),
    }
}

/// The same marks in another order, some of them twice.
fn shuffled(changes: impl IntoIterator<Item = Touch>, keys: &[u16]) -> Vec<Touch> {
    let twice = changes.into_iter().enumerate().flat_map(|(n, touch)| {
        let copies = if keys[n % keys.len()].is_multiple_of(3) { 2 } else { 1 };
        std::iter::repeat_n(touch, copies)
    });
    let mut keyed: Vec<(u16, Touch)> =
        twice.enumerate().map(|(n, touch)| (keys[(n * 7 + 3) % keys.len()], touch)).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, touch)| touch).collect()
}

/// Seats, admins and billing contacts, which a run may never make worse.
struct Before {
    seats: u32,
    seats_used: i64,
    admins: usize,
    billing_contacts: usize,
    unmanaged: HashMap<MemberId, MemberState>,
    /// Those in `protected_members` who have not left.
    protected: Vec<MemberState>,
    /// Owners and admins whom no owner agreed to change, without those whom Rollcall itself lets in.
    privileged: Vec<MemberState>,
    /// Those whom an admin blocked, with the status that the block found.
    blocked: Vec<(MemberId, Option<MemberStatus>)>,
}

impl Before {
    fn of(hub: &Hub) -> Self {
        let gone = |member: &MemberState| matches!(member.status, MemberStatus::Suspended | MemberStatus::Removed);
        let protected = hub.policy.protected_members.iter().map(|id| &hub.members[id]).filter(|m| !gone(m));
        let kept = |member: &&MemberState| !hub.owner_agrees && member.is_privileged() && member.waiting_for.is_none();
        let privileged = hub.members.values().filter(kept);
        Self {
            seats: hub.seats,
            seats_used: hub.seats_used,
            admins: hub.members.values().filter(|member| member.is_active_admin()).count(),
            billing_contacts: hub.members.values().filter(|member| member.is_active_billing_contact()).count(),
            unmanaged: hub.members.values().filter(|m| m.managed_by.is_none()).map(|m| (m.id, m.clone())).collect(),
            protected: protected.cloned().collect(),
            privileged: privileged.cloned().collect(),
            blocked: hub.members.values().filter(|m| m.is_blocked()).map(|m| (m.id, m.blocked_from)).collect(),
        }
    }

    fn check(&self, hub: &Hub) {
        let after = Self::of(hub);
        assert!(after.seats_used <= self.seats_used.max(i64::from(hub.seats)), "DA8: {} seats", after.seats_used);
        let cap = hub.policy.seats_at_most(self.seats);
        assert!((self.seats..=cap).contains(&after.seats), "PE3: {} of {cap} seats", after.seats);
        assert!(self.admins == 0 || after.admins > 0, "DA7: no admin is left");
        assert!(self.billing_contacts == 0 || after.billing_contacts > 0, "DA7: no billing contact is left");
        for before in &self.protected {
            let after = hub.members[&before.id].status;
            let stays = !matches!(after, MemberStatus::Suspended | MemberStatus::Removed);
            assert!(stays, "DA7: the protected {before:?} is {after}");
        }
        for before in &self.privileged {
            let account = |m: &MemberState| (m.profile.email.clone(), m.status, m.role, m.managed_by, m.directory_user);
            assert_eq!(account(before), account(&hub.members[&before.id]), "S5: no owner approved it");
        }
        assert_eq!(after.blocked, self.blocked, "DW9: only an admin blocks and unblocks");
        for (id, before) in &self.unmanaged {
            let after = &hub.members[id];
            // Rollcall itself gives a seat to whom an admin invited.
            let waited = before.waiting_for == Some(WaitingFor::Seat);
            assert!(waited || after.managed_by.is_some() || after == before, "DX1: {before:?} became {after:?}");
        }
    }
}

fn play_checked(player: &mut Player, steps: &[Step]) {
    let before = std::cell::RefCell::new(None);
    let mut note = |hub: &Hub| *before.borrow_mut() = Some(Before::of(hub));
    let mut check = |hub: &Hub| before.borrow().as_ref().expect("noted before").check(hub);
    player.play(steps, &mut note, &mut check);
}

proptest! {
    #![proptest_config(config(150))]

    /// After every single run, in any chunks: the unique indexes and the counts ([`Hub::check`]), seats, admins,
    /// billing contacts, unmanaged members.
    #[test]
    fn da7_da8_dx1_s5_invariants_hold_after_every_run(
        policy in policies(), seats in 1..6_u32, history in any_history(), owner_agrees in any::<bool>(),
    ) {
        let mut player = Player::new(policy, seats);
        player.hub.owner_agrees = owner_agrees;
        play_checked(&mut player, &history);
    }

    /// Once no work is left, touching everything again does nothing: no wake-up was forgotten (a dispute that could be
    /// settled, a free seat, a membership), and the plan after an apply is empty. Only the passing of time wakes
    /// nobody: an item that a limit held back may be applied when the person is touched in the next window.
    #[test]
    fn a_hub_at_rest_stays_at_rest(
        policy in policies(), seats in 1..6_u32, history in any_history(), chunks in prop::collection::vec(1..20_usize, 1..5),
        owner_agrees in any::<bool>(),
    ) {
        let mut player = Player::new(policy, seats);
        player.hub.owner_agrees = owner_agrees;
        let one_window: Vec<Step> = history.into_iter().filter(|step| !matches!(step, Step::Window)).collect();
        play_checked(&mut player, &one_window);
        let mut hub = player.hub;
        hub.settle_in_chunks(&mut sizes(chunks.clone()));
        let rested = hub.clone();
        hub.touch_everything();
        let again = hub.settle_in_chunks(&mut sizes(chunks));
        prop_assert_eq!(&again.applied, &vec![]);
        prop_assert_eq!(&hub.members, &rested.members);
        hub.touch_everything();
        prop_assert_eq!(hub.settle().applied, vec![]);
    }

    /// docs/design.md#any-order-one-result. From one roster and one directory, the change marks lead to one roster in
    /// any order, number and chunks. Left out is what depends on the order by design: who of several gets the last
    /// seat, the last allowed removal, or an address or name that several live records ask for; the match by a former
    /// address when an external id contradicts it; and, where deleting removes (`on_deleted=remove`), whether somebody
    /// was seen to leave before the same person came back without external id (so a new person), or disabled, blocked or without
    /// an address (so with the former one, which may be another's by then); and which former address a person has who
    /// returns by another record without an address that they can have.
    #[test]
    fn rc5_any_order_duplication_and_chunking_ends_in_one_state(
        (anchors, onboarding, on_deleted) in prop_oneof![
            Just((true, Onboarding::Federated, OnDeleted::Suspend)),
            Just((true, Onboarding::Federated, OnDeleted::Remove)),
            Just((true, Onboarding::Invite, OnDeleted::Suspend)),
            Just((true, Onboarding::Invite, OnDeleted::Remove)),
            Just((false, Onboarding::Federated, OnDeleted::Suspend)),
            Just((false, Onboarding::Invite, OnDeleted::Suspend)),
        ],
        approval in prop::bool::weighted(0.2),
        adopt_existing in any::<bool>(),
        scope in prop::option::weighted(0.3, (0..4_usize, any::<bool>())),
        past in prop_oneof![steps(LIVE, 0..40)],
        present in steps(Shape { runs: false, ..LIVE }, 1..30),
        keys in prop::collection::vec(any::<u16>(), 64),
        chunks in prop::collection::vec(1..12_usize, 1..5),
    ) {
        let removal_limit = Limit { count: 10_000, ..Limit::default() };
        let on_out_of_scope = if scope.is_some_and(|scope| scope.1) { OnDeleted::Remove } else { OnDeleted::Suspend };
        let user_scope = scope.map(|scope| scope_of(scope.0));
        let policy = Policy {
            onboarding, on_deleted, approval, adopt_existing, removal_limit, user_scope, on_out_of_scope, ..Policy::default()
        };
        let mut player = Player::new(policy, 10_000);
        let removes = on_deleted == OnDeleted::Remove;
        let plenty = |step: &Step| match step {
            Step::Seats(_) | Step::Promote { .. } => false,
            // They hold one more address that a returning person may want, or keep one out as if disabled.
            Step::ByHand { .. } | Step::Block { .. } => !removes,
            _ => true,
        };
        let unanchored = |mut step: Step| {
            if let Step::Create { anchor, .. } = &mut step {
                *anchor = anchors.then(|| anchor.unwrap_or(9));
            }
            step
        };
        let clean = |steps: Vec<Step>| -> Vec<Step> {
            let steps = steps.into_iter().filter(plenty).map(unanchored);
            steps.filter_map(|step| if removes { wanted(step) } else { Some(step) }).collect()
        };
        play_checked(&mut player, &clean(past));
        play_checked(&mut player, &clean(present));
        player.settle_contests();

        let mut in_order = player.hub.clone();
        in_order.settle();
        let mut otherwise = player.hub.clone();
        otherwise.changes = shuffled(player.hub.changes.clone(), &keys).into();
        otherwise.settle_in_chunks(&mut sizes(chunks));
        prop_assert_eq!(roster(&in_order), roster(&otherwise));
    }

    /// DA10. However removals are split over runs, shapes and time inside one window, and however often people return in
    /// between, the number of people with a lasting loss stays within the limit.
    #[test]
    fn da10_rc2_no_split_of_removals_evades_the_budget(
        policy in policies(), history in steps(LIVE, 20..120),
    ) {
        let mut player = Player::new(Policy { auto_deprovision: true, ..policy }, 1_000);
        let limit = player.hub.policy.removal_limit.count as usize;
        let had = std::cell::RefCell::new(BTreeMap::new());
        let lost = std::cell::RefCell::new(Vec::new());
        let could_lose = |member: &MemberState| member.has_access() || member.held;
        let mut note = |hub: &Hub| *had.borrow_mut() = hub.members.clone();
        let mut count = |hub: &Hub| {
            let before = had.borrow();
            let now = before.values().filter(|m| could_lose(m) && !hub.members[&m.id].seated);
            lost.borrow_mut().extend(now.map(|member| member.id));
        };
        let one_window: Vec<Step> =
            history.into_iter().filter(|step| !matches!(step, Step::Window | Step::Seats(_))).collect();
        player.play(&one_window, &mut note, &mut count);
        prop_assert!(lost.borrow().len() <= limit, "{:?} of {limit}", lost.borrow());
    }

    /// PE8. However new members and changed profiles are split over runs inside one window, the number of either stays
    /// within its limit.
    #[test]
    fn pe8_no_split_of_changes_evades_the_budgets(policy in policies(), history in steps(LIVE, 20..120)) {
        let mut player = Player::new(policy, 4);
        let limits = [player.hub.policy.creation_limit, player.hub.policy.modification_limit];
        let had = std::cell::RefCell::new(BTreeMap::new());
        let seen = std::cell::RefCell::new([0_u32; 2]);
        let mut note = |hub: &Hub| *had.borrow_mut() = hub.members.clone();
        let mut count = |hub: &Hub| {
            let before = had.borrow();
            let changed = |(id, member): &(&MemberId, &MemberState)| before.get(id).is_some_and(|was: &MemberState| {
                // An adopted or relinked member takes the record's external id; a returning one takes the record's
                // address; an address that goes to another person is no change of the profile.
                let anchored = was.profile.external_id == member.profile.external_id;
                anchored && was.holds_address() && member.gave_up().is_none() && was.profile != member.profile
            });
            let new = hub.members.keys().filter(|id| !before.contains_key(id)).count();
            let changed = hub.members.iter().filter(changed).count();
            let mut seen = seen.borrow_mut();
            seen[0] += u32::try_from(new).expect("few");
            seen[1] += u32::try_from(changed).expect("few");
        };
        let one_window: Vec<Step> =
            history.into_iter().filter(|step| !matches!(step, Step::Window | Step::ByHand { .. })).collect();
        player.play(&one_window, &mut note, &mut count);
        for (limit, seen) in limits.iter().zip(*seen.borrow()) {
            prop_assert!(limit.is_none_or(|limit| seen <= limit.count), "{seen} of {limit:?}");
        }
    }

    /// DX3. Changes of a source in simulation make no difference to those of live sources.
    #[test]
    fn dx3_a_simulated_source_makes_no_difference(
        policy in policies(), seats in 1..6_u32, history in any_history(),
    ) {
        let history: Vec<Step> = history.into_iter().filter(|step| !matches!(step, Step::Mode { .. } | Step::Run(_))).collect();
        let rosters = [false, true].map(|mute_second| {
            let mut player = Player { mute_second, ..Player::new(policy.clone(), seats) };
            player.hub.modes.insert(second_source(), SourceMode::Simulate);
            play_checked(&mut player, &history);
            player.hub.settle();
            let users: Vec<Option<Face>> = player.users.iter().map(|user| player.hub.member_of((*user)?).map(face)).collect();
            let groups: Vec<bool> = player
                .groups
                .iter()
                .map(|group| group.is_some_and(|group| player.hub.sharing_group_of(group).is_some()))
                .collect();
            (users, groups)
        });
        prop_assert_eq!(&rosters[0], &rosters[1]);
    }

    /// Folding is idempotent, so folded strings may be compared with stored ones.
    #[test]
    fn folding_twice_changes_nothing(text in any::<String>()) {
        let once = fold(&text);
        prop_assert_eq!(fold(&once), once);
    }
}

/// A world for each exception of the order property, so that they are decisions and not accidents.
#[test]
fn who_comes_first_decides_only_what_is_contested() {
    let mut hub = Hub::new();
    hub.seats = 1;
    let (first, second) = (hub.create_user(crate::model::record("a@x")), hub.create_user(crate::model::record("b@x")));
    let mut reversed = hub.clone();
    reversed.changes = hub.changes.iter().rev().copied().collect();
    hub.settle();
    assert!(hub.member_of(first).is_some_and(|m| m.seated), "announced first, in one chunk");
    reversed.settle_in_chunks(&mut |_| 1);
    assert!(reversed.member_of(second).is_some_and(|m| m.seated), "looked at first, in chunks of one");
    assert_eq!(reversed.seats_used, 1);
    assert_eq!(reversed.users[&first].source, scim());
}
