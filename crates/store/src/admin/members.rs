//! Members, groups of members, and what people read of them.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::engine::transaction::TenantTx;
use crate::log::audit_events::NewEvent;
use crate::log::changes::Touched;
use crate::scope::ApiScope;
use chrono::{DateTime, Utc};
use rollcall_core::email::fold;
use rollcall_core::event::AuditKind;
use rollcall_core::ids::{MemberId, SharingGroupId};
use rollcall_core::roster::{MemberState, MemberStatus, Profile};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// The columns of a [`MemberRow`] over `members m`.
pub(crate) const MEMBER_COLUMNS: &str = "m.id, m.email, m.display_name, m.given_name, m.family_name, m.external_id, \
    m.status, m.role, m.billing_contact, m.managed_by, m.directory_user_id, m.suspended_from, m.waiting_for, m.approval, \
    m.seated, m.held";

#[derive(FromQueryResult)]
pub(crate) struct MemberRow {
    id: Uuid,
    email: String,
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    external_id: Option<String>,
    status: String,
    role: String,
    billing_contact: bool,
    managed_by: Option<Uuid>,
    directory_user_id: Option<Uuid>,
    suspended_from: Option<String>,
    waiting_for: Option<String>,
    approval: Option<String>,
    seated: bool,
    held: bool,
}

impl MemberRow {
    pub(crate) fn into_state(self) -> Result<MemberState, StoreError> {
        fn word<T: std::str::FromStr<Err = String>>(text: &str) -> Result<T, StoreError> {
            text.parse().map_err(StoreError::Database)
        }
        Ok(MemberState {
            id: self.id.into(),
            profile: Profile {
                email: self.email,
                display_name: self.display_name,
                given_name: self.given_name,
                family_name: self.family_name,
                external_id: self.external_id,
            },
            status: word(&self.status)?,
            role: word(&self.role)?,
            billing_contact: self.billing_contact,
            managed_by: self.managed_by.map(Into::into),
            directory_user: self.directory_user_id.map(Into::into),
            suspended_from: self.suspended_from.as_deref().map(word).transpose()?,
            waiting_for: self.waiting_for.as_deref().map(word).transpose()?,
            approval: self.approval.as_deref().map(word).transpose()?,
            seated: self.seated,
            held: self.held,
        })
    }
}

/// One member, as people and programs read it.
#[derive(Clone, Debug, Serialize, FromQueryResult)]
pub struct Member {
    pub id: Uuid,
    pub email: String,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub status: String,
    pub role: String,
    pub billing_contact: bool,
    /// The source that manages the member; null for one made by hand.
    pub managed_by: Option<Uuid>,
    pub external_id: Option<String>,
    pub directory_user_id: Option<Uuid>,
    pub waiting_for: Option<String>,
    /// What an admin decided about a pending member: `approved` or `declined`.
    pub approval: Option<String>,
    pub suspended_from: Option<String>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
}

/// An address that a member had.
#[derive(Clone, Debug, Serialize)]
pub struct FormerEmail {
    pub email: String,
    /// When another one took its place.
    pub until: DateTime<Utc>,
}

/// Of so many changes of a member's profile the former addresses are told.
const CHANGES_TOLD: u64 = 200;

#[derive(FromQueryResult)]
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

const LISTED: [&str; 16] = [
    "id",
    "email",
    "display_name",
    "given_name",
    "family_name",
    "status",
    "role",
    "billing_contact",
    "managed_by",
    "external_id",
    "directory_user_id",
    "waiting_for",
    "approval",
    "suspended_from",
    "created_at",
    "modified_at",
];

/// Which members a reader wants; all of them when empty.
#[derive(Clone, Debug, Default)]
pub struct MemberFilter {
    pub email: Option<String>,
    pub status: Option<MemberStatus>,
}

/// One sharing group.
#[derive(Clone, Debug, Serialize, FromQueryResult)]
pub struct SharingGroup {
    pub id: Uuid,
    pub name: String,
    pub managed_by: Option<Uuid>,
    pub directory_group_id: Option<Uuid>,
    pub members_count: i64,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
}

impl Store {
    pub async fn members(
        &self,
        scope: &ApiScope,
        filter: &MemberFilter,
        page: &PageRequest,
    ) -> Result<Page<Member>, StoreError> {
        let mut query = page.select("members", scope.tenant());
        query.columns(LISTED);
        if let Some(email) = &filter.email {
            query.and_where(Expr::col("email_folded").eq(fold(email)));
        }
        if let Some(status) = filter.status {
            query.and_where(Expr::col("status").eq(status.as_str()));
        }
        page.fetch(self.read(&scope.scope).await?, query, |member: &Member| member.id).await
    }

    pub async fn member(&self, scope: &ApiScope, id: MemberId) -> Result<Member, StoreError> {
        self.read(&scope.scope).await?.member_row(id).await
    }

    /// The addresses that a member had, as the audit log tells them, the latest first.
    pub async fn former_emails(&self, scope: &ApiScope, id: MemberId) -> Result<Vec<FormerEmail>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let sql = format!(
            "SELECT at, detail FROM audit_events WHERE tenant_id = $1 AND subject_id = $2 AND kind = $3 \
             ORDER BY id DESC LIMIT {CHANGES_TOLD}"
        );
        let values = [tx.tenant.0.into(), id.0.into(), AuditKind::MemberUpdated.as_str().into()];
        let updates: Vec<UpdateRow> = tx.tx.all(&sql, values).await?;
        Ok(updates.into_iter().filter_map(UpdateRow::former_email).collect())
    }

    pub async fn groups(&self, scope: &ApiScope, page: &PageRequest) -> Result<Page<SharingGroup>, StoreError> {
        let mut query = page.select("sharing_groups", scope.tenant());
        query.columns(["id", "name", "managed_by", "directory_group_id", "created_at", "modified_at"]);
        // Who was removed is in no group; the rows stay for a return (PE4).
        let counted = "(SELECT count(*) FROM sharing_group_members gm JOIN members m \
                       ON m.tenant_id = gm.tenant_id AND m.id = gm.member_id AND m.status <> 'removed' \
                       WHERE gm.tenant_id = sharing_groups.tenant_id AND gm.group_id = sharing_groups.id)";
        query.expr_as(Expr::cust(counted), "members_count");
        query.and_where(Expr::col("removed_at").is_null());
        page.fetch(self.read(&scope.scope).await?, query, |group: &SharingGroup| group.id).await
    }

    /// The members of one sharing group.
    pub async fn group_members(
        &self,
        scope: &ApiScope,
        group: SharingGroupId,
        page: &PageRequest,
    ) -> Result<Page<Member>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let sql = "SELECT id FROM sharing_groups WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL";
        let found: Option<IdRow> = tx.tx.one(sql, [tx.tenant.0.into(), group.0.into()]).await?;
        found.ok_or(StoreError::NotFound("group"))?;
        let mut query = page.select("members", scope.tenant());
        query.columns(LISTED);
        let inside = Query::select()
            .expr(Expr::val(1))
            .from("sharing_group_members")
            .and_where(Expr::col(("sharing_group_members", "tenant_id")).eq(tx.tenant.0))
            .and_where(Expr::col("group_id").eq(group.0))
            .and_where(Expr::col("member_id").equals(("members", "id")))
            .to_owned();
        query.and_where(Expr::exists(inside)).and_where(Expr::col("status").ne("removed"));
        page.fetch(tx, query, |member: &Member| member.id).await
    }

    /// The product says that an invited person accepted. Profile changes that waited for it are looked at again (DX13).
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a member who has no open invitation.
    pub async fn accept_invitation(&self, scope: &ApiScope, id: MemberId) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let sql = "UPDATE members SET status = 'active', modified_at = $3 \
                   WHERE tenant_id = $1 AND id = $2 AND status = 'invited' RETURNING managed_by, directory_user_id";
        let values = [tx.tenant.0.into(), id.0.into(), tx.clock.now().into()];
        let Some(row) = tx.tx.one::<LinkRow, _>(sql, values).await? else {
            let sql = "SELECT id FROM members WHERE tenant_id = $1 AND id = $2";
            let known: Option<IdRow> = tx.tx.one(sql, [tx.tenant.0.into(), id.0.into()]).await?;
            known.ok_or(StoreError::NotFound("member"))?;
            return Err(StoreError::Invalid("the member has no open invitation".into()));
        };
        tx.accepted(id, row).await?;
        tx.commit().await
    }
}

#[derive(FromQueryResult)]
struct IdRow {
    #[expect(dead_code, reason = "its presence is the answer")]
    id: Uuid,
}

#[derive(FromQueryResult)]
struct LinkRow {
    managed_by: Option<Uuid>,
    directory_user_id: Option<Uuid>,
}

impl TenantTx {
    pub(crate) async fn member_row(&self, id: MemberId) -> Result<Member, StoreError> {
        let sql = format!("SELECT {} FROM members WHERE tenant_id = $1 AND id = $2", LISTED.join(", "));
        let row = self.tx.one(&sql, [self.tenant.0.into(), id.0.into()]).await?;
        row.ok_or(StoreError::NotFound("member"))
    }

    async fn accepted(&self, id: MemberId, link: LinkRow) -> Result<(), StoreError> {
        let detail = Some(json!({ "from": "invited", "to": "active" }));
        let event = NewEvent { kind: AuditKind::MemberActivated, subject_kind: "member", subject_id: id.0, detail };
        let mut writes = Vec::new();
        if let Some(user) = link.directory_user_id {
            writes.push(self.change(link.managed_by.map(Into::into), Touched::User(user.into())).into());
        }
        writes.push(self.event(event).into());
        self.tx.batch(writes).await
    }
}
