//! Explain: each gate seeded alone is named, and without it the person is in.
//!
//! Length: each way to be without access is a seed of one list, and each gate is tried with all of them.

use crate::model::{record, scim};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::directory::{Dispute, Origin, SourceMode};
use rollcall_core::explain::{
    Backlog, Decision, Facts, GateName, GateState, GroupFacts, Seats, Situation, Skipped, SourceRecord, Trace, Unread,
    Withheld, explain, gate_of,
};
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::RunId;
use rollcall_core::policy::{GroupScope, Policy};
use rollcall_core::remedy;
use rollcall_core::roster::{Approval, MemberState, MemberStatus, Profile, Role, WaitingFor};
use uuid::Uuid;

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn id<T: From<Uuid>>(number: u128) -> T {
    Uuid::from_u128(number).into()
}

fn origin(mode: SourceMode) -> Origin {
    Origin { source: scim(), mode, quarantined: false, request: None }
}

fn ann() -> MemberState {
    MemberState {
        id: id(7),
        profile: Profile { email: "ann@x".to_owned(), ..Profile::default() },
        status: MemberStatus::Active,
        role: Role::Member,
        billing_contact: false,
        managed_by: Some(scim()),
        directory_user: Some(id(8)),
        former_record: None,
        suspended_from: None,
        waiting_for: None,
        approval: None,
        blocked_from: None,
        seated: true,
        held: false,
    }
}

/// Ann passes every gate.
fn clear() -> Facts {
    let happened = Trace { at: now(), actor: "source:x".to_owned(), run: Some(id(9)), request: Some(id(10)) };
    let mut ann_says = record("ann@x");
    ann_says.was_active = true;
    Facts {
        now: now(),
        policy: Policy::default(),
        seats: Seats { bought: 10, used: 1, place: None },
        member: Some(ann()),
        said: Some(SourceRecord {
            id: id(8),
            origin: origin(SourceMode::Live),
            record: Some(ann_says),
            in_scope: true,
        }),
        said_last: Some(happened.clone()),
        status_last: Some(happened),
        decided_last: None,
        blocked_last: None,
        holder: None,
        skipped: None,
        withheld: Vec::new(),
        backlog: Backlog::default(),
        groups: Vec::new(),
    }
}

fn with_status(status: MemberStatus) -> Option<MemberState> {
    Some(MemberState { status, ..ann() })
}

fn says(facts: &mut Facts, active: bool, was_active: bool) {
    if let Some(record) = facts.said.as_mut().and_then(|said| said.record.as_mut()) {
        (record.active, record.was_active) = (active, was_active);
    }
}

fn withheld(action: &str, reason: HoldReason, decision: Decision) -> Withheld {
    Withheld { action: action.to_owned(), reason, decision, run: run(), request: Some(id(12)), since: now() }
}

fn run() -> RunId {
    id(11)
}

fn skipped(dispute: Dispute) -> Skipped {
    Skipped { dispute, about: "ann@x".to_owned(), since: now() }
}

/// A change of the facts that blocks one gate, and the resulting status in the roster.
type Seed = (&'static str, fn(&mut Facts), GateName);

const SEEDS: &[Seed] = &[
    ("disabled", |f| (says(f, false, true), f.member = with_status(MemberStatus::Suspended)).1, GateName::SourceRecord),
    ("never active", |f| (says(f, false, false), f.member = None).1, GateName::SourceRecord),
    (
        "deleted",
        |f| (f.said.as_mut().expect("said").record = None, f.member = with_status(MemberStatus::Suspended)).1,
        GateName::SourceRecord,
    ),
    ("nobody said", |f| (f.said, f.member) = (None, None), GateName::SourceRecord),
    ("simulated", |f| (mode(f, SourceMode::Simulate), f.member = None).1, GateName::SourceMode),
    ("off", |f| (mode(f, SourceMode::Off), f.member = with_status(MemberStatus::Suspended)).1, GateName::SourceMode),
    ("out of scope", |f| (outside(f), f.member = with_status(MemberStatus::Suspended)).1, GateName::Scope),
    ("never in scope", |f| (outside(f), f.member = None).1, GateName::Scope),
    ("disputed", |f| (f.skipped, f.member) = (Some(skipped(Dispute::EmailTaken)), None), GateName::Match),
    (
        "failed",
        |f| (f.skipped, f.member) = (Some(skipped(Dispute::Failed)), with_status(MemberStatus::Suspended)),
        GateName::Match,
    ),
    ("provisioning off", |f| (f.policy.auto_provision, f.member) = (false, None), GateName::Policy),
    ("unapproved", |f| f.member = waiting(WaitingFor::Approval), GateName::Policy),
    (
        "blocked",
        |f| {
            let blocked_from = Some(MemberStatus::Active);
            f.member = with_status(MemberStatus::Suspended).map(|member| MemberState { blocked_from, ..member });
        },
        GateName::Blocked,
    ),
    ("no seat", |f| f.member = waiting(WaitingFor::Seat), GateName::Seat),
    (
        "held",
        |f| (f.member, f.withheld) = (None, vec![withheld("provision", HoldReason::CreationOverLimit, Decision::Held)]),
        GateName::Hold,
    ),
    (
        "rejected",
        |f| {
            (f.member, f.withheld) =
                (None, vec![withheld("provision", HoldReason::CreationOverLimit, Decision::Rejected)])
        },
        GateName::Hold,
    ),
    (
        "unread",
        |f| {
            (f.member, f.backlog.unread) =
                (None, Some(Unread { since: now() - TimeDelta::seconds(3), request: Some(id(13)) }))
        },
        GateName::Reconcile,
    ),
    (
        "quarantined",
        |f| {
            f.said.as_mut().expect("said").origin.quarantined = true;
            f.member = None;
        },
        GateName::SourceMode,
    ),
    ("declined", |f| f.member = declined(), GateName::Declined),
    ("invited", |f| f.member = with_status(MemberStatus::Invited), GateName::Status),
    ("removed", |f| f.member = with_status(MemberStatus::Removed), GateName::Status),
];

fn mode(facts: &mut Facts, mode: SourceMode) {
    facts.said.as_mut().expect("said").origin.mode = mode;
}

fn outside(facts: &mut Facts) {
    let names = vec!["Staff".to_owned()];
    facts.policy.user_scope = Some(GroupScope { names, prefixes: vec!["App-".to_owned()], ..GroupScope::default() });
    facts.said.as_mut().expect("said").in_scope = false;
}

fn waiting(what: WaitingFor) -> Option<MemberState> {
    Some(MemberState { status: MemberStatus::Pending, waiting_for: Some(what), seated: false, ..ann() })
}

fn declined() -> Option<MemberState> {
    waiting(WaitingFor::Approval).map(|member| MemberState { approval: Some(Approval::Declined), ..member })
}

#[test]
fn pe14_nothing_in_the_way_is_access_without_a_reason() {
    let answer = explain(&clear());
    assert!(answer.access, "{answer:#?}");
    assert_eq!((answer.decided_by, answer.situation), (None, Situation::Linked));
    assert_eq!(
        answer.gates.iter().map(|gate| gate.gate).collect::<Vec<_>>(),
        GateName::ALL,
        "all gates, in their order"
    );
    assert!(answer.gates.iter().all(|gate| gate.state == GateState::Ok && gate.remedy.is_none()), "{answer:#?}");
}

#[test]
fn pe14_rc12_each_gate_seeded_alone_is_named_with_a_sentence_and_a_remedy() {
    for (what, seed, gate) in SEEDS {
        let mut facts = clear();
        seed(&mut facts);
        let answer = explain(&facts);
        assert_eq!((answer.access, answer.decided_by), (false, Some(*gate)), "{what}: {answer:#?}");
        let named = answer.gates.iter().find(|one| one.gate == *gate).expect("all gates are answered");
        assert_eq!(named.state, GateState::Blocked, "{what}");
        assert!(named.sentence.ends_with('.') && answer.sentence.contains(&named.sentence), "{what}: {answer:#?}");
        assert!(named.remedy.as_ref().is_some_and(|remedy| remedy.ends_with('.')), "{what}: {named:#?}");
        let before = answer.gates.iter().take_while(|one| one.gate != *gate);
        assert!(before.into_iter().all(|one| one.state != GateState::Blocked), "{what} is seeded alone: {answer:#?}");
    }
    for gate in GateName::ALL {
        assert!(SEEDS.iter().any(|(_, _, seeded)| seeded == gate), "{gate} is seeded by nothing");
    }
}

#[test]
fn pe14_every_reason_of_a_guard_is_told_at_its_gate() {
    for reason in HoldReason::ALL {
        let mut facts = clear();
        facts.member = None;
        facts.withheld = vec![withheld("provision", *reason, Decision::Held)];
        let answer = explain(&facts);
        assert_eq!(answer.decided_by, Some(gate_of(*reason)), "{reason}");
        let gate = answer.gates.iter().find(|gate| gate.gate == gate_of(*reason)).expect("all gates are answered");
        assert_eq!((gate.evidence.reason, gate.evidence.run_id), (Some(reason.as_str()), Some(run())), "{reason}");
    }
}

#[test]
fn pe14_every_dispute_says_what_it_means() {
    let mut told: Vec<String> = Vec::new();
    for dispute in Dispute::ALL {
        let facts = Facts { member: None, skipped: Some(skipped(*dispute)), ..clear() };
        let answer = explain(&facts);
        assert_eq!((answer.decided_by, answer.situation), (Some(GateName::Match), Situation::Disputed), "{dispute}");
        told.push(answer.sentence);
    }
    told.sort();
    told.dedup();
    assert_eq!(told.len(), Dispute::ALL.len(), "each by its own sentence: {told:#?}");
}

#[test]
fn pe14_access_against_the_word_of_the_source_names_what_keeps_it() {
    let cases: [Seed; 6] = [
        (
            "protected",
            |f| f.withheld = vec![withheld("suspend", HoldReason::ProtectedMember, Decision::Held)],
            GateName::Hold,
        ),
        ("held", |f| f.withheld = vec![withheld("suspend", HoldReason::LastAdmin, Decision::Held)], GateName::Hold),
        (
            "rejected",
            |f| f.withheld = vec![withheld("suspend", HoldReason::LastAdmin, Decision::Rejected)],
            GateName::Hold,
        ),
        ("switched off", |f| f.policy.auto_deprovision = false, GateName::Policy),
        ("simulated", |f| mode(f, SourceMode::Simulate), GateName::SourceMode),
        ("unread", |f| f.backlog.unread = Some(Unread { since: now(), request: None }), GateName::Reconcile),
    ];
    for (what, seed, gate) in cases {
        let mut facts = clear();
        says(&mut facts, false, true);
        seed(&mut facts);
        let answer = explain(&facts);
        assert_eq!((answer.access, answer.decided_by), (true, Some(gate)), "{what}: {answer:#?}");
        assert!(answer.sentence.starts_with("Still has access."), "{what}: {}", answer.sentence);
    }
}

/// A decided run answers 409 to another decision, so its remedy cannot be one.
#[test]
fn f15_the_remedy_of_a_decided_item_is_no_decision() {
    for (decision, remedy) in [
        (Decision::Held, HoldReason::CreationOverLimit.remedy()),
        (Decision::Approved, &remedy::ASK_AGAIN),
        (Decision::Rejected, &remedy::SAY_AGAIN),
    ] {
        let mut facts = clear();
        facts.member = None;
        facts.withheld = vec![withheld("provision", HoldReason::CreationOverLimit, decision)];
        let answer = explain(&facts);
        let gate = answer.gates.iter().find(|gate| gate.gate == GateName::Hold).expect("a gate");
        assert_eq!(gate.remedy, Some(remedy.sentence), "{decision:?}");
    }
}

#[test]
fn pe14_dx6_the_scope_names_the_groups_that_would_bring_somebody_in() {
    let mut facts = clear();
    outside(&mut facts);
    facts.member = None;
    let answer = explain(&facts);
    assert!(answer.sentence.contains("Staff, App-*"), "{}", answer.sentence);
    // In scope the same facts are no reason, and the group that has the person is named.
    facts.said.as_mut().expect("said").in_scope = true;
    facts.member = Some(ann());
    facts.groups = vec![pilots(true, true), GroupFacts { name: "app-wiki".to_owned(), ..pilots(true, true) }];
    let answer = explain(&facts);
    assert_eq!((answer.access, answer.decided_by), (true, None), "{answer:#?}");
    let scope = answer.gates.iter().find(|gate| gate.gate == GateName::Scope).expect("all gates are answered");
    assert_eq!((scope.state, scope.evidence.about.as_deref()), (GateState::Ok, Some("app-wiki")));
}

#[test]
fn pe14_access_out_of_scope_names_what_keeps_it() {
    let cases: [Seed; 2] = [
        ("switched off", |f| f.policy.auto_deprovision = false, GateName::Policy),
        (
            "held",
            |f| f.withheld = vec![withheld("suspend", HoldReason::RemovalOverLimit, Decision::Held)],
            GateName::Hold,
        ),
    ];
    for (what, seed, gate) in cases {
        let mut facts = clear();
        outside(&mut facts);
        seed(&mut facts);
        let answer = explain(&facts);
        assert_eq!((answer.access, answer.decided_by), (true, Some(gate)), "{what}: {answer:#?}");
    }
}

#[test]
fn pe14_what_no_longer_decides_is_not_named() {
    let mut facts = clear();
    facts.withheld = vec![
        withheld("provision", HoldReason::Simulation, Decision::Simulated),
        withheld("suspend", HoldReason::RemovalOverLimit, Decision::Rejected),
    ];
    facts.skipped = Some(skipped(Dispute::EmailTaken));
    let answer = explain(&facts);
    assert_eq!((answer.access, answer.decided_by), (true, None), "back again, and only the new address is in dispute");
    assert!(answer.gates.iter().all(|gate| gate.state == GateState::Ok), "{answer:#?}");
}

#[test]
fn pe14_a_member_made_by_hand_needs_no_source() {
    let by_hand = MemberState { managed_by: None, directory_user: None, ..ann() };
    let answer = explain(&Facts { member: Some(by_hand), said: None, ..clear() });
    assert_eq!((answer.access, answer.decided_by, answer.situation), (true, None, Situation::Unlinked));
}

#[test]
fn pe14_a_waiting_change_tells_its_age_and_the_back_off() {
    let mut facts = clear();
    facts.member = None;
    facts.backlog.unread = Some(Unread { since: now() - TimeDelta::seconds(3), request: Some(id(13)) });
    facts.backlog.retry_at = Some(now() + TimeDelta::seconds(60));
    facts.backlog.last_error = Some("the disk is full".to_owned());
    let answer = explain(&facts);
    for part in ["3 s old", "the disk is full", &Uuid::from_u128(13).to_string()] {
        assert!(answer.sentence.contains(part), "{part} in {}", answer.sentence);
    }
    facts.backlog = Backlog { deeper: true, ..Backlog::default() };
    let reconcile = explain(&facts).gates.into_iter().find(|gate| gate.gate == GateName::Reconcile);
    assert_eq!(reconcile.map(|gate| gate.state), Some(GateState::Unknown), "nobody looked that far");
}

/// As [`Seed`], for one group.
type GroupSeed = (&'static str, fn(&mut Facts, &mut GroupFacts), GateName);

fn pilots(desired: bool, actual: bool) -> GroupFacts {
    GroupFacts {
        name: "Pilots".to_owned(),
        directory_group: Some(id(20)),
        sharing_group: Some(id(21)),
        origin: Some(origin(SourceMode::Live)),
        desired,
        actual,
        skipped: None,
        withheld: None,
        unread: None,
    }
}

#[test]
fn pe14_a_group_path_names_what_stopped_it() {
    let cases: [GroupSeed; 7] = [
        ("simulated", |_, g| g.origin = Some(origin(SourceMode::Simulate)), GateName::SourceMode),
        ("name taken", |_, g| g.skipped = Some(skipped(Dispute::GroupNameTaken)), GateName::Match),
        ("no group sync", |f, _| f.policy.group_sync = false, GateName::Policy),
        (
            "held",
            |_, g| g.withheld = Some(withheld("add_to_group", HoldReason::RemovalOverLimit, Decision::Held)),
            GateName::Hold,
        ),
        ("unread", |_, g| g.unread = Some(Unread { since: now(), request: None }), GateName::Reconcile),
        ("no member", |f, _| f.member = None, GateName::Status),
        ("no sharing group", |_, g| g.sharing_group = None, GateName::Status),
    ];
    for (what, seed, gate) in cases {
        let (mut facts, mut group) = (clear(), pilots(true, false));
        seed(&mut facts, &mut group);
        facts.groups = vec![group];
        let path = explain(&facts).groups.remove(0);
        assert_eq!(path.decided_by.map(|gate| gate.gate), Some(gate), "{what}");
    }
    let both = explain(&Facts { groups: vec![pilots(true, true), pilots(false, false)], ..clear() });
    assert!(both.groups.iter().all(|path| path.decided_by.is_none()), "{both:#?}");
    let mut kept = pilots(false, true);
    kept.withheld = Some(withheld("remove_from_group", HoldReason::GroupWipe, Decision::Held));
    let kept = explain(&Facts { groups: vec![kept], ..clear() }).groups.remove(0);
    let decided_by = kept.decided_by.expect("a gate");
    assert_eq!((decided_by.gate, decided_by.evidence.reason), (GateName::Hold, Some("group_wipe")), "{decided_by:?}");
}
