//! Closed sets of values, as the OpenAPI document tells them. Each is the list of a type of the hub, so that no value is written twice
//! and none is left out.

use rollcall_core::action::{ActionKind, Why as WhyOf};
use rollcall_core::block::BlockRefusal as BlockRefusals;
use rollcall_core::change::{Impossible, StepKind};
use rollcall_core::directory::{
    Dispute as Disputes, PeopleAfter as Fates, SourceKind as SourceKinds, SourceMode as Modes,
};
use rollcall_core::event::{AuditKind as AuditKinds, ChangedList as Lists, SUBJECT_KINDS};
use rollcall_core::explain::{GateName as Gates, GateState as GateStates, Situation as Situations};
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::invitation::InvitationRefusal as InvitationRefusals;
use rollcall_core::permission::Permission as PermissionOf;
use rollcall_core::policy as policies;
use rollcall_core::role_rules::RuledRole as RuledRoles;
use rollcall_core::roster::{Approval as Approvals, MemberStatus as Statuses, Role as Roles, WaitingFor as Waits};
use rollcall_core::run::{FoundIn as Found, ItemDecision as ItemDecisions, RunState as States, RunVerdict as Verdicts};
use rollcall_core::sign_in::ConnectionUse as Uses;
use rollcall_core::sign_in_groups::Fill as Fills;
use rollcall_core::upload as uploads;
use rollcall_scim::{Quirk as Quirks, ScimType as ScimTypes};
use rollcall_web::Code;
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The texts of all values of a type.
pub(crate) fn texts<T: Copy + Into<&'static str>>(all: &[T]) -> Vec<&'static str> {
    all.iter().map(|value| (*value).into()).collect()
}

/// The texts of two types that one field may have, each once.
fn either(mut one: Vec<&'static str>, other: Vec<&'static str>) -> Vec<&'static str> {
    one.extend(other);
    let mut seen = Vec::new();
    one.retain(|text| {
        !seen.contains(text) && {
            seen.push(*text);
            true
        }
    });
    one
}

macro_rules! closed_sets {
    ($($(#[doc = $doc:literal])* $name:ident = $values:expr;)+) => {$(
        $(#[doc = $doc])*
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let about = concat!($($doc),*).trim();
                let one = ObjectBuilder::new().schema_type(Type::String).enum_values(Some($values));
                RefOr::T(Schema::Object(one.description(Some(about)).build()))
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+};
}

closed_sets! {
    /// The status of a member.
    MemberStatus = texts(Statuses::ALL);
    /// A role; each may do what the later ones may, but for an auditor, who changes nothing.
    Role = texts(Roles::ALL);
    /// The reason why a person is not invited.
    InvitationRefusal = texts(InvitationRefusals::ALL);
    /// The groups that a sign-in fills.
    Fill = texts(Fills::ALL);
    /// A part of the API that a key may use.
    Permission = texts(PermissionOf::ALL);
    /// Why a member waits.
    WaitingFor = texts(Waits::ALL);
    /// An admin's decision about a pending member.
    Approval = texts(Approvals::ALL);
    /// How a source sends records.
    SourceKind = texts(SourceKinds::ALL);
    /// Whether the changes of a source have an effect.
    SourceMode = texts(Modes::ALL);
    /// The fate of the people of a source that is left behind.
    PeopleAfter = texts(Fates::ALL);
    /// Why a record is skipped.
    DisputeKind = texts(Disputes::ALL);
    /// Whether people sign in by a connection.
    ConnectionUse = texts(Uses::ALL);
    /// A role that a rule may give.
    RuledRole = texts(RuledRoles::ALL);
    /// The state of a run.
    RunState = texts(States::ALL);
    /// Whether everything in a run happened.
    RunVerdict = texts(Verdicts::ALL);
    /// The outcome of one item of a run.
    ItemDecision = texts(ItemDecisions::ALL);
    /// The deed of an item; a rewind has the steps back as well, and the plan of a detachment `detach`.
    ItemAction = either(either(texts(ActionKind::ALL), texts(StepKind::ALL)), vec!["detach"]);
    /// Why an item is in a plan.
    ItemReason = texts(WhyOf::ALL);
    /// Why an item is withheld, or why a step of a rewind is impossible.
    HeldReason = either(texts(HoldReason::ALL), texts(Impossible::ALL));
    /// In which of two runs an action is.
    FoundIn = texts(Found::ALL);
    /// Why a member is not blocked, or not unblocked.
    BlockRefusal = texts(BlockRefusals::ALL);
    /// The kind of an event.
    AuditKind = texts(AuditKinds::ALL);
    /// Whether events go to an endpoint.
    WebhookStatus = texts(rollcall_core::webhook::WebhookStatus::ALL);
    /// Why the hub stopped an endpoint.
    WebhookDisabledReason = texts(rollcall_core::webhook::WebhookDisabledReason::ALL);
    /// Why a message was sent.
    DeliveryPurpose = texts(rollcall_core::webhook::DeliveryPurpose::ALL);
    /// The result of an attempt.
    DeliveryOutcome = texts(rollcall_core::webhook::DeliveryOutcome::ALL);
    /// The kind of an event that products hear of.
    OutgoingKind = rollcall_core::event::outgoing();
    /// The kind of a failure, for programs. It is stable.
    ProblemCode = texts(Code::ALL);
    /// A list whose changes can be watched.
    ChangedList = texts(Lists::ALL);
    /// The kind of thing that an event, an item or a skipped record is about.
    SubjectKind = SUBJECT_KINDS.to_vec();
    /// How a record and a member stand to each other.
    Situation = texts(Situations::ALL);
    /// A question between a person and access.
    GateName = texts(Gates::ALL);
    /// The answer to it.
    GateState = texts(GateStates::ALL);
    /// The state of an agent's key.
    AgentKeyState = vec!["pending", "active", "superseded", "revoked"];
    /// The form of an upload.
    UploadKind = texts(uploads::UploadKind::ALL);
    /// The progress of an upload.
    UploadState = texts(uploads::UploadState::ALL);
    /// Why an upload is refused.
    UploadRefusal = texts(uploads::UploadRefusal::ALL);
    /// A departure from the RFCs of SCIM.
    QuirkName = Quirks::all().map(Quirks::name).collect::<Vec<_>>();
    /// The keyword of a SCIM error.
    ScimType = ScimTypes::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>();
    /// How new people come in.
    Onboarding = texts(policies::Onboarding::ALL);
    /// The order in which people get seats.
    SeatOrder = texts(policies::SeatOrder::ALL);
    /// The consequence for a member who has left.
    OnDeleted = texts(policies::OnDeleted::ALL);
    /// The meaning of a PUT of a group without `members`.
    PutWithoutMembers = texts(policies::PutWithoutMembers::ALL);
    /// The consequence for people beyond the removal limit.
    OverLimit = texts(policies::OverLimit::ALL);
    /// A name that the product may own.
    LocalAttribute = texts(policies::LocalAttribute::ALL);
}
