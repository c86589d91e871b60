//! Replays the audit log. Each event must start from the state that the one before left, and change it; the end state
//! must be the roster.

use crate::office::{Changed, Office, pages};
use rollcall_store::{AuditEvent, AuditFilter, StoredJson};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

#[derive(Default)]
struct Ledger {
    /// Email and status.
    members: BTreeMap<Uuid, (String, String)>,
    groups: BTreeMap<Uuid, (String, BTreeSet<Uuid>)>,
    counts: BTreeMap<String, usize>,
}

pub(crate) async fn check(office: &Office, changed: &Changed) {
    let filter = AuditFilter::default();
    let events = pages(async |page| office.store.audit_events(&office.api, &filter, &page).await).await;
    let mut ledger = Ledger::default();
    for event in &events {
        *ledger.counts.entry(event.kind.clone()).or_default() += 1;
        ledger.play(event);
    }
    let (members, mut groups) = office.stored().await;
    assert_eq!(ledger.members, members, "the events are the members");
    // Group lists leave removed members out, so the comparison does too.
    let removed = |id: &Uuid| members.get(id).is_some_and(|(_, status)| status == "removed");
    for (_, inside) in ledger.groups.values_mut().chain(groups.values_mut()) {
        inside.retain(|id| !removed(id));
    }
    assert_eq!(ledger.groups, groups, "the events are the groups");
    for (kind, count) in changed.0.iter().filter(|(kind, _)| kind.contains('.')) {
        assert_eq!(ledger.counts.get(*kind), Some(count), "one {kind} for each write that changed something");
    }
}

fn text(value: &Value, path: &str) -> String {
    value.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path} is missing in {value}")).to_owned()
}

impl Ledger {
    fn play(&mut self, event: &AuditEvent) {
        let detail = event.detail.as_ref().map(StoredJson::tree).unwrap_or_default();
        let id = event.subject_id;
        match event.kind.as_str() {
            "member.created" => self.enters(id, text(&detail, "/email"), "active"),
            "member.activated" => self.enters(id, text(&detail, "/after/email"), "active"),
            // Left before a worker looked.
            "member.suspended" if detail.get("after").is_some() => {
                self.enters(id, text(&detail, "/after/email"), "suspended");
            }
            "member.updated" => {
                assert_ne!(detail["before"], detail["after"], "a change that is none: {event:?}");
                let (email, _) = self.members.get_mut(&id).expect("a known member");
                assert_eq!(*email, text(&detail, "/before/email"), "{event:?}");
                *email = text(&detail, "/after/email");
            }
            "member.suspended" => self.moves(id, &text(&detail, "/from"), "suspended"),
            "member.removed" => self.moves(id, &text(&detail, "/from"), "removed"),
            "member.restored" => self.moves(id, &text(&detail, "/from"), &text(&detail, "/to")),
            "sharing_group.created" => {
                let before = self.groups.insert(id, (text(&detail, "/after/name"), BTreeSet::new()));
                assert_eq!(before, None, "made twice: {event:?}");
            }
            "sharing_group.renamed" => {
                let (name, _) = self.groups.get_mut(&id).expect("a known group");
                assert_eq!(*name, text(&detail, "/before"), "{event:?}");
                *name = text(&detail, "/after");
            }
            "sharing_group.removed" => assert!(self.groups.remove(&id).is_some(), "removed twice: {event:?}"),
            "sharing_group.member_added" => assert!(self.inside(id).insert(member(&detail)), "{event:?}"),
            "sharing_group.member_removed" => assert!(self.inside(id).remove(&member(&detail)), "{event:?}"),
            "member.relinked" => assert!(self.members.contains_key(&id)),
            kind => {
                let told_elsewhere = ["directory_", "tenant.", "source.", "credential."];
                assert!(told_elsewhere.iter().any(|start| kind.starts_with(start)), "not expected here: {event:?}");
            }
        }
    }

    fn enters(&mut self, id: Uuid, email: String, status: &str) {
        assert_eq!(self.members.insert(id, (email, status.into())), None, "{id} came in twice");
    }

    fn moves(&mut self, id: Uuid, from: &str, to: &str) {
        let (_, status) = self.members.get_mut(&id).expect("a known member");
        assert_eq!(status, from, "{id}");
        assert_ne!(from, to, "{id}");
        to.clone_into(status);
    }

    fn inside(&mut self, group: Uuid) -> &mut BTreeSet<Uuid> {
        &mut self.groups.get_mut(&group).expect("a known group").1
    }
}

fn member(detail: &Value) -> Uuid {
    text(detail, "/member_id").parse().expect("an id")
}
