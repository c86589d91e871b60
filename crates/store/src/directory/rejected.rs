//! Requests that could not be understood: kept for a while, shown without names, and replayed after a fix. The kept and the shown
//! fields are in `docs/decisions/0021-rejected-requests.md`.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::engine::row_sets::{Columns, Type, time_text};
use crate::engine::transaction::TenantTx;
use crate::entity::rejected_requests::{Column, Entity};
use crate::scope::{AdminScope, SourceScope};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::directory::SourceMode;
use rollcall_core::ids::SourceId;
use rollcall_scim::bulk::{BulkCall, BulkVerb};
use rollcall_scim::list::PageLimits;
use rollcall_scim::{Limits, ListQuery, Quirks, ResourceKind, ScimError, parse_json, parse_write, query};
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, DerivePartialModel};
use serde::Serialize;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Retention of a rejected request.
pub const REJECTED_KEPT: TimeDelta = TimeDelta::days(7);
/// Largest body kept, in bytes; only the size of a larger one is kept.
pub const REJECTED_BODY_BYTES: usize = 64 * 1024;
/// Rejected requests of one source; the oldest go first.
const REJECTED_PER_SOURCE: u32 = 100;

/// A request that was refused because it was not understood, as it is stored.
#[derive(Clone, Debug, Serialize, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct RejectedRequest {
    pub tenant_id: Uuid,
    pub source_id: Uuid,
    pub id: Uuid,
    #[serde(serialize_with = "time_text")]
    pub at: DateTime<Utc>,
    #[serde(serialize_with = "time_text")]
    pub expires_at: DateTime<Utc>,
    pub method: String,
    /// The path after the source's address: `/Users?filter=…`.
    pub path: String,
    /// The body as received, without passwords; `None` when there was none or it was too large.
    pub body: Option<String>,
    pub body_bytes: i64,
    /// The answered status.
    pub status: i64,
    pub scim_type: Option<String>,
    pub detail: String,
    pub replayed_at: Option<DateTime<Utc>>,
}

const COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("source_id", Type::Uuid),
    ("id", Type::Uuid),
    ("at", Type::Time),
    ("expires_at", Type::Time),
    ("method", Type::Text),
    ("path", Type::Text),
    ("body", Type::Text),
    ("body_bytes", Type::Int),
    ("status", Type::Int),
    ("scim_type", Type::Text),
    ("detail", Type::Text),
];

impl Store {
    /// Keeps rejected requests of any tenants by one statement, and trims each source by one more.
    pub async fn keep_rejected(&self, rejected: &[RejectedRequest]) -> Result<(), StoreError> {
        if rejected.is_empty() {
            return Ok(());
        }
        let tx = self.across(true).await?;
        tx.insert_rows("rejected_requests", COLUMNS, rejected, "").await?;
        let sql = format!(
            "DELETE FROM rejected_requests WHERE tenant_id = $1 AND source_id = $2 AND id NOT IN ( \
               SELECT k.id FROM rejected_requests k WHERE k.tenant_id = $1 AND k.source_id = $2 \
               ORDER BY k.id DESC LIMIT {REJECTED_PER_SOURCE})"
        );
        let sources: BTreeSet<(Uuid, Uuid)> = rejected.iter().map(|one| (one.tenant_id, one.source_id)).collect();
        for (tenant, source) in sources {
            tx.exec(&sql, [tenant.into(), source.into()]).await?;
        }
        tx.commit().await
    }

    /// The rejected requests of a source.
    pub async fn rejected_requests(
        &self,
        scope: &AdminScope,
        source: SourceId,
        page: &PageRequest,
    ) -> Result<Page<RejectedRequest>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.source_row(source).await?;
        let kept = tx.find::<Entity>().filter(kept_of(source, tx.clock.now()));
        kept.page(page, Column::Id, |row: &RejectedRequest| row.id).await
    }

    /// Marks a request as replayed before it is, so that two concurrent replays do not perform it twice. If the process ends in
    /// between, the request stays marked; the identity provider sends it again.
    pub async fn claim_rejected(
        &self,
        scope: &AdminScope,
        source: SourceId,
        id: Uuid,
    ) -> Result<(SourceScope, RejectedRequest), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let found = tx.rejected_row(scope, source, id).await?;
        let unclaimed = tx.update::<Entity>(Column::Id.eq(id).and(Column::ReplayedAt.is_null()));
        if unclaimed.set(Column::ReplayedAt, tx.clock.now()).exec().await? == 0 {
            return Err(replayed_already());
        }
        tx.commit().await?;
        Ok(found)
    }

    /// Takes the mark back after a replay that failed.
    pub async fn release_rejected(&self, scope: &SourceScope, id: Uuid) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let claimed = tx.update::<Entity>(Column::Id.eq(id));
        claimed.set(Column::ReplayedAt, None::<DateTime<Utc>>).exec().await?;
        tx.commit().await
    }

    async fn repeat(
        &self,
        scope: &SourceScope,
        rejected: &RejectedRequest,
        limits: &Limits,
    ) -> Result<Replayed, CallError> {
        let (path, raw_query) = rejected.path.split_once('?').unwrap_or((&rejected.path, ""));
        let mut quirks = Quirks::new();
        let (kind, rest) = kind_of(path)?;
        let is_search = rest.as_deref() == Some(".search");
        if rejected.method == "GET" || is_search {
            let asked = if is_search {
                ListQuery::from_search(kind, &parse_json(body_of(rejected))?, REPLAY_PAGES, &mut quirks)?
            } else {
                let pairs = query::parse_query(raw_query, &mut quirks)?;
                ListQuery::from_pairs(kind, &pairs, REPLAY_PAGES, &mut quirks)?
            };
            self.repeat_list(scope, kind, &asked).await?;
            return Ok(Replayed::Done { status: 200, changed: false });
        }
        let verb = match (rejected.method.as_str(), rest) {
            ("POST", None) => BulkVerb::Post,
            ("PUT", Some(id)) => BulkVerb::Put(id),
            ("PATCH", Some(id)) => BulkVerb::Patch(id),
            ("DELETE", Some(id)) => BulkVerb::Delete(id),
            _ => return Err(ScimError::invalid_path("this request cannot be replayed").into()),
        };
        let data = match verb {
            BulkVerb::Delete(_) => serde_json::Value::Null,
            _ => parse_write(kind, body_of(rejected))?,
        };
        self.refuse_overtaken(scope, kind, &verb, rejected.at).await?;
        let status = match (&verb, kind) {
            (BulkVerb::Post, _) => 201,
            (BulkVerb::Delete(_), _) | (BulkVerb::Patch(_), ResourceKind::Group) => 204,
            _ => 200,
        };
        let call = BulkCall { verb, kind, version: None, data };
        let done: Performed = self.perform(scope, call, limits, &mut quirks).await?;
        Ok(Replayed::Done { status, changed: done.changed() })
    }

    /// Asks a list for its total alone, which is enough to tell whether the filter is understood.
    async fn repeat_list(&self, scope: &SourceScope, kind: ResourceKind, asked: &ListQuery) -> Result<(), CallError> {
        if kind == ResourceKind::Group && scope.users_only() {
            return Err(no_groups().into());
        }
        let (filter, sort) = (asked.filter.as_ref(), asked.sort.as_ref());
        let request =
            ListRequest { kind, filter, sort, paging: &asked.paging, count: 0, with_related: false, base: "" };
        match kind {
            ResourceKind::User => self.list_users(scope, &request).await.map(|_| ())?,
            ResourceKind::Group => self.list_groups(scope, &request).await.map(|_| ())?,
        }
        Ok(())
    }

    /// An old request must not undo what the identity provider said later.
    async fn refuse_overtaken(
        &self,
        scope: &SourceScope,
        kind: ResourceKind,
        verb: &BulkVerb,
        at: DateTime<Utc>,
    ) -> Result<(), CallError> {
        let Some(id) = verb.id() else { return Ok(()) };
        let modified = match (kind, id.parse::<Uuid>()) {
            (_, Err(_)) => None,
            (ResourceKind::User, Ok(id)) => self.user(scope, id.into(), false).await?.map(|user| user.modified_at),
            (ResourceKind::Group, Ok(id)) => self.group(scope, id.into(), false).await?.map(|group| group.modified_at),
        };
        if modified.is_some_and(|modified| modified > at) {
            let why = "what this request would change was changed after it; let the identity provider send it again";
            return Err(StoreError::Conflict(why.into()).into());
        }
        Ok(())
    }
}

impl TenantTx {
    async fn rejected_row(
        &self,
        api: &AdminScope,
        source: SourceId,
        id: Uuid,
    ) -> Result<(SourceScope, RejectedRequest), StoreError> {
        let found = self.source_row(source).await?;
        if found.mode == SourceMode::Off.as_str() {
            return Err(StoreError::Conflict("the source is switched off; set it to live first".into()));
        }
        let row = self.find::<Entity>().filter(kept_of(source, self.clock.now()).and(Column::Id.eq(id)));
        let row: RejectedRequest = row.one().await?.ok_or(StoreError::NotFound("rejected request"))?;
        if row.replayed_at.is_some() {
            return Err(replayed_already());
        }
        if row.body.is_none() && row.body_bytes > 0 {
            let why = "the request's body was not kept (too large, or no JSON that names a password); send it again";
            return Err(StoreError::Conflict(why.into()));
        }
        Ok((SourceScope::on_behalf(api, source, found.users_only), row))
    }
}

/// The rejected requests of a source that have not expired.
fn kept_of(source: SourceId, now: DateTime<Utc>) -> SimpleExpr {
    Column::SourceId.eq(source.0).and(Column::ExpiresAt.gt(now))
}

fn replayed_already() -> StoreError {
    StoreError::Conflict("the request was replayed already".into())
}

/// The kind of resource of a path, and the id or `.search` behind it.
fn kind_of(path: &str) -> Result<(ResourceKind, Option<String>), ScimError> {
    let mut parts = path.trim_matches('/').splitn(2, '/');
    let collection = parts.next().unwrap_or_default();
    let kind = [ResourceKind::User, ResourceKind::Group]
        .into_iter()
        .find(|kind| kind.endpoint().trim_start_matches('/').eq_ignore_ascii_case(collection));
    let kind = kind.ok_or_else(|| ScimError::invalid_path("only requests to /Users and /Groups can be replayed"))?;
    Ok((kind, parts.next().filter(|rest| !rest.is_empty()).map(str::to_owned)))
}

fn body_of(rejected: &RejectedRequest) -> &[u8] {
    rejected.body.as_deref().unwrap_or_default().as_bytes()
}

#[cfg(test)]
pub(crate) mod tests;
