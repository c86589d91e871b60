//! The steps of one person's reconcile on the wire.

use crate::view::closed;
use rollcall_core::action::{Disputed, Item};
use rollcall_core::directory::{Dispute, SourceMode};
use rollcall_core::dry_run::{self, MatchStep};
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{DirectoryUserId, RequestId, SourceId};
use rollcall_core::world::World;
use serde::Serialize;
use utoipa::ToSchema;

/// A reconcile that was asked for and runs on a worker.
#[derive(Debug, Serialize, ToSchema)]
pub struct Requested {
    pub dry_run: bool,
    #[schema(value_type = Option<Uuid>)]
    pub request_id: Option<RequestId>,
}

/// A reconcile that changed nothing, step by step.
#[derive(Debug, Serialize, ToSchema)]
pub struct DryRun {
    pub dry_run: bool,
    pub steps: [Step; 5],
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// The record as the planner reads it.
    Source {
        #[schema(value_type = Option<Uuid>)]
        source_id: Option<SourceId>,
        #[schema(value_type = Option<closed::SourceMode>)]
        mode: Option<SourceMode>,
        record: Option<Record>,
        in_scope: Option<bool>,
    },
    Match {
        #[schema(value_type = Object)]
        matched: MatchStep,
    },
    Plan {
        #[schema(value_type = Vec<Object>)]
        items: Vec<Item>,
        disputed: Vec<DisputedRecord>,
        items_about_others: usize,
    },
    Review {
        withheld: Vec<Withheld>,
    },
    Apply {
        #[schema(value_type = Vec<Object>)]
        items: Vec<Item>,
    },
}

/// The fields of a record that the planner reads.
#[derive(Debug, Serialize, ToSchema)]
pub struct Record {
    pub email: Option<String>,
    pub external_id: Option<String>,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub active: bool,
    pub was_active: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DisputedRecord {
    #[schema(value_type = closed::DisputeKind)]
    pub dispute: Dispute,
    pub about: String,
    pub remedy: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Withheld {
    #[schema(value_type = Object)]
    pub item: Item,
    #[schema(value_type = closed::HeldReason)]
    pub held_reason: HoldReason,
    pub remedy: &'static str,
}

impl DryRun {
    pub fn of(world: &World, user: DirectoryUserId, told: dry_run::DryRun) -> Self {
        let disputed = |Disputed { dispute, about, .. }: Disputed| DisputedRecord {
            remedy: dispute.remedy().sentence,
            dispute,
            about,
        };
        let withheld = |(item, held_reason): (Item, HoldReason)| Withheld {
            item,
            remedy: held_reason.remedy().sentence,
            held_reason,
        };
        let steps = [
            Step::source(world, user),
            Step::Match { matched: told.matched },
            Step::Plan {
                items: told.planned,
                disputed: told.disputed.into_iter().map(disputed).collect(),
                items_about_others: told.others,
            },
            Step::Review { withheld: told.withheld.into_iter().map(withheld).collect() },
            Step::Apply { items: told.applied },
        ];
        Self { dry_run: true, steps }
    }
}

impl Step {
    fn source(world: &World, user: DirectoryUserId) -> Self {
        let subject = world.users.iter().find(|subject| subject.id == user);
        let record = subject.and_then(|subject| subject.record.clone()).map(|record| Record {
            email: record.email,
            external_id: record.external_id,
            display_name: record.display_name,
            given_name: record.given_name,
            family_name: record.family_name,
            active: record.active,
            was_active: record.was_active,
        });
        Self::Source {
            source_id: subject.map(|subject| subject.origin.source),
            mode: subject.map(|subject| subject.origin.mode),
            record,
            in_scope: subject.map(|subject| subject.in_scope),
        }
    }
}
