//! Two runs side by side: the items of only one, and of both (PE11). A page reads the next keys of either run, so its cost does
//! not depend on its position or on the size of the runs.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::unknown_cursor;
use crate::engine::sql::Sql;
use crate::scope::AdminScope;
use rollcall_core::ids::RunId;
use sea_orm::FromQueryResult;
use sea_orm::sea_query::Value;
use serde_json::Value as Json;
use uuid::Uuid;

/// One action, as each of the two runs has it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct ComparedItem {
    /// `only_this`, `only_other`, `same`, or `differs`: the same action on the same subject, with another outcome.
    pub found: String,
    pub action: String,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub object_id: Uuid,
    pub who: Option<Json>,
    /// Its changes in this run, and in the other.
    pub this_before: Option<Json>,
    pub this_after: Option<Json>,
    pub other_before: Option<Json>,
    pub other_after: Option<Json>,
}

/// A page of a comparison; its cursor is opaque.
#[derive(Clone, Debug)]
pub struct ComparedPage {
    pub items: Vec<ComparedItem>,
    pub next: Option<String>,
}

/// The cursor of a page: subject, action and object of the last item before it.
struct After(Uuid, String, Uuid);

impl After {
    fn parse(cursor: Option<&str>) -> Result<Self, StoreError> {
        let Some(cursor) = cursor else { return Ok(Self(Uuid::nil(), String::new(), Uuid::nil())) };
        let mut parts = cursor.splitn(3, '.');
        let mut part = || parts.next().unwrap_or_default();
        let (subject, action, object) = (part().parse(), part().to_owned(), part().parse());
        match (subject, object) {
            (Ok(subject), Ok(object)) => Ok(Self(subject, action, object)),
            _ => Err(unknown_cursor()),
        }
    }

    fn cursor(item: &ComparedItem) -> String {
        format!("{}.{}.{}", item.subject_id, item.action, item.object_id)
    }
}

const ITEM_COLUMNS: &str = "SELECT id, subject_id, action, object_id, subject_kind, digest, who, before, after ";
const NEXT_KEYS: &str = " AND (subject_id, action, object_id) > ($4, $5, $6) \
    ORDER BY subject_id, action, object_id LIMIT $7";

/// Items of runs `$2` and `$3`. The first keys of both runs are among the first keys of each, so each side has the limit too;
/// that keeps the plan right for a run without statistics.
static COMPARE: Sql = Sql::tenant(&[
    "SELECT CASE WHEN b.id IS NULL THEN 'only_this' WHEN a.id IS NULL THEN 'only_other' \
     WHEN a.digest = b.digest THEN 'same' ELSE 'differs' END AS found, \
     coalesce(a.action, b.action) AS action, coalesce(a.subject_kind, b.subject_kind) AS subject_kind, \
     coalesce(a.subject_id, b.subject_id) AS subject_id, coalesce(a.object_id, b.object_id) AS object_id, \
     coalesce(a.who, b.who) AS who, a.before AS this_before, a.after AS this_after, \
     b.before AS other_before, b.after AS other_after FROM (",
    ITEM_COLUMNS,
    "FROM run_items WHERE tenant_id = {tenant} AND run_id = $2",
    NEXT_KEYS,
    ") AS a FULL JOIN (",
    ITEM_COLUMNS,
    "FROM run_items WHERE tenant_id = {tenant} AND run_id = $3",
    NEXT_KEYS,
    ") AS b ON a.subject_id = b.subject_id AND a.action = b.action AND a.object_id = b.object_id \
     ORDER BY coalesce(a.subject_id, b.subject_id), coalesce(a.action, b.action), coalesce(a.object_id, b.object_id) \
     LIMIT $7",
]);

impl Store {
    /// Compares the items of two runs of the tenant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when one of them does not exist.
    #[tracing::instrument(name = "store.run_comparison.compare_runs", skip_all)]
    pub async fn compare_runs(
        &self,
        scope: &AdminScope,
        (this, other): (RunId, RunId),
        limit: u64,
        cursor: Option<&str>,
    ) -> Result<ComparedPage, StoreError> {
        let After(subject, action, object) = After::parse(cursor)?;
        self.run(scope, this).await?;
        self.run(scope, other).await?;
        let tx = self.read(&scope.scope).await?;
        let rows = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let values: [Value; 6] =
            [this.0.into(), other.0.into(), subject.into(), action.into(), object.into(), rows.into()];
        let mut items: Vec<ComparedItem> = tx.all(&COMPARE, values).await?;
        let page = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > page;
        items.truncate(page);
        let next = if more { items.last().map(After::cursor) } else { None };
        Ok(ComparedPage { items, next })
    }
}
