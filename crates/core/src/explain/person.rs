//! The gates of one person, in their order.

use super::facts::{Decision, Facts, Skipped, Unread, Withheld};
use super::gate::{Evidence, Gate, GateName, gate_of};
use crate::directory::{Dispute, Origin, SourceMode};
use crate::email::fold;
use crate::hold_reason::HoldReason;
use crate::plan::matching::wanted_email;
use crate::remedy;
use crate::roster::{Approval, MemberState, MemberStatus, WaitingFor};
use chrono::{DateTime, Utc};

/// Actions that end access; the other actions that guards withhold give it.
const LEAVING: [&str; 3] = ["suspend", "release_seat", "remove"];

pub(super) fn gates(facts: &Facts) -> Vec<Gate> {
    vec![
        source_record(facts),
        source_mode(facts, facts.said.as_ref().map(|said| said.origin)),
        scope(facts),
        matching(facts),
        declined(facts),
        blocked(facts),
        policy(facts),
        seat(facts),
        hold(facts),
        reconcile(facts, facts.backlog.unread),
        status(facts),
    ]
}

/// The first blocked gate of a person without access. A person with access against the source's record has it because of
/// the gate that stopped the change.
pub(super) fn deciding<'g>(facts: &Facts, gates: &'g [Gate]) -> Option<&'g Gate> {
    let mut blocked = gates.iter().filter(|gate| gate.is_blocked());
    match (facts.let_in(), facts.has_access()) {
        (false, _) => blocked.next(),
        (true, false) => blocked.find(|gate| gate.gate == GateName::Status),
        (true, true) if facts.wanted() => None,
        (true, true) => blocked.find(|gate| !matches!(gate.gate, GateName::SourceRecord | GateName::Scope)),
    }
}

pub(super) fn in_short(facts: &Facts) -> &'static str {
    match (facts.has_access(), facts.wanted()) {
        (true, true) => "Has access.",
        (true, false) => "Still has access.",
        (false, _) => "Has no access.",
    }
}

fn source_record(facts: &Facts) -> Gate {
    let gate = GateName::SourceRecord;
    let assign = &remedy::ASSIGN;
    let answer = match (&facts.said, &facts.member) {
        (None, Some(member)) if member.managed_by.is_none() => {
            Gate::ok(gate, "The member was made by hand: no source decides about them.")
        }
        (None, Some(_)) => {
            Gate::blocked(gate, "The source that manages the member has no record of this person.", assign)
        }
        (None, None) => Gate::blocked(gate, "No source says anything about this person.", assign),
        (Some(said), _) => match &said.record {
            None => Gate::blocked(gate, "The source deleted the record.", assign),
            Some(record) if record.active => Gate::ok(gate, "The source says that the person is active."),
            Some(record) if record.was_active => {
                Gate::blocked(gate, "The source says that the person is disabled.", &remedy::ENABLE)
            }
            Some(_) => Gate::blocked(gate, "The source has never said that the person is active.", assign),
        },
    };
    let manager = facts.member.as_ref().and_then(|member| member.managed_by);
    let source_id = facts.said.as_ref().map(|said| said.origin.source).or(manager);
    let last = facts.said_last.as_ref().map(Evidence::from).unwrap_or_default();
    answer.with(Evidence { source_id, ..last })
}

pub(super) fn source_mode(facts: &Facts, origin: Option<Origin>) -> Gate {
    let gate = GateName::SourceMode;
    let Some(Origin { source, mode, quarantined, .. }) = origin else {
        return match &facts.member {
            Some(_) => Gate::ok(gate, "No source is concerned."),
            None => Gate::unknown(gate, "No source has a record of this person."),
        };
    };
    // A withheld item of a simulation says nothing once the simulation is over.
    let withheld = relevant(facts, gate).filter(|w| mode != SourceMode::Live || w.decision != Decision::Simulated);
    let answer = match (mode, withheld) {
        (SourceMode::Live, _) if quarantined => Gate::blocked(
            gate,
            "The source is quarantined: what it says is planned and held, and changes nothing.",
            HoldReason::Quarantined.remedy(),
        ),
        (SourceMode::Live, Some(withheld)) => withheld_gate(withheld),
        (SourceMode::Live, None) => Gate::ok(gate, "The source is live: what it says counts."),
        (SourceMode::Simulate, _) => Gate::blocked(
            gate,
            "The source is in simulation: what it says is planned and changes nothing.",
            &remedy::SIMULATION,
        ),
        (SourceMode::Off, _) => Gate::blocked(
            gate,
            "The source is off: it may say nothing, and what it said before changes nothing.",
            &remedy::SOURCE_OFF,
        ),
    };
    let evidence = withheld.map(Evidence::from).unwrap_or_default();
    answer.with(Evidence { source_id: Some(source), ..evidence })
}

/// Names the groups that would bring the person in, or the one that does.
fn scope(facts: &Facts) -> Gate {
    let gate = GateName::Scope;
    let Some(scope) = &facts.policy.user_scope else { return Gate::ok(gate, "The policy leaves nobody out.") };
    let Some(said) = facts.said.as_ref().filter(|said| said.record.is_some()) else {
        return Gate::ok(gate, "No record of a source is concerned.");
    };
    let evidence = |about: String| Evidence { about: Some(about), ..Evidence::default() };
    if said.in_scope {
        let mut inside = facts.groups.iter().filter(|group| group.desired && scope.holds(&group.name, None));
        let answer = Gate::ok(gate, "A group of the policy's `user_scope` has the person.");
        return answer.with(inside.next().map(|group| evidence(group.name.clone())).unwrap_or_default());
    }
    let groups = scope.described();
    let sentence = format!("The person is in none of the groups that the policy's `user_scope` names: {groups}.");
    Gate::blocked(gate, sentence, &remedy::ADD_TO_SCOPE).with(evidence(groups))
}

fn matching(facts: &Facts) -> Gate {
    let gate = GateName::Match;
    match (&facts.skipped, &facts.member) {
        (Some(skipped), member) if stops(skipped, member.as_ref()) => dispute_gate(skipped),
        (Some(skipped), _) => {
            let about = &skipped.about;
            let linked = "The record is linked to the member; only the address";
            Gate::ok(gate, format!("{linked} {about} is in dispute and not given to them.")).with(skipped)
        }
        (None, Some(_)) if facts.said.is_some() => Gate::ok(gate, "The record is linked to this member."),
        (None, Some(_)) => Gate::ok(gate, "No record of a source is linked to this member."),
        (None, None) if facts.said.is_none() => {
            Gate::unknown(gate, "Nobody in the roster is this person, and there is no record that could be matched.")
        }
        (None, None) => {
            let found = match (facts.holder, facts.wanted()) {
                (Some(_), _) => "A member has this address and is not linked to the record yet.",
                (None, true) => "Nobody in the roster is this person yet: a new member is made.",
                (None, false) => {
                    "Nobody in the roster is this person, and nobody is made while the source does not want them in."
                }
            };
            Gate::ok(gate, found).with(Evidence { member_id: facts.holder, ..Evidence::default() })
        }
    }
}

/// A dispute keeps out people who are not in the roster. A member keeps their access, except for the address.
fn stops(skipped: &Skipped, member: Option<&MemberState>) -> bool {
    skipped.dispute == Dispute::Failed || member.is_none_or(|member| member.status == MemberStatus::Removed)
}

/// The gate of a skipped record or group. No wildcard, so that a new dispute must be explained.
pub(super) fn dispute_gate(skipped: &Skipped) -> Gate {
    let about = &skipped.about;
    let sentence = match skipped.dispute {
        Dispute::NoEmail => "The record has no usable email address.".to_owned(),
        Dispute::MappingFailed => format!("The policy's mapping fails for the record: {about}."),
        Dispute::EmailTaken => format!("Another member has the address {about}."),
        Dispute::ExternalIdTaken => {
            format!("Another active record with the external id {about} feeds the member.")
        }
        Dispute::AdoptionOff => format!("A member made by hand has the address {about}, and the policy adopts nobody."),
        Dispute::GroupOutOfScope => format!("The policy does not sync the group {about}."),
        Dispute::GroupDeletedHere => format!("The sharing group {about} was deleted in the product."),
        Dispute::GroupNameTaken => format!("Another sharing group is called {about}."),
        Dispute::Failed => format!("Applying the last change failed: {about}."),
    };
    Gate::blocked(GateName::Match, sentence, skipped.dispute.remedy()).with(skipped)
}

fn declined(facts: &Facts) -> Gate {
    let gate = GateName::Declined;
    let pending = facts.member.as_ref().filter(|member| member.status == MemberStatus::Pending);
    let decided = facts.decided_last.as_ref().map(Evidence::from).unwrap_or_default();
    match pending.and_then(|member| member.approval) {
        Some(Approval::Declined) => {
            Gate::blocked(gate, "An admin declined the person: no sync lets them in.", &remedy::APPROVE).with(decided)
        }
        Some(Approval::Approved) => Gate::ok(gate, "An admin approved the person.").with(decided),
        None => Gate::ok(gate, "Nobody has declined the person."),
    }
}

fn blocked(facts: &Facts) -> Gate {
    let gate = GateName::Blocked;
    let last = facts.blocked_last.as_ref().map(Evidence::from).unwrap_or_default();
    match &facts.member {
        Some(member) if member.is_blocked() => {
            Gate::blocked(gate, "An admin blocked the person: no sync lets them in.", &remedy::UNBLOCK).with(last)
        }
        _ if facts.blocked_last.is_some() => Gate::ok(gate, "An admin lifted the block.").with(last),
        _ => Gate::ok(gate, "Nobody has blocked the person."),
    }
}

fn policy(facts: &Facts) -> Gate {
    let gate = GateName::Policy;
    if let Some(withheld) = relevant(facts, gate) {
        return withheld_gate(withheld);
    }
    let undecided =
        |member: &&MemberState| member.waiting_for == Some(WaitingFor::Approval) && member.approval.is_none();
    if facts.member.as_ref().is_some_and(|member| undecided(&member)) && facts.wanted() {
        let sentence = "The policy wants new people approved, and nobody has yet.";
        let answer = Gate::blocked(gate, sentence, &remedy::APPROVE_OR_TRUST);
        return answer.with(facts.status_last.as_ref().map(Evidence::from).unwrap_or_default());
    }
    if facts.wanted() && facts.member.is_none() && facts.holder.is_none() && !facts.policy.auto_provision {
        return Gate::blocked(gate, "The policy lets nobody in by itself.", &remedy::PROVISIONING_OFF);
    }
    if !facts.wanted() && facts.has_access() && !facts.policy.auto_deprovision {
        return Gate::blocked(gate, "The policy takes access from nobody by itself.", &remedy::DEPROVISIONING_OFF);
    }
    Gate::ok(gate, "The policy lets it happen.")
}

fn seat(facts: &Facts) -> Gate {
    let (gate, seats) = (GateName::Seat, facts.seats);
    let count = format!("{} of {} seats are taken", seats.used, seats.bought);
    if facts.member.as_ref().and_then(|member| member.waiting_for) == Some(WaitingFor::Seat) {
        let place = match seats.place {
            Some(1) => "the next is this person".to_owned(),
            Some(place) => format!("{} people come before this one", place - 1),
            None => "many people come before this one".to_owned(),
        };
        let since = facts.status_last.as_ref().map(Evidence::from).unwrap_or_default();
        let answer = Gate::blocked(gate, format!("Waits for a seat: {count}, and {place}."), &remedy::BUY_SEATS);
        return answer.with(Evidence { place: seats.place, ..since });
    }
    match &facts.member {
        Some(member) if member.seated => Gate::ok(gate, format!("Has a seat; {count}.")),
        _ if seats.used < seats.bought => Gate::ok(gate, format!("Seats are free; {count}.")),
        _ if seats.bought < facts.policy.seats_at_most(seats.bought) => {
            Gate::ok(gate, format!("A seat is bought when one is needed; {count}."))
        }
        _ => Gate::unknown(gate, format!("Would wait for a seat: {count}.")),
    }
}

fn hold(facts: &Facts) -> Gate {
    match relevant(facts, GateName::Hold) {
        Some(withheld) => withheld_gate(withheld),
        None => Gate::ok(GateName::Hold, "No guard withholds anything about this person."),
    }
}

/// The newest item that is withheld at this gate. A rejected item counts only while the source still wants it.
fn relevant(facts: &Facts, gate: GateName) -> Option<&Withheld> {
    let of_gate = facts.withheld.iter().filter(|withheld| gate_of(withheld.reason) == gate);
    of_gate.into_iter().find(|withheld| match withheld.decision {
        Decision::Held | Decision::Approved | Decision::Simulated => true,
        Decision::Rejected => {
            let leaving = LEAVING.contains(&withheld.action.as_str());
            facts.wanted() != facts.let_in() && leaving == facts.let_in()
        }
    })
}

pub(super) fn withheld_gate(withheld: &Withheld) -> Gate {
    let Withheld { action, reason, run, .. } = withheld;
    let why = match withheld.decision {
        Decision::Held => format!("`{action}` is held in run {run}: {reason}."),
        Decision::Approved => format!("`{action}` was approved in run {run}; a worker is about to apply it."),
        Decision::Rejected => {
            format!("An admin rejected `{action}` in run {run}; the source's next word is judged anew.")
        }
        Decision::Simulated => format!("`{action}` was only planned, in run {run}."),
    };
    // A decided run takes no further decision, so its reason's remedy would be refused.
    let remedy = match withheld.decision {
        Decision::Held | Decision::Simulated => reason.remedy(),
        Decision::Approved => &remedy::ASK_AGAIN,
        Decision::Rejected => &remedy::SAY_AGAIN,
    };
    Gate::blocked(gate_of(*reason), why, remedy).with(withheld)
}

pub(super) fn reconcile(facts: &Facts, unread: Option<Unread>) -> Gate {
    let (gate, backlog) = (GateName::Reconcile, &facts.backlog);
    let Some(unread) = unread else {
        return match backlog.deeper {
            true => Gate::unknown(gate, "Many changes wait for a worker; one of this person may be among them."),
            false => Gate::ok(gate, "A worker has looked at everything that was said."),
        };
    };
    let age = (facts.now - unread.since).num_seconds().max(0);
    let later = |at: &DateTime<Utc>| *at > facts.now;
    let (state, remedy) = match (backlog.retry_at.filter(later), backlog.leased_until.filter(later)) {
        (Some(at), _) => {
            let error = backlog.last_error.as_deref().unwrap_or("an error");
            (format!("the tenant is tried again at {at} because of: {error}"), &remedy::TELL_OPERATOR)
        }
        (None, Some(_)) => ("a worker is at it".to_owned(), &remedy::ASK_AGAIN),
        (None, None) => ("no worker has looked at it yet".to_owned(), &remedy::ASK_AGAIN),
    };
    let from = unread.request.map_or_else(String::new, |request| format!(" from request {request}"));
    let retry_at = backlog.retry_at.filter(later);
    let error = backlog.last_error.clone().filter(|_| retry_at.is_some());
    let answer = Gate::blocked(gate, format!("A change{from} is {age} s old, and {state}."), remedy);
    answer.with(Evidence { retry_at, error, ..Evidence::from(&unread) })
}

fn status(facts: &Facts) -> Gate {
    let gate = GateName::Status;
    let Some(member) = &facts.member else {
        let nobody = "The person is no member.";
        return Gate::blocked(gate, nobody, &remedy::EARLIER_GATES);
    };
    let answer = match member.status {
        MemberStatus::Active => Gate::ok(gate, "The member is active."),
        MemberStatus::Invited => return invitation(facts, member),
        MemberStatus::Pending => {
            Gate::blocked(gate, "The member is pending: no seat, no access.", &remedy::EARLIER_GATES)
        }
        MemberStatus::Suspended => {
            let remedy = if member.is_blocked() {
                &remedy::UNBLOCK
            } else if facts.said.as_ref().is_some_and(|said| said.record.as_ref().is_some_and(|record| record.active)) {
                &remedy::EARLIER_GATES
            } else if member.managed_by.is_some() {
                &remedy::ENABLE
            } else {
                &remedy::ADOPT_BY_SOURCE
            };
            let kept = "The member is suspended; role and groups are kept.";
            match member.gave_up() {
                Some(email) => {
                    let given_on = format!("{kept} Another person of the directory has their former address {email}.");
                    Gate::blocked(gate, given_on, &remedy::RETURN_WITH_ADDRESS)
                }
                None => Gate::blocked(gate, kept, remedy),
            }
        }
        MemberStatus::Removed => Gate::blocked(gate, "The member was removed.", &remedy::ASSIGN_AGAIN),
    };
    answer.with(facts.status_last.as_ref().map(Evidence::from).unwrap_or_default())
}

/// An open invitation keeps its address, whatever address the directory has meanwhile (DX13).
fn invitation(facts: &Facts, member: &MemberState) -> Gate {
    let gate = GateName::Status;
    let record = facts.said.as_ref().and_then(|said| said.record.as_ref());
    let present = record.and_then(|record| wanted_email(record, Some(member)));
    let last = facts.status_last.as_ref().map(Evidence::from).unwrap_or_default();
    match present.filter(|email| fold(email) != fold(&member.profile.email)) {
        None => Gate::blocked(gate, "The invitation is not accepted yet.", &remedy::ACCEPT).with(last),
        Some(waiting) => {
            let sent = &member.profile.email;
            let sentence = format!(
                "The invitation to {sent} is not accepted yet, and the directory's present address {waiting} waits for it."
            );
            let answer = Gate::blocked(gate, sentence, &remedy::ACCEPT_OR_INVITE_AGAIN);
            answer.with(Evidence { about: Some(waiting.to_owned()), ..last })
        }
    }
}
