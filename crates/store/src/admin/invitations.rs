//! Invitations by hand (DW1, DW2): the rules are [`rollcall_core::invitation`]'s. The lease is taken away first, so that no worker gives
//! the same seat or address to somebody else.

use crate::admin::member_changes::check_name;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, TEXT, TextRow, Type, json_rows, time_text, time_text_null};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::member_state::{MEMBER_COLUMNS, MemberRow};
use crate::entity::{LiteralComparison, members, tenant_leases};
use crate::log::audit_events::EventRow;
use crate::log::changes::{Lane, Touched};
use crate::reconcile::apply::candidate::Identifier;
use crate::reconcile::open_items::Retouch;
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::email::fold;
use rollcall_core::ids::MemberId;
use rollcall_core::invitation::{Addressee, Invitation, InvitationRefusal, Invitations, Invited, Repeats, Withdrawn};
use rollcall_core::roster::{MemberState, MemberStatus};
use rollcall_core::world::World;
use rollcall_scim::is_email;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, FromQueryResult};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Most people of one call.
pub const INVITATIONS_MAX: usize = 1_000;
/// Longest message to an invited person, in characters.
const MESSAGE_CHARACTERS_MAX: usize = 500;

/// The outcome for one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationResult {
    /// A member now, in this status.
    Done(MemberId, MemberStatus),
    /// Refused, because of this member where it is one.
    Refused(InvitationRefusal, Option<MemberId>),
}

#[derive(FromQueryResult)]
struct WithdrawnRow {
    id: Uuid,
    email_folded: String,
    invitation_repeats: i64,
    invitation_repeated_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

pub(super) fn repeats(count: i64, last: Option<DateTime<Utc>>, created_at: DateTime<Utc>) -> Repeats {
    Repeats { count: u32::try_from(count).unwrap_or(u32::MAX), last: last.unwrap_or(created_at) }
}

#[derive(FromQueryResult)]
struct AddressRow {
    email_folded: String,
}

#[derive(Serialize)]
struct InvitationRow {
    tenant_id: Uuid,
    id: Uuid,
    email: String,
    email_folded: String,
    search_text: String,
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    status: &'static str,
    role: &'static str,
    billing_contact: bool,
    suspended_from: Option<&'static str>,
    waiting_for: Option<&'static str>,
    approval: Option<&'static str>,
    seated: bool,
    held: bool,
    invitation_repeats: u32,
    #[serde(serialize_with = "time_text_null")]
    invitation_repeated_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "time_text")]
    modified_at: DateTime<Utc>,
    #[serde(serialize_with = "time_text")]
    created_at: DateTime<Utc>,
}

const NEW: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("email", Type::Text),
    ("email_folded", Type::Text),
    ("search_text", Type::Text),
    ("display_name", Type::Text),
    ("given_name", Type::Text),
    ("family_name", Type::Text),
    ("status", Type::Text),
    ("role", Type::Text),
    ("billing_contact", Type::Flag),
    ("suspended_from", Type::Text),
    ("waiting_for", Type::Text),
    ("approval", Type::Text),
    ("seated", Type::Flag),
    ("held", Type::Flag),
    ("invitation_repeats", Type::Int),
    ("invitation_repeated_at", Type::Time),
    ("modified_at", Type::Time),
    ("created_at", Type::Time),
];
/// The time at which a member was made stays.
const ONCE_MORE: Columns = NEW.split_at(NEW.len() - 1).0;

/// The holders of these addresses, and blocked people who had them.
static HOLDERS: Sql = Sql::tenant_rows(
    &[("rows", 2, TEXT)],
    &[
        "SELECT ",
        MEMBER_COLUMNS,
        " FROM {rows} {join} members m ON m.tenant_id = {tenant} AND m.email_folded = r.text \
         AND (m.status <> 'removed' OR m.blocked_from IS NOT NULL)",
    ],
);
/// People who were invited by hand, and taken out before they came in.
static WITHDRAWN: Sql = Sql::tenant_rows(
    &[("rows", 2, TEXT)],
    &["SELECT m.id, m.email_folded, m.invitation_repeats, m.invitation_repeated_at, m.created_at FROM {rows} \
       {join} members m ON m.tenant_id = {tenant} AND m.email_folded = r.text AND m.status = 'removed' \
       AND m.managed_by IS NULL AND m.blocked_from IS NULL AND m.suspended_from IN ('invited', 'pending')"],
);
/// Addresses of records of the live source. A mapping may read another address, and mostly that is the user name.
static IN_DIRECTORY: Sql = Sql::tenant_rows(
    &[("rows", 2, TEXT)],
    &[
        "SELECT r.text AS email_folded ",
        OF_LIVE_SOURCE,
        "AND u.email_folded = r.text UNION SELECT r.text AS email_folded ",
        OF_LIVE_SOURCE,
        "AND u.user_name_folded = r.text",
    ],
);
const OF_LIVE_SOURCE: &str = "FROM {rows} {join} sources s ON s.tenant_id = {tenant} AND s.mode = 'live' AND s.people_leave = FALSE \
    {join} directory_users u ON u.tenant_id = s.tenant_id AND u.source_id = s.id AND u.deleted_at IS NULL ";

/// The facts about the addresses of a call, by folded address.
struct Known {
    members: HashMap<String, MemberState>,
    withdrawn: HashMap<String, Withdrawn>,
    in_directory: HashSet<String>,
}

impl Known {
    fn addressee(&self, email: &str) -> Addressee<'_> {
        Addressee {
            member: self.members.get(email),
            withdrawn: self.withdrawn.get(email),
            in_directory: self.in_directory.contains(email),
        }
    }
}

impl Store {
    /// Invites people one by one, and answers in their order. A number of statements that does not depend on the number of people.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for more than [`INVITATIONS_MAX`], and for a name or message that is none.
    #[tracing::instrument(name = "store.invitations.invite", skip_all)]
    pub async fn invite(
        &self,
        scope: &AdminScope,
        people: &[Invitation],
    ) -> Result<Committed<Vec<InvitationResult>>, StoreError> {
        if people.len() > INVITATIONS_MAX {
            return Err(StoreError::Invalid(format!("at most {INVITATIONS_MAX} people at once")));
        }
        people.iter().try_for_each(check)?;
        let tx = self.write(&scope.scope).await?;
        tx.stop_the_planning().await?;
        let mut world = World::default();
        tx.read_standing(&mut world).await?;
        let others_wait = tx.somebody_waits().await?;
        let now = tx.clock.now();
        let mut desk = Invitations::by(scope.role(), &world.policy, &world.standing, others_wait, now);
        let mut known = tx.known(people).await?;
        let mut invited: Vec<Invited> = Vec::new();
        let mut decide = |new: &Invitation| {
            let email = fold(&new.profile.email);
            if !is_email(&new.profile.email) {
                return InvitationResult::Refused(InvitationRefusal::NotAnAddress, None);
            }
            let addressee = known.addressee(&email);
            match desk.invite(new, addressee, || tx.clock.new_id()) {
                Err(refusal) => InvitationResult::Refused(refusal, addressee.member.map(|member| member.id)),
                Ok(done) => {
                    let result = InvitationResult::Done(done.member.id, done.member.status);
                    known.members.insert(email, done.member.clone());
                    invited.push(done);
                    result
                }
            }
        };
        let results: Vec<InvitationResult> = people.iter().map(&mut decide).collect();
        if invited.is_empty() {
            return Ok(Committed::without_duties(results));
        }
        tx.write_invited(&invited).await?;
        tx.commit_and_wake(results).await
    }

    /// As [`invite`](Self::invite), about one.
    ///
    /// # Errors
    /// [`StoreError::Invalid`]; [`StoreError::Forbidden`] for a role that the caller may not give; [`StoreError::Conflict`] with the
    /// remedy.
    #[tracing::instrument(name = "store.invitations.invite_one", skip_all)]
    pub async fn invite_one(&self, scope: &AdminScope, person: Invitation) -> Result<Committed<MemberId>, StoreError> {
        let invited = self.invite(scope, &[person]).await?;
        invited.and_then(|results| match results.first() {
            Some(InvitationResult::Done(id, _)) => Ok(*id),
            Some(InvitationResult::Refused(refusal, _)) => {
                let why = refusal.sentence().to_owned();
                Err(match refusal {
                    InvitationRefusal::NotAnAddress => StoreError::Invalid(format!("`email`: {why}")),
                    InvitationRefusal::TooStrong => StoreError::Forbidden(why),
                    _ => StoreError::Conflict(why),
                })
            }
            None => Err(StoreError::NotFound("member")),
        })
    }
}

impl TenantTx {
    /// True if somebody is on the waitlist.
    async fn somebody_waits(&self) -> Result<bool, StoreError> {
        self.find::<members::Entity>().filter(members::Column::WaitingFor.is("seat")).exists().await
    }

    async fn known(&self, people: &[Invitation]) -> Result<Known, StoreError> {
        let folded: Vec<String> = people.iter().map(|person| fold(&person.profile.email)).collect();
        let addresses = || json_rows(&folded.iter().map(|text| TextRow { text }).collect::<Vec<_>>());
        let rows: Vec<MemberRow> = self.all(&HOLDERS, [addresses()?]).await?;
        let mut members: HashMap<String, MemberState> = HashMap::new();
        for row in rows {
            let member = row.into_state()?;
            let email = fold(&member.profile.email);
            // The member who has the address goes before a blocked one who had it.
            if member.status != MemberStatus::Removed || !members.contains_key(&email) {
                members.insert(email, member);
            }
        }
        let withdrawn: Vec<WithdrawnRow> = self.all(&WITHDRAWN, [addresses()?]).await?;
        let withdrawn = withdrawn.into_iter().map(|row| {
            let repeats = repeats(row.invitation_repeats, row.invitation_repeated_at, row.created_at);
            (row.email_folded, Withdrawn { member: row.id.into(), repeats })
        });
        let in_directory: Vec<AddressRow> = self.all(&IN_DIRECTORY, [addresses()?]).await?;
        Ok(Known {
            members,
            withdrawn: withdrawn.collect(),
            in_directory: in_directory.into_iter().map(|row| row.email_folded).collect(),
        })
    }

    async fn write_invited(&self, invited: &[Invited]) -> Result<(), StoreError> {
        let rows = |again: bool| -> Vec<InvitationRow> {
            let these = invited.iter().filter(|invited| invited.repeats.is_some() == again);
            these.map(|invited| self.invitation_row(invited)).collect()
        };
        self.tx.insert_rows("members", NEW, &rows(false), "").await?;
        self.tx.update_rows("members", ONCE_MORE, &rows(true)).await?;
        let told = |invited: &Invited| self.event_row(&invited.event, self.actor, self.request, None);
        self.write_events(&invited.iter().map(told).collect::<Vec<EventRow>>()).await?;
        let seats = invited.iter().filter(|invited| invited.member.seated).count();
        use tenant_leases::Column;
        let counts = self.update_own::<tenant_leases::Entity>();
        let seats = i64::try_from(seats).unwrap_or(i64::MAX);
        counts.set(Column::SeatsUsed, Column::SeatsUsed.into_expr().add(seats)).exec().await?;
        if invited.iter().any(|invited| invited.member.waiting_for.is_some()) {
            self.write_changes(None, Lane::Push, [Touched::Tenant]).await?;
        }
        if invited.iter().any(|Invited { member, .. }| member.is_active_admin() || member.is_active_billing_contact()) {
            self.touch_items(Retouch::ByRole).await?;
        }
        // A record may ask for the address, and take the member over.
        let addresses: Vec<String> = invited.iter().map(|invited| fold(&invited.member.profile.email)).collect();
        self.touch_disputed(&addresses).await?;
        self.touch_candidates(addresses.into_iter().map(Identifier::Address)).await
    }

    fn invitation_row(&self, invited: &Invited) -> InvitationRow {
        let Invited { member, repeats, .. } = invited;
        InvitationRow {
            tenant_id: self.tenant.0,
            id: member.id.0,
            email: member.profile.email.clone(),
            email_folded: fold(&member.profile.email),
            search_text: member.search_text(),
            display_name: member.profile.display_name.clone(),
            given_name: member.profile.given_name.clone(),
            family_name: member.profile.family_name.clone(),
            status: member.status.as_str(),
            role: member.role.as_str(),
            billing_contact: member.billing_contact,
            suspended_from: None,
            waiting_for: member.waiting_for.map(|what| what.as_str()),
            approval: member.approval.map(|approval| approval.as_str()),
            seated: member.seated,
            held: member.held,
            invitation_repeats: repeats.map_or(0, |repeats| repeats.count),
            invitation_repeated_at: repeats.map(|repeats| repeats.last),
            modified_at: self.clock.now(),
            created_at: self.clock.now(),
        }
    }
}

fn check(new: &Invitation) -> Result<(), StoreError> {
    let profile = &new.profile;
    check_name("display_name", profile.display_name.as_deref())?;
    check_name("given_name", profile.given_name.as_deref())?;
    check_name("family_name", profile.family_name.as_deref())?;
    check_message(new.message.as_deref())
}

pub(super) fn check_message(message: Option<&str>) -> Result<(), StoreError> {
    let fits = |text: &str| (1..=MESSAGE_CHARACTERS_MAX).contains(&text.chars().count());
    let usable = |text: &str| fits(text) && text.chars().all(|c| c == '\n' || !c.is_control());
    if message.is_none_or(usable) {
        return Ok(());
    }
    Err(StoreError::Invalid(format!(
        "message is null or text of 1 to {MESSAGE_CHARACTERS_MAX} characters, without control characters but line breaks"
    )))
}
