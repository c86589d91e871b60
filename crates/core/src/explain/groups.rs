//! Explanation of one sharing group: the source's membership, and the cause of a difference in the roster.

use super::facts::{Facts, GroupFacts};
use super::gate::{Evidence, Gate, GateName};
use super::person::{dispute_gate, reconcile, source_mode, withheld_gate};
use crate::directory::Dispute;
use crate::ids::{DirectoryGroupId, SharingGroupId};
use crate::remedy;
use serde::Serialize;

/// State of the person in one group, and the cause when source and roster differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupPath {
    pub name: String,
    pub sharing_group_id: Option<SharingGroupId>,
    pub directory_group_id: Option<DirectoryGroupId>,
    /// The source has the person in it.
    pub wanted: bool,
    /// The roster has the person in it.
    pub inside: bool,
    pub sentence: String,
    pub decided_by: Option<Gate>,
}

pub(super) fn path(facts: &Facts, group: &GroupFacts) -> GroupPath {
    let mut gates = gates(facts, group).into_iter().filter(Gate::is_blocked);
    let decided_by = match (group.desired, group.actual) {
        (true, false) => gates.next(),
        (false, true) => gates.find(|gate| gate.gate != GateName::SourceRecord),
        _ => None,
    };
    let short = match (group.desired, group.actual) {
        (true, true) => "In the group, as the source says.",
        (false, true) if group.directory_group.is_none() => "In the group; no source decides about it.",
        (false, true) => "Still in the group, which the source no longer says.",
        (true, false) => "Not in the group, although the source says so.",
        (false, false) => "Not in the group, as the source says.",
    };
    let reason = decided_by.as_ref().map_or(String::new(), |gate| format!(" {}", gate.sentence));
    GroupPath {
        name: group.name.clone(),
        sharing_group_id: group.sharing_group,
        directory_group_id: group.directory_group,
        wanted: group.desired,
        inside: group.actual,
        sentence: format!("{short}{reason}"),
        decided_by,
    }
}

fn gates(facts: &Facts, group: &GroupFacts) -> Vec<Gate> {
    vec![
        match group.desired {
            true => Gate::ok(GateName::SourceRecord, "The source says that the person is in the group."),
            false => Gate::blocked(
                GateName::SourceRecord,
                "The source does not say that the person is in the group.",
                &remedy::ADD_TO_GROUP,
            ),
        },
        Gate {
            evidence: Evidence { source_id: group.origin.map(|origin| origin.source), ..Evidence::default() },
            ..source_mode(facts, group.origin)
        },
        match &group.skipped {
            Some(skipped) if skipped.dispute != Dispute::GroupOutOfScope => dispute_gate(skipped),
            _ => Gate::ok(GateName::Match, "The sharing group of the directory group is known."),
        },
        match facts.policy.group_sync {
            true if group.skipped.as_ref().is_some_and(|skipped| skipped.dispute == Dispute::GroupOutOfScope) => {
                let sentence = "The policy's `group_scope` leaves the group out.";
                Gate::blocked(GateName::Policy, sentence, &remedy::GROUP_LEFT_OUT)
            }
            true => Gate::ok(GateName::Policy, "Directory groups become sharing groups."),
            false => {
                Gate::blocked(GateName::Policy, "The policy leaves sharing groups alone.", &remedy::GROUP_SYNC_OFF)
            }
        },
        match &group.withheld {
            Some(withheld) => withheld_gate(withheld),
            None => Gate::ok(GateName::Hold, "No guard withholds it."),
        },
        reconcile(facts, group.unread.or(facts.backlog.unread)),
        membership(facts, group),
    ]
}

fn membership(facts: &Facts, group: &GroupFacts) -> Gate {
    let gate = GateName::Status;
    let before = &remedy::EARLIER_GATES;
    match (&facts.member, group.sharing_group) {
        (None, _) => Gate::blocked(gate, "Only members are in sharing groups, and the person is none.", before),
        (Some(_), None) => Gate::blocked(gate, "The sharing group does not exist.", &remedy::MAKE_GROUP),
        (Some(_), Some(_)) if group.actual => Gate::ok(gate, "The member is in the sharing group."),
        (Some(_), Some(_)) => Gate::blocked(gate, "The member is not in the sharing group.", before),
    }
}
