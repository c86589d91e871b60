//! Members and sharing groups, as admins and programs read them.

use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, RowList, audit_events, members, sharing_group_members, sharing_groups};
use crate::log::changes::Touched;
use crate::reconcile::open_items::Retouch;
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::email::fold;
use rollcall_core::event::{AuditKind, Event, MemberDetail};
use rollcall_core::ids::{MemberId, SharingGroupId};
use rollcall_core::roster::{MemberStatus, Role};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, DerivePartialModel};
use serde_json::Value as Json;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// One member for people and programs.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "members::Entity")]
pub struct Member {
    pub id: Uuid,
    pub email: String,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub status: String,
    pub role: String,
    pub billing_contact: bool,
    /// The role that people gave, where a rule of the sign-in lends a stronger one.
    pub role_before_rule: Option<String>,
    /// A rule of the sign-in lends the duty of a billing contact.
    pub contact_by_rule: bool,
    /// The source that manages the member; null for an unmanaged one.
    pub managed_by: Option<Uuid>,
    pub external_id: Option<String>,
    pub directory_user_id: Option<Uuid>,
    pub waiting_for: Option<String>,
    /// An admin's decision about a pending member: `approved` or `declined`.
    pub approval: Option<String>,
    /// The status that an admin's block found; null for a member who is not blocked.
    pub blocked_from: Option<String>,
    pub suspended_from: Option<String>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
}

/// A former address of a member.
#[derive(Clone, Debug)]
pub struct FormerEmail {
    pub email: String,
    /// When another address replaced it.
    pub until: DateTime<Utc>,
}

/// Former addresses come from at most this many profile changes.
const CHANGES_TOLD: u64 = 200;

#[derive(DerivePartialModel)]
#[sea_orm(entity = "audit_events::Entity")]
struct UpdateRow {
    at: DateTime<Utc>,
    detail: Option<Json>,
}

impl UpdateRow {
    fn former_email(self) -> Option<FormerEmail> {
        let detail = self.detail?;
        let [before, after] = ["before", "after"].map(|side| detail[side]["email"].as_str());
        let email = before.filter(|email| after.is_some_and(|after| fold(after) != fold(email)))?.to_owned();
        Some(FormerEmail { email, until: self.at })
    }
}

/// One sharing group.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "sharing_groups::Entity")]
pub struct SharingGroup {
    pub id: Uuid,
    pub name: String,
    pub managed_by: Option<Uuid>,
    pub directory_group_id: Option<Uuid>,
    /// Members but for the removed ones.
    pub members_count: i64,
    /// Members who have access, or have it once they accept their invitation.
    pub entitled_count: i64,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "sharing_group_members::Entity")]
struct InGroup {
    member_id: Uuid,
}

impl Store {
    #[tracing::instrument(name = "store.members.member", skip_all)]
    pub async fn member(&self, scope: &AdminScope, id: MemberId) -> Result<Member, StoreError> {
        self.read(&scope.scope).await?.member_row(id).await
    }

    /// The names of these members: the display name, or the address. Members of other tenants have none here.
    #[tracing::instrument(name = "store.members.member_names", skip_all)]
    pub async fn member_names(
        &self,
        scope: &AdminScope,
        ids: &BTreeSet<MemberId>,
    ) -> Result<HashMap<MemberId, String>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let members = self.read(&scope.scope).await?.members_by_id(ids.iter().map(|id| id.0)).await?;
        let name = |(id, member): (Uuid, Member)| (id.into(), member.display_name.unwrap_or(member.email));
        Ok(members.into_iter().map(name).collect())
    }

    /// The former addresses of a member from the audit log, the latest first.
    #[tracing::instrument(name = "store.members.former_emails", skip_all)]
    pub async fn former_emails(&self, scope: &AdminScope, id: MemberId) -> Result<Vec<FormerEmail>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        use audit_events::{Column, Entity};
        let updates = tx.find::<Entity>().filter(Column::SubjectId.eq(id.0));
        let updates = updates.filter(Column::Kind.eq(AuditKind::MemberUpdated.as_str()));
        let updates = updates.descending(Column::Position).descending(Column::Id);
        let updates: Vec<UpdateRow> = updates.limit(CHANGES_TOLD).all().await?;
        Ok(updates.into_iter().filter_map(UpdateRow::former_email).collect())
    }

    #[tracing::instrument(name = "store.members.groups", skip_all)]
    pub async fn groups(&self, scope: &AdminScope, page: &PageRequest) -> Result<Page<SharingGroup>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let groups = tx.find::<sharing_groups::Entity>().filter(sharing_groups::Column::RemovedAt.is_null());
        groups.page(page, RowList::new("groups")).await
    }

    /// A sharing group that exists.
    #[tracing::instrument(name = "store.members.sharing_group", skip_all)]
    pub async fn sharing_group(&self, scope: &AdminScope, id: SharingGroupId) -> Result<SharingGroup, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let present = sharing_groups::Column::Id.eq(id.0).and(sharing_groups::Column::RemovedAt.is_null());
        let group = tx.find::<sharing_groups::Entity>().filter(present).one().await?;
        group.ok_or(StoreError::NotFound("group"))
    }

    /// The members of one sharing group, in the order in which they joined. A removed person is in no group; the rows stay for a
    /// return (PE4).
    #[tracing::instrument(name = "store.members.group_members", skip_all)]
    pub async fn group_members(
        &self,
        scope: &AdminScope,
        group: SharingGroupId,
        page: &PageRequest,
    ) -> Result<Page<Member>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let present = sharing_groups::Column::Id.eq(group.0).and(sharing_groups::Column::RemovedAt.is_null());
        if !tx.find::<sharing_groups::Entity>().filter(present).exists().await? {
            return Err(StoreError::NotFound("group"));
        }
        use sharing_group_members::{Column, Entity};
        let present = tx.find::<members::Entity>().filter(members::Column::Status.is_not("removed"));
        let inside = tx.find::<Entity>().filter(present.matching(members::Column::Id, Column::MemberId));
        let list = RowList::new("group members").of(Column::GroupId, group.0);
        let page: Page<InGroup> = inside.page(page, list).await?;
        let mut members: HashMap<Uuid, Member> =
            tx.members_by_id(page.items.iter().map(|inside| inside.member_id)).await?;
        Ok(page.filter_map(|inside| members.remove(&inside.member_id)))
    }

    /// Marks an invitation as accepted. Profile changes that waited for it are planned again (DX13).
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a member who has no open invitation.
    #[tracing::instrument(name = "store.members.accept_invitation", skip_all)]
    pub async fn accept_invitation(&self, scope: &AdminScope, id: MemberId) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        use members::{Column, Entity};
        let invited = tx.update::<Entity>(Column::Id.eq(id.0).and(Column::Status.is("invited")));
        let invited = invited.set(Column::Status, "active").set(Column::ModifiedAt, tx.clock.now());
        let Some(member) = invited.returning().await?.into_iter().next() else {
            tx.member_row(id).await?;
            return Err(StoreError::Invalid("the member has no open invitation".into()));
        };
        tx.accepted(member).await?;
        tx.commit_and_wake(()).await
    }
}

impl TenantTx {
    /// These members, by id.
    async fn members_by_id(&self, ids: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, Member>, StoreError> {
        let these = self.is_one_of(&ids.collect::<Vec<_>>())?;
        let members: Vec<Member> = self.find::<members::Entity>().filter(these).all().await?;
        Ok(members.into_iter().map(|member| (member.id, member)).collect())
    }

    pub(crate) async fn member_row(&self, id: MemberId) -> Result<Member, StoreError> {
        let member = self.find::<members::Entity>().filter(members::Column::Id.eq(id.0)).one().await?;
        member.ok_or(StoreError::NotFound("member"))
    }

    async fn accepted(&self, member: members::Model) -> Result<(), StoreError> {
        let detail = MemberDetail::Status { from: MemberStatus::Invited, to: MemberStatus::Active };
        let event = Event::MemberActivated(member.id.into(), detail);
        let mut writes = Vec::new();
        if let Some(user) = member.directory_user_id {
            writes.push(self.change(member.managed_by.map(Into::into), Touched::User(user.into())).into());
        }
        writes.push(self.event(&event).into());
        self.tx.batch(writes).await?;
        if member.role != Role::Member.as_str() || member.billing_contact {
            // An item may be held for want of another admin or billing contact.
            self.touch_items(Retouch::ByRole).await?;
        }
        Ok(())
    }
}
