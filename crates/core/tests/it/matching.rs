//! Matching (docs/design.md#matching): a table of named situations with the person that must be kept in each.
//!
//! Length: one table of situations, read from the top to the bottom.
//!
//! A script is a list of steps. Records have a letter, members are numbered in the order of their creation. `hand MAIL`
//! a member made by hand · `new a MAIL [#ID]` a record (`-` for no address) · `off-new` one that is disabled from the
//! start · `sim` one of a source in simulation · `mail`, `id`, `name`, `off`, `on`, `del` change a record · `accept a` ·
//! `admin a`, `billing a`, `member a`, `protect a` the member of a record · `set KEY=VALUE` policy · `seats N` · `approve`
//! all held items · `retry a` · `window` the guards' window passes · `run` all changes in one chunk · `run!` the same, where
//! chunks of one may not be tried. `(ann@x)` is an address that the member gave up.
//!
//! `docs/matching.md` is made from these tables: `ROLLCALL_WRITE_DOCS=1 cargo test --workspace --lib --test it situations`.

mod addresses;
mod page;
mod records;

use crate::model::{Hub, Touch, Vary, record, scim};
use rollcall_core::action::{Action, Why};
use rollcall_core::change::Subject;
use rollcall_core::directory::SourceMode;
use rollcall_core::email::fold;
use rollcall_core::ids::{DirectoryUserId, SourceId};
use rollcall_core::policy::Policy;
use rollcall_core::roster::{MemberState, MemberStatus, Role};
use std::collections::BTreeMap;
use uuid::Uuid;

const TOMBSTONE: &str = "0123456789abcdef0123456789ABCDEF";

/// Name, script, and the expected members and disputes.
type Case = (&'static str, &'static str, &'static str);

const LINKED: &[Case] = &[
    ("a rename", "new a ann@x #1; run; name a Ann; run", "1 a active ann@x"),
    ("an email change", "new a ann@x #1; run; mail a ann.b@x; run", "1 a active ann.b@x"),
    ("an email change of the spelling alone", "new a ann@x #1; run; mail a ANN@x; run", "1 a active ANN@x"),
    (
        "two people swap addresses",
        "new a ann@x #1; new b bob@x #2; run; mail a bob@x; mail b ann@x; run",
        "1 a active bob@x | 2 b active ann@x",
    ),
    (
        "a chain of three",
        "new a ann@x #1; new b bob@x #2; new c cy@x #3; run; mail a bob@x; mail b cy@x; mail c new@x; run",
        "1 a active bob@x | 2 b active cy@x | 3 c active new@x",
    ),
    (
        "a cycle of three",
        "new a ann@x #1; new b bob@x #2; new c cy@x #3; run; mail a bob@x; mail b cy@x; mail c ann@x; run",
        "1 a active bob@x | 2 b active cy@x | 3 c active ann@x",
    ),
    (
        "an address whose holder keeps it",
        "new a ann@x #1; new b bob@x #2; run; mail a bob@x; name a Ann; run",
        "1 a active ann@x | 2 b active bob@x | a? email_taken",
    ),
    (
        "an address whose holder lets go of it later",
        "new a ann@x #1; new b bob@x #2; run; mail a bob@x; run; mail b b@x; run",
        "1 a active bob@x | 2 b active b@x",
    ),
    ("a record that loses its address", "new a ann@x #1; run; mail a -; run", "1 a active ann@x"),
    ("disabled and enabled again", "new a ann@x #1; run; off a; run; on a; run", "1 a active ann@x"),
    ("dx14: disabled", "new a ann@x #1; run; off a; run", "1 a suspended ann@x"),
    ("dx14: deleted, the default", "new a ann@x #1; run; del a; run", "1 a suspended ann@x"),
    ("dx14: deleted, as configured", "set on_deleted=remove; new a ann@x #1; run; del a; run", "1 a removed ann@x"),
    (
        "dx13: an invited member is not updated",
        "set onboarding=invite; new a ann@x #1; run; mail a ann.b@x; run",
        "1 a invited ann@x",
    ),
    (
        "dx13: and is when the invitation was accepted",
        "set onboarding=invite; new a ann@x #1; run; mail a ann.b@x; run; accept a; run",
        "1 a active ann.b@x",
    ),
    (
        "dx13: an address that an invitation is out for is not given away",
        "set onboarding=invite; new a ann@x #1; run; mail a ann.b@x; new b ann@x #2; run",
        "1 a invited ann@x | b? email_taken",
    ),
];

const NEWCOMERS: &[Case] = &[
    ("no address", "new a - #1; run", "a? no_email"),
    ("no address, then one", "new a - #1; run; mail a ann@x; run", "1 a active ann@x"),
    ("disabled before it was ever provisioned", "off-new a ann@x #1; run", ""),
    ("disabled before a worker looked", "new a ann@x #1; off a; run", "1 a suspended ann@x"),
    ("disabled before a worker looked, enabled later", "new a ann@x #1; off a; run; on a; run", "1 a active ann@x"),
    ("disabled from the start, enabled later", "off-new a ann@x #1; run; on a; run", "1 a active ann@x"),
    ("a disabled newcomer is in nobody's way", "off-new a ann@x #1; new b ann@x #2; run", "1 b active ann@x"),
    ("created and deleted before a run", "new a ann@x #1; del a; run", ""),
    ("two newcomers with one address", "new a ann@x #1; new b ann@x #2; run", "1 a active ann@x | b? email_taken"),
    (
        "of two newcomers the first moves on",
        "new a ann@x #1; new b ann@x #2; run; mail a ann.b@x; run",
        "1 a active ann.b@x | 2 b active ann@x",
    ),
    ("plus tags are mailboxes", "new a ann@x; new b ann+b@x; run", "1 a active ann@x | 2 b active ann+b@x"),
    ("case is no difference", "new a ann@x #1; new b ANN@X #2; run", "1 a active ann@x | b? email_taken"),
    (
        "composition is no difference",
        "new a jos\u{e9}@x #1; new b JOSE\u{301}@x #2; run",
        "1 a active jos\u{e9}@x | b? email_taken",
    ),
    ("folding is full", "new a straße@x #1; new b STRASSE@x #2; run", "1 a active straße@x | b? email_taken"),
    (
        "one external id on two records is two people",
        "new a ann@x #1; new b bob@x #1; run",
        "1 a active ann@x | 2 b active bob@x",
    ),
    (
        "an address given on in one go",
        "new a ann@x #1; run; mail a ann.b@x; new b ann@x #2; run",
        "1 a active ann.b@x | 2 b active ann@x",
    ),
    (
        "an address re-issued while its former holder is suspended",
        "new a ann@x #1; run; del a; run; new b ann@x #2; run",
        "1 a suspended (ann@x) | 2 b active ann@x",
    ),
    (
        "an address re-issued after its former holder was removed",
        "set on_deleted=remove; new a ann@x #1; run; del a; new b ann@x #2; run",
        "1 a removed ann@x | 2 b active ann@x",
    ),
    (
        "dx3: a simulated source is in nobody's way",
        "sim s ann@x #9; new a ann@x #1; run!",
        "1 a active ann@x | s? email_taken",
    ),
    (
        "dx3: a simulated source gives no address away",
        "new s ann@x #9; run; simulate; mail s s@x; new a ann@x #1; run",
        "1 s active ann@x | a? email_taken",
    ),
];

const RETURNING: &[Case] = &[
    ("a rehire with the same external id", "new a ann@x #1; run; del a; run; new b ann@x #1; run", "1 b active ann@x"),
    ("a rehire under another address", "new a ann@x #1; run; del a; run; new b an@x #1; run", "1 b active an@x"),
    ("a rehire without external ids", "new a ann@x; run; del a; run; new b ann@x; run", "1 b active ann@x"),
    (
        "a rehire that begins disabled",
        "new a ann@x #1; run; del a; run; off-new b ann@x #1; run",
        "1 b suspended ann@x",
    ),
    ("deleted and made again in one go", "new a ann@x #1; run; del a; new b ann@x #1; run", "1 b active ann@x"),
    ("made again before it is deleted", "new a ann@x; run; new b ann@x; run; del a; run", "1 b active ann@x"),
    (
        "made again before it is disabled and deleted",
        "new a ann@x; run; new b ann@x; run; off a; run; del a; run",
        "1 b active ann@x",
    ),
    (
        "removed after they had left before a worker looked",
        "set on_deleted=remove; new a ann@x #1; off a; run; del a; run; new b ann@x #1; run",
        "1 b active ann@x",
    ),
    (
        "a removed member returns",
        "set on_deleted=remove; new a ann@x #1; run; del a; run; new b ann@x #1; run",
        "1 b active ann@x",
    ),
    (
        "a removed member without external id is a new person",
        "set on_deleted=remove; new a ann@x; run; del a; run; new b ann@x; run",
        "1 a removed ann@x | 2 b active ann@x",
    ),
    (
        "a removed member returns whose address was re-issued",
        "set on_deleted=remove; new a ann@x #1; run; del a; run; new b ann@x #2; run; new c ann@x #1; run",
        "1 a removed ann@x | 2 b active ann@x | c? email_taken",
    ),
    (
        "and comes in under another address",
        "set on_deleted=remove; new a ann@x #1; run; del a; run; new b ann@x #2; run; new c an@x #1; run",
        "1 c active an@x | 2 b active ann@x",
    ),
    (
        "a removed member returns without an address and the former one is taken",
        "set on_deleted=remove; new a ann@x #1; run; del a; run; new b ann@x #2; run; new c - #1; run",
        "1 a removed ann@x | 2 b active ann@x | c? email_taken",
    ),
    (
        "dx13: removed while invited, back when the invitation's address is another's",
        "set onboarding=invite; set on_deleted=remove; new a ann@x #1; run; del a; run; new b ann@x #2; run; \
         new c an@x #1; run",
        "1 c invited an@x | 2 b invited ann@x",
    ),
    (
        "a removed member who is disabled at the source is in nobody's way",
        "set on_deleted=remove; new a ann@x #1; run; del a; run; off-new b ann@x #1; new c ann@x #2; run",
        "1 b removed ann@x | 2 c active ann@x",
    ),
    (
        "two records return to one member",
        "new a ann@x #1; run; del a; run; new b ann@x #1; new c cy@x #1; run",
        "1 b active ann@x | 2 c active cy@x",
    ),
    (
        "the external id says more than the address",
        "new a ann@x #1; run; del a; run; new b ann@x; new c cy@x #1; run!",
        "1 c active cy@x | 2 b active ann@x",
    ),
];

const BY_HAND: &[Case] = &[
    ("dx2: an existing member is adopted", "hand ann@x; new a Ann@x #1; run", "1 a active Ann@x"),
    (
        "dx2: adoption is off",
        "set adopt_existing=false; hand ann@x; new a ann@x #1; run",
        "1 - active ann@x | a? adoption_off",
    ),
    (
        "dx2: two records want one member",
        "hand ann@x; new a ann@x #1; new b ann@x #2; run",
        "1 a active ann@x | b? email_taken",
    ),
    ("dx2: an adopted member leaves", "hand ann@x; new a ann@x #1; run; off a; run", "1 a suspended ann@x"),
    (
        "dx1: who is in no record is left alone",
        "hand ann@x; new b bob@x #2; run; del b; run",
        "1 - active ann@x | 2 b suspended bob@x",
    ),
    (
        "dx1: an unmanaged member's address is not taken",
        "hand ann@x; new b b@x #2; run; mail b ann@x; run",
        "1 - active ann@x | 2 b active b@x | b? email_taken",
    ),
    (
        "lp12: case and composition find the member",
        "hand JOSE\u{301}@x; new a jos\u{e9}@x #1; run",
        "1 a active jos\u{e9}@x",
    ),
];

/// Entra renames a soft-deleted user: 32 hexadecimal digits before the old name.
const TOMBSTONES: &[Case] = &[
    ("soft-deleted", "new a ann@x #1; run; off a; mail a †ann@x; run", "1 a suspended ann@x"),
    ("renamed before it is disabled", "new a ann@x #1; run; mail a †ann@x; run", "1 a active ann@x"),
    (
        "soft-deleted and restored",
        "new a ann@x #1; run; off a; mail a †ann@x; run; on a; mail a ann@x; run",
        "1 a active ann@x",
    ),
    (
        "soft-deleted, then deleted for good",
        "new a ann@x #1; run; off a; mail a †ann@x; run; del a; run",
        "1 a suspended ann@x",
    ),
    ("soft-deleted before a worker looked", "new a ann@x #1; off a; mail a †ann@x; run", "1 a suspended ann@x"),
    (
        "soft-deleted before a worker looked, the address re-issued",
        "new b ann@x #2; run; new a ann@x #1; off a; mail a †ann@x; run",
        "1 b active ann@x | a? email_taken",
    ),
    ("never seen before", "hand ann@x; off-new a †ann@x #1; run", "1 - active ann@x"),
    (
        "another person gets the address",
        "new a ann@x #1; run; off a; mail a †ann@x; new b ann@x #2; run",
        "1 a suspended (ann@x) | 2 b active ann@x",
    ),
    (
        "an address that only looks like one",
        "new a 0123456789abcdef0123456789abcdef@x #1; run; off a; run; on a; run",
        "1 a active 0123456789abcdef0123456789abcdef@x",
    ),
    (
        "an address that is a longer hash",
        "new a 0123456789abcdef0123456789abcdef01234567@x #1; run",
        "1 a active 0123456789abcdef0123456789abcdef01234567@x",
    ),
];

fn simulated() -> SourceId {
    Uuid::from_u128(2).into()
}

struct Script {
    hub: Hub,
    records: BTreeMap<String, DirectoryUserId>,
    settings: Vec<String>,
    chunk: usize,
}

impl Script {
    fn new(chunk: usize) -> Self {
        let mut hub = Hub::new();
        hub.modes.insert(simulated(), SourceMode::Simulate);
        Self { hub, records: BTreeMap::new(), settings: vec!["onboarding=federated".into()], chunk }
    }

    fn step(&mut self, words: &[&str]) {
        match *words {
            ["hand", email] => {
                self.hub.unmanaged(email, Role::Member);
            }
            [verb @ ("new" | "off-new" | "sim"), letter, email, ref rest @ ..] => {
                self.create(verb, letter, email, rest)
            }
            ["mail", letter, email] => self.edit(letter, |r| r.email = address(email)),
            ["name", letter, name] => self.edit(letter, |r| r.display_name = Some(name.to_owned())),
            ["off", letter] => self.edit(letter, |r| r.active = false),
            ["on", letter] => self.edit(letter, |r| r.active = true),
            ["del", letter] => self.hub.delete_user(self.records[letter]),
            ["accept", letter] => {
                let member = self.hub.member_of(self.records[letter]).expect("a member");
                self.hub.accept(member.id);
            }
            ["admin", letter] => self.member(letter).role = Role::Admin,
            ["billing", letter] => self.member(letter).billing_contact = true,
            ["member", letter] => {
                let member = self.member(letter);
                (member.role, member.billing_contact) = (Role::Member, false);
                self.hub.changes.push_back(Touch::User(self.records[letter]));
            }
            ["protect", letter] => {
                let id = self.member(letter).id;
                self.hub.policy.protected_members.insert(id);
            }
            ["retry", letter] => self.hub.changes.push_back(Touch::User(self.records[letter])),
            ["seats", seats] => self.hub.set_seats(seats.parse().expect("a number")),
            ["approve"] => self.hub.approve(),
            ["window"] => self.hub.pass_window(),
            ["simulate"] => {
                self.hub.modes.insert(scim(), SourceMode::Simulate);
                self.hub.modes.insert(simulated(), SourceMode::Live);
                let newcomers = simulated();
                // From here on the second source is the live one.
                self.settings.push(format!("source={newcomers}"));
            }
            ["set", setting] => {
                self.settings.push(setting.to_owned());
                self.hub.policy = Policy::with_settings(self.settings.iter().map(String::as_str)).expect("a policy");
            }
            ["run" | "run!"] => {
                let chunk = self.chunk;
                self.hub.settle_in_chunks(&mut |waiting| waiting.min(chunk));
            }
            _ => panic!("no such step: {words:?}"),
        }
    }

    fn create(&mut self, verb: &str, letter: &str, email: &str, rest: &[&str]) {
        let mut new = record("-");
        new.email = address(email);
        new.active = verb != "off-new";
        new.external_id = rest.first().map(|id| id.trim_start_matches('#').to_owned());
        let swapped = self.settings.iter().any(|setting| setting.starts_with("source="));
        let source = if verb == "sim" || swapped { simulated() } else { scim() };
        let id = self.hub.create_user_of(source, new);
        self.records.insert(letter.to_owned(), id);
    }

    fn edit(&mut self, letter: &str, edit: impl FnOnce(&mut rollcall_core::directory::PersonRecord)) {
        self.hub.edit_user(self.records[letter], edit);
    }

    fn member(&mut self, letter: &str) -> &mut MemberState {
        let id = self.hub.member_of(self.records[letter]).expect("a member").id;
        self.hub.members.get_mut(&id).expect("a member")
    }

    fn letter(&self, user: Option<DirectoryUserId>) -> &str {
        let known = self.records.iter().find(|(_, id)| Some(**id) == user);
        known.map_or("-", |(letter, _)| letter.as_str())
    }

    fn ending(&self) -> String {
        let members = self.hub.members.values().enumerate().map(|(place, member)| {
            let letter = self.letter(member.directory_user);
            let email = member.gave_up().map_or_else(|| member.profile.email.clone(), |former| format!("({former})"));
            format!("{} {letter} {} {email}", place + 1, member.status)
        });
        let disputes = self.hub.disputes.iter().map(|(subject, (dispute, _))| match subject {
            Subject::DirectoryUser(user) => format!("{}? {dispute}", self.letter(Some(*user))),
            other => panic!("{other:?}"),
        });
        members.chain(disputes).collect::<Vec<_>>().join(" | ")
    }
}

fn address(word: &str) -> Option<String> {
    (word != "-").then(|| word.replace('†', TOMBSTONE))
}

fn play(script: &str, chunk: usize) -> Script {
    let mut played = Script::new(chunk);
    for step in script.split(';') {
        played.step(&step.split_whitespace().collect::<Vec<_>>());
    }
    played
}

/// Plays every case in one chunk and in chunks of one, with the same result.
fn play_all(cases: &[Case]) {
    let mut wrong = Vec::new();
    for (name, script, expected) in cases {
        let chunks: &[usize] = if script.contains("run!") { &[usize::MAX] } else { &[usize::MAX, 1] };
        for chunk in chunks {
            let ending = std::panic::catch_unwind(|| play(script, *chunk).ending());
            let ending = ending.unwrap_or_else(|_| "the database would refuse it".to_owned());
            if ending != *expected {
                let by = if *chunk == 1 { ", one by one" } else { "" };
                wrong.push(format!("{name}{by}\n  expected {expected}\n  got      {ending}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn dx13_dx14_a_linked_record_keeps_its_member_whatever_happens_to_the_address() {
    play_all(LINKED);
}

#[test]
fn da2_dx3_lp12_newcomers_get_a_member_or_a_reason() {
    play_all(NEWCOMERS);
}

#[test]
fn dw8_who_comes_back_is_the_same_person() {
    play_all(RETURNING);
}

#[test]
fn dx1_dx2_members_made_by_hand_are_adopted_or_left_alone() {
    play_all(BY_HAND);
}

#[test]
fn a_tombstone_is_nobodys_address() {
    play_all(TOMBSTONES);
}

#[test]
fn a_person_who_returns_keeps_role_and_seat() {
    let mut hub = Hub::new();
    hub.owner_agrees = true;
    let first = hub.create_user(record("ann@x").anchored("1"));
    hub.settle();
    let id = hub.member_of(first).expect("a member").id;
    hub.members.get_mut(&id).expect("it").role = Role::Admin;
    hub.unmanaged("root@x", Role::Owner);
    hub.delete_user(first);
    hub.settle();
    let second = hub.create_user(record("ann@x").anchored("1"));
    hub.settle();
    let member = hub.member_of(second).expect("linked again");
    assert_eq!((member.id, member.role, member.status, member.seated), (id, Role::Admin, MemberStatus::Active, true));
}

#[test]
fn deleted_and_made_again_in_one_run_takes_no_access_away() {
    let mut hub = Hub::new();
    let first = hub.create_user(record("ann@x").anchored("1"));
    hub.settle();
    hub.delete_user(first);
    hub.create_user(record("ann@x").anchored("1"));
    let outcome = hub.settle();
    let only_relinked = matches!(outcome.applied.as_slice(), [one] if matches!(one.action, Action::Relink { .. }));
    assert!(only_relinked, "{:?}", outcome.applied);
}

#[test]
fn who_is_made_again_while_waiting_gets_the_seat_that_is_free() {
    let mut hub = Hub::new();
    hub.seats = 0;
    let first = hub.create_user(record("ann@x").anchored("1"));
    hub.settle();
    hub.delete_user(first);
    let second = hub.create_user(record("ann@x").anchored("1"));
    hub.set_seats(1);
    hub.settle();
    assert_eq!(hub.member_of(second).map(|member| member.status), Some(MemberStatus::Active));
    assert_eq!(hub.seats_used, 1);
}

#[test]
fn the_reason_of_a_match_is_the_evidence() {
    for (external_id, why) in [(Some("1"), Why::MatchedByExternalId), (None, Why::MatchedByEmail)] {
        let mut hub = Hub::new();
        let mut ann = record("ann@x");
        ann.external_id = external_id.map(str::to_owned);
        let first = hub.create_user(ann.clone());
        hub.settle();
        hub.delete_user(first);
        hub.settle();
        hub.create_user(ann);
        let relink = hub.settle().applied.into_iter().find(|item| matches!(item.action, Action::Relink { .. }));
        assert_eq!(relink.map(|item| item.why), Some(why));
    }
}

#[test]
fn dx2_adoption_is_one_change_when_nothing_but_the_link_is_new() {
    let mut hub = Hub::new();
    hub.unmanaged("ann@x", Role::Member);
    hub.create_user(record("ann@x").anchored("1"));
    let outcome = hub.settle();
    assert_eq!(outcome.applied.len(), 1, "{:?}", outcome.applied);
    hub.touch_everything();
    assert_eq!(hub.settle().applied, []);
}

#[test]
fn an_adopted_member_takes_name_and_external_id() {
    let mut hub = Hub::new();
    hub.owner_agrees = true;
    let id = hub.unmanaged("ann@x", Role::Owner);
    hub.create_user(record("Ann@x").anchored("1").named("Ann"));
    hub.settle();
    let member = &hub.members[&id];
    assert_eq!(member.profile.external_id.as_deref(), Some("1"));
    assert_eq!((member.profile.display_name.as_deref(), member.role), (Some("Ann"), Role::Owner));
    assert_eq!(fold(&member.profile.email), "ann@x");
}

#[test]
fn dx3_a_simulated_source_changes_nothing() {
    let mut hub = Hub::new();
    hub.modes.insert(scim(), SourceMode::Simulate);
    hub.unmanaged("ann@x", Role::Member);
    hub.create_user(record("ann@x"));
    hub.create_user(record("bob@x"));
    let group = hub.create_group("Team");
    let before = (hub.members.clone(), hub.sharing_groups.clone());
    let outcome = hub.settle();
    assert_eq!((outcome.applied.len(), outcome.withheld.len()), (0, 3), "{outcome:?}");
    assert_eq!((&hub.members, &hub.sharing_groups), (&before.0, &before.1));
    assert!(hub.sharing_group_of(group).is_none());
}

#[test]
fn lp6_dx8_groups_keep_their_identity() {
    let mut hub = Hub::new();
    let (design, sales) = (hub.create_group("Design"), hub.create_group("Sales"));
    hub.settle();
    let ids = (hub.sharing_group_of(design), hub.sharing_group_of(sales));
    hub.rename_group(design, "Sales");
    hub.rename_group(sales, "Design");
    hub.settle();
    assert_eq!((hub.sharing_group_of(design), hub.sharing_group_of(sales)), ids, "two groups swap names");
    let twin = hub.create_group(" sales ");
    hub.settle();
    assert_eq!(hub.sharing_group_of(twin), None, "DX8: the second of a name is skipped");
    hub.delete_group(design);
    hub.settle();
    let name = hub.sharing_group_of(twin).map(|id| hub.sharing_groups[&id].name.clone());
    assert_eq!(name.as_deref(), Some(" sales "), "and comes in when the name is free");
}

#[test]
fn ds5_a_group_deleted_and_made_again_in_one_run_is_the_same_group() {
    let mut hub = Hub::new();
    let ann = hub.create_user(record("ann@x"));
    let first = hub.create_group("Design");
    hub.set_membership(first, ann, true);
    hub.settle();
    let id = hub.sharing_group_of(first);
    hub.delete_group(first);
    let second = hub.create_group("design");
    hub.set_membership(second, ann, true);
    let outcome = hub.settle();
    assert_eq!(hub.sharing_group_of(second), id);
    assert_eq!(hub.group_members.len(), 1, "nobody left it");
    assert_eq!(outcome.applied.len(), 1, "{:?}", outcome.applied);
}

#[test]
fn a_group_takes_the_name_of_one_that_goes_in_the_same_run() {
    let mut hub = Hub::new();
    let (old, new) = (hub.create_group("Design"), hub.create_group("Design 2"));
    hub.settle();
    let kept = hub.sharing_group_of(new).expect("a group");
    hub.delete_group(old);
    hub.rename_group(new, "Design");
    hub.settle();
    assert_eq!((hub.sharing_groups[&kept].name.as_str(), hub.sharing_groups[&kept].removed), ("Design", false));
}
