//! By brute force over small worlds: guards withhold the smallest part that would break a rule.

use crate::guards::{disable, member};
use crate::model::{Hub, record};
use rollcall_core::action::Action;
use rollcall_core::email::fold;
use rollcall_core::ids::DirectoryUserId;
use rollcall_core::policy::{Limit, OverLimit, SeatOrder};
use rollcall_core::roster::{MemberStatus, Role};

/// State and action of one person of a small world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moves {
    Stays,
    Leaves,
    /// Leaves and is protected.
    Breaks,
    Returns,
}

type Person = (Role, bool, Moves);

fn every_person() -> Vec<Person> {
    let roles = [Role::Member, Role::Admin].into_iter().flat_map(|role| [(role, false), (role, true)]);
    let moves = [Moves::Stays, Moves::Leaves, Moves::Breaks, Moves::Returns];
    let all = roles.flat_map(|(role, billing)| moves.map(|moves| (role, billing, moves)));
    // Only the limit concerns plain members.
    all.filter(|(role, billing, moves)| *role == Role::Admin || *billing || *moves == Moves::Leaves).collect()
}

/// The most people that can leave at once without breaking a rule, by trying all sets of them.
fn most_that_can_leave(people: &[Person], budget: usize) -> usize {
    let is_admin = |person: &Person| person.0 == Role::Admin;
    let is_contact = |person: &Person| person.1;
    let keeps = |kind: fn(&Person) -> bool, leaving: &dyn Fn(usize) -> bool| {
        let before = people.iter().any(|person| kind(person) && person.2 != Moves::Returns);
        !before || people.iter().enumerate().any(|(place, person)| kind(person) && !leaving(place))
    };
    let sets = 0_u32..1 << people.len();
    let allowed = sets.filter(|set| {
        let leaving = |place: usize| set & (1 << place) != 0;
        let only_leavers = people.iter().enumerate().all(|(n, person)| person.2 == Moves::Leaves || !leaving(n));
        only_leavers && set.count_ones() as usize <= budget && keeps(is_admin, &leaving) && keeps(is_contact, &leaving)
    });
    allowed.map(|set| set.count_ones() as usize).max().unwrap_or(0)
}

#[test]
fn da7_da10_rc8_what_is_withheld_is_the_smallest_part() {
    let mut base = Hub::new();
    let users: Vec<_> = (0..4).map(|n| base.create_user(record(&format!("p{n}@x")))).collect();
    base.settle();
    base.owner_agrees = true;
    base.policy.over_limit = OverLimit::Hold;
    base.policy.removal_limit.percent = 0;
    let kinds = every_person();
    let worlds =
        (0..kinds.len().pow(4)).map(|n| [0, 1, 2, 3].map(|digit| kinds[n / kinds.len().pow(digit) % kinds.len()]));
    for people in worlds {
        let mut hub = base.clone();
        for (user, (role, billing, moves)) in users.iter().zip(people) {
            let id = hub.member_of(*user).expect("a member").id;
            (member(&mut hub, id).role, member(&mut hub, id).billing_contact) = (role, billing);
            if moves == Moves::Returns {
                let gone = member(&mut hub, id);
                (gone.status, gone.suspended_from, gone.seated) =
                    (MemberStatus::Suspended, Some(MemberStatus::Active), false);
                hub.seats_used -= 1;
                hub.changes.push_back(crate::model::Touch::User(*user));
            }
            if moves == Moves::Breaks {
                hub.policy.protected_members.insert(id);
            }
            if matches!(moves, Moves::Leaves | Moves::Breaks) {
                disable(&mut hub, &[*user]);
            }
        }
        for budget in [1, 2, 4] {
            let mut hub = hub.clone();
            hub.policy.removal_limit.count = budget;
            let outcome = hub.settle();
            let left = outcome.applied.iter().filter(|item| matches!(item.action, Action::Suspend { .. })).count();
            assert_eq!(left, most_that_can_leave(&people, budget as usize), "{people:?}, {budget} may go");
        }
    }
}

/// The wish of one person of a small world, where seats and changes are few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    Nothing,
    /// Gives a seat back.
    ToLeave,
    ANewName,
    /// Needs a seat and is not a newcomer.
    ToReturn,
    /// Needs a seat, and counts as a newcomer even while waiting for it.
    ToComeIn,
}

const WANTS: [Wants; 5] = [Wants::Nothing, Wants::ToLeave, Wants::ANewName, Wants::ToReturn, Wants::ToComeIn];

/// Supplies of a small world.
#[derive(Clone, Copy, Debug)]
struct Room {
    seats_free: u32,
    creations: Option<usize>,
    modifications: Option<usize>,
}

/// Changes that are applied with a seat or without, and people who get a seat.
type Happens = (usize, usize);

/// The most that can be applied without breaking a rule, by trying every result for each person: none, the change
/// without a seat, the change with one.
fn most_that_can_happen(people: &[Wants; 4], room: Room) -> Happens {
    let outcomes = (0..3_usize.pow(4)).filter_map(|n| {
        let becomes = [0, 1, 2, 3].map(|digit| n / 3_usize.pow(digit) % 3);
        let fits = |(wants, becomes): (&Wants, &usize)| match wants {
            Wants::Nothing => *becomes == 0,
            Wants::ToLeave | Wants::ANewName => *becomes <= 1,
            // Not possible without a seat.
            Wants::ToReturn => *becomes != 1,
            Wants::ToComeIn => true,
        };
        let count = |wanted: Wants| {
            people.iter().zip(&becomes).filter(|(wants, becomes)| **wants == wanted && **becomes > 0).count()
        };
        let seats = becomes.iter().filter(|becomes| **becomes == 2).count();
        let allowed = people.iter().zip(&becomes).all(fits)
            && seats <= room.seats_free as usize + count(Wants::ToLeave)
            && room.creations.is_none_or(|most| count(Wants::ToComeIn) <= most)
            && room.modifications.is_none_or(|most| count(Wants::ANewName) <= most);
        let changes = [Wants::ToLeave, Wants::ANewName, Wants::ToComeIn].map(count);
        allowed.then(|| (changes.iter().sum::<usize>(), seats))
    });
    // A change is worth more than a seat: a newcomer admitted without one waits for it.
    outcomes.max_by_key(|(changes, seats)| (*changes, *seats)).unwrap_or_default()
}

fn small_world(people: &[Wants; 4], room: Room, order: SeatOrder) -> (Hub, [DirectoryUserId; 4]) {
    let mut hub = Hub::new();
    let limit = |most: usize| Limit { count: u32::try_from(most).unwrap_or_default(), percent: 0, window_hours: 24 };
    (hub.policy.seat_order, hub.policy.removal_limit.count) = (order, 100);
    // The order of addresses is the reverse.
    let email = |place: usize| format!("{}@x", ["d", "C", "b", "a"][place]);
    let known = |place: &usize| people[*place] != Wants::ToComeIn;
    let mut users: Vec<_> = (0..4).filter(known).map(|place| (place, hub.create_user(record(&email(place))))).collect();
    hub.settle();
    for (_, user) in users.iter().filter(|(place, _)| people[*place] == Wants::ToReturn) {
        disable(&mut hub, &[*user]);
    }
    hub.settle();
    hub.policy.creation_limit = room.creations.map(limit);
    hub.policy.modification_limit = room.modifications.map(limit);
    hub.seats = u32::try_from(hub.seats_used).unwrap_or_default() + room.seats_free;
    for (place, user) in &users {
        match people[*place] {
            Wants::ToLeave => disable(&mut hub, &[*user]),
            Wants::ANewName => hub.edit_user(*user, |record| record.display_name = Some("New".into())),
            Wants::ToReturn => hub.edit_user(*user, |record| record.active = true),
            Wants::Nothing | Wants::ToComeIn => {}
        }
    }
    let newcomers: Vec<usize> = (0..4).filter(|place| !known(place)).collect();
    users.extend(newcomers.into_iter().map(|place| (place, hub.create_user(record(&email(place))))));
    users.sort_by_key(|(place, _)| *place);
    hub.settle();
    (hub, [0, 1, 2, 3].map(|place: usize| users[place].1))
}

#[test]
fn da8_pe8_rc8_seats_and_changes_go_as_far_as_they_can_in_the_stated_order() {
    let worlds =
        (0..WANTS.len().pow(4)).map(|n| [0, 1, 2, 3].map(|digit| WANTS[n / WANTS.len().pow(digit) % WANTS.len()]));
    for people in worlds {
        for (seats_free, limit) in [(0, None), (1, None), (2, Some(0)), (0, Some(1)), (1, Some(2)), (9, Some(1))] {
            let room = Room { seats_free, creations: limit, modifications: limit };
            for order in [SeatOrder::Announced, SeatOrder::Email] {
                let (hub, users) = small_world(&people, room, order);
                check(&hub, &users, &people, room, order);
            }
        }
    }
}

fn check(hub: &Hub, users: &[DirectoryUserId; 4], people: &[Wants; 4], room: Room, order: SeatOrder) {
    let said = format!("{people:?} in {room:?}, {order}");
    let (mut changes, mut claims) = (0, Vec::new());
    for (user, wants) in users.iter().zip(people) {
        let member = hub.member_of(*user);
        let has_access = member.is_some_and(|member| member.has_access());
        changes += usize::from(match wants {
            Wants::Nothing | Wants::ToReturn => false,
            Wants::ToLeave => !has_access,
            Wants::ANewName => member.is_some_and(|member| member.profile.display_name.as_deref() == Some("New")),
            Wants::ToComeIn => member.is_some(),
        });
        if let (Wants::ToReturn | Wants::ToComeIn, Some(member)) = (wants, member) {
            let email = (order == SeatOrder::Email).then(|| fold(&member.profile.email));
            claims.push((email, *user, has_access));
        }
    }
    let seats = claims.iter().filter(|(_, _, has_access)| *has_access).count();
    assert_eq!((changes, seats), most_that_can_happen(people, room), "{said}");
    assert!(hub.seats_used <= i64::from(hub.seats), "{said}");
    claims.sort();
    let first: Vec<bool> = claims.iter().map(|(_, _, has_access)| *has_access).collect();
    assert!(first.is_sorted_by(|before, after| before >= after), "{said}: {claims:?}");
}
