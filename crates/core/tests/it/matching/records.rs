//! Two records of one person: the active one rules (R13).
//!
//! Neighbours tried: the older record disabled before, with and after the newer one comes; updated, enabled, disabled and
//! deleted afterwards; the newer one disabled, deleted, without address; members who were removed, held, invited, admins.

use super::{Case, play, play_all};
use rollcall_core::action::Action;
use rollcall_core::roster::MemberStatus;

pub(super) const TWO_RECORDS: &[Case] = &[
    (
        "r13: a new record of a disabled person",
        "new a ann@x #1; run; off a; run; new b an@x #1; run",
        "1 b active an@x",
    ),
    ("r13: in one go", "new a ann@x #1; run; off a; new b an@x #1; run", "1 b active an@x"),
    (
        "r13: the new record comes first, under the same address",
        "new a ann@x #1; run; new b ann@x #1; run; off a; run",
        "1 b active ann@x",
    ),
    (
        "r13: the new record comes first, without an address",
        "new a ann@x #1; run; new b - #1; run; off a; run",
        "1 b active ann@x",
    ),
    (
        "r13: the older record is deleted",
        "new a ann@x #1; run; off a; run; new b an@x #1; run; del a; run",
        "1 b active an@x",
    ),
    (
        "r13: the older record is updated",
        "new a ann@x #1; run; off a; run; new b an@x #1; run; mail a other@x; name a Ann; run",
        "1 b active an@x",
    ),
    (
        "r13: the older record is enabled again",
        "new a ann@x #1; run; off a; run; new b an@x #1; run; on a; run",
        "1 b active an@x | a? external_id_taken",
    ),
    (
        "r13: and disabled again",
        "new a ann@x #1; run; off a; run; new b an@x #1; run; on a; run; off a; run",
        "1 b active an@x",
    ),
    (
        "r13: the newer record is disabled",
        "new a ann@x #1; run; off a; run; new b an@x #1; run; off b; run",
        "1 b suspended an@x",
    ),
    (
        "r13: the newer record is disabled and the older one enabled",
        "new a ann@x #1; run; off a; run; new b an@x #1; run; off b; on a; run",
        "1 a active ann@x",
    ),
    (
        "r13: the older record was enabled before the newer one is disabled",
        "new a ann@x #1; run; off a; run; new b an@x #1; run; on a; run; off b; run",
        "1 a active ann@x",
    ),
    (
        "r13: the newer record is deleted and the older one is disabled",
        "new a ann@x #1; run; off a; run; new b an@x #1; run; del b; run",
        "1 a suspended ann@x",
    ),
    (
        "r13: the ruling record is deleted, and of an older, disabled one and a new one the new one rules, in one go",
        "new a an@x #1; run; off a; run; new b ann@x #1; run; del b; new c - #1; run",
        "1 c active ann@x",
    ),
    ("r13: both are disabled", "new a ann@x #1; run; off a; run; off-new b an@x #1; run", "1 a suspended ann@x"),
    (
        "r13: both are disabled, then the newer one is enabled",
        "new a ann@x #1; run; off a; run; off-new b an@x #1; run; on b; run",
        "1 b active an@x",
    ),
    (
        "r13: the newer one was active before a worker looked",
        "new a ann@x #1; run; off a; run; new b an@x #1; off b; run",
        "1 a suspended ann@x",
    ),
    (
        "r13: a removed member returns by the new record",
        "set on_disabled=remove; new a ann@x #1; run; off a; run; new b an@x #1; run",
        "1 b active an@x",
    ),
    (
        "r13: an ended invitation goes to the new record's address",
        "set onboarding=invite; new a ann@x #1; run; off a; run; new b an@x #1; run",
        "1 b invited an@x",
    ),
    (
        "r13: the departure is held and the person is back",
        "set removal_limit.count=0; set removal_limit.percent=0; new a ann@x #1; run; off a; run; new b an@x #1; run",
        "1 b active an@x",
    ),
    (
        "r13: an external id that a present person has proves nothing",
        "new a ann@x #1; new b bob@x #1; run; off a; run; new c cy@x #1; run",
        "1 a suspended ann@x | 2 b active bob@x | 3 c active cy@x",
    ),
    (
        "r13: another external id is another person",
        "new a ann@x #1; run; off a; run; new b an@x #2; run",
        "1 a suspended ann@x | 2 b active an@x",
    ),
    (
        "r13: without an external id there are two people",
        "new a ann@x; run; off a; run; new b an@x; run",
        "1 a suspended ann@x | 2 b active an@x",
    ),
];

#[test]
fn r13_of_two_records_of_one_person_the_active_one_rules() {
    play_all(TWO_RECORDS);
}

#[test]
fn r13_groups_and_history_carry_over() {
    let mut script = play("hand root@x; new a ann@x #1; run; off a; run", usize::MAX);
    let group = script.hub.create_group("Design");
    let (ann, before) = (script.records["a"], script.member("a").id);
    script.hub.set_membership(group, ann, true);
    script.hub.settle();
    script.step(&["new", "b", "an@x", "#1"]);
    let newer = script.records["b"];
    let outcome = script.hub.settle();
    let leaves = outcome.applied.iter().any(|item| matches!(item.action, Action::RemoveFromGroup { .. }));
    assert!(!leaves, "the older record is still in the group: {outcome:?}");
    let member = script.hub.member_of(newer).expect("the same person");
    assert_eq!((member.id, member.status), (before, MemberStatus::Active));
    assert_eq!(member.former_record, Some(ann));
    assert_eq!(script.hub.group_members.len(), 1, "the same membership");
    // The source moves the group to the newer record, and deletes the older one.
    script.hub.set_membership(group, newer, true);
    script.step(&["del", "a"]);
    script.hub.settle();
    assert_eq!(script.hub.group_members.len(), 1, "still the same membership");
    script.hub.set_membership(group, newer, false);
    script.hub.settle();
    assert_eq!(script.hub.group_members.len(), 0);
}
