//! An item of a run as a rewind reads it, and the step that it means.

use crate::engine::error::StoreError;
use crate::reconcile::subjects::{ids_of, subject_of};
use rollcall_core::action::ActionKind;
use rollcall_core::change::{Change, Recorded, Step, Subject, Target};
use sea_orm::FromQueryResult;
use serde_json::Value as Json;
use uuid::Uuid;

/// Phase of a rewind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Planning,
    Applying,
}

/// The fields of a run's item that a rewind needs.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Line {
    pub(crate) id: Uuid,
    pub(crate) run_id: Uuid,
    pub(crate) action: String,
    pub(crate) subject_kind: String,
    pub(crate) subject_id: Uuid,
    pub(crate) member_id: Option<Uuid>,
    pub(crate) group_id: Option<Uuid>,
    pub(crate) who: Option<Json>,
    before: Option<Json>,
    after: Option<Json>,
}

pub(super) const LINE: &str =
    "i.id, i.run_id, i.action, i.subject_kind, i.subject_id, i.member_id, i.group_id, i.who, i.before, i.after";

impl Line {
    pub(crate) fn subject_kind(&self) -> Result<&'static str, StoreError> {
        let unknown = || StoreError::database(format!("an item about a {}", self.subject_kind));
        Ok(ids_of(subject_of(&self.subject_kind, self.subject_id).ok_or_else(unknown)?).0)
    }

    /// The action of its inverse; `undo` when it has none.
    pub(crate) fn inverse_action(&self) -> &'static str {
        self.step(Phase::Planning).map_or(ActionKind::Undo.as_str(), |step| step.kind().as_str())
    }

    /// The step that takes it back.
    pub(super) fn inverse(&self) -> Option<Step> {
        self.step(Phase::Planning)
    }

    pub(super) fn recorded(&self) -> Option<Recorded> {
        let subject: Subject = subject_of(&self.subject_kind, self.subject_id)?;
        let target = match (self.member_id, self.group_id) {
            (Some(member), None) => Target::Member(member.into()),
            (None, Some(group)) => Target::Group(group.into()),
            (Some(member), Some(group)) => Target::Membership(group.into(), member.into()),
            (None, None) => return None,
        };
        let fields = |json: &Option<Json>| json.as_ref().and_then(Json::as_object).cloned();
        let change = Change { before: fields(&self.before), after: fields(&self.after)? };
        Some(Recorded { subject, target, change })
    }

    /// The worker's step for this line in that phase.
    pub(super) fn step(&self, phase: Phase) -> Option<Step> {
        let recorded = self.recorded()?;
        match phase {
            Phase::Planning => Step::inverse(self.id, &recorded),
            Phase::Applying => {
                let Recorded { subject, target, change } = recorded;
                Some(Step { id: self.id, subject, target, change })
            }
        }
    }
}
