//! Memberships that a promotion would change: those of people and groups taken over that differ between the two sources. They are
//! computed on demand in the order of group and member, which is the order of their pages.

use super::leaving::simulated_item;
use crate::admin::runs::RunItem;
use crate::engine::error::StoreError;
use crate::engine::page::unknown_cursor;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use rollcall_core::action::Why;
use rollcall_core::digest::PlanDigest;
use sea_orm::FromQueryResult;
use serde_json::json;
use uuid::Uuid;

/// Pairs per read for the digest. Each read scans all memberships, so there are few, large reads.
const PAIRS: usize = 20_000;

/// Records, and the members and sharing groups that they would be linked to; `$2` is the run that says so. Pairs that only
/// one of the two sides has, after group `$3` and member `$4`.
const DIFFERING: &str = "WITH people AS (SELECT i.subject_id AS record, i.object_id AS member FROM run_items i \
      WHERE i.tenant_id = {tenant} AND i.run_id = $2 AND i.decision = 'simulated' AND i.action IN ('relink', 'adopt')), \
    shared AS (SELECT i.subject_id AS record, i.object_id AS id FROM run_items i \
      WHERE i.tenant_id = {tenant} AND i.run_id = $2 AND i.decision = 'simulated' AND i.action = 'adopt_group'), \
    desired AS (SELECT s.id, p.member FROM directory_memberships dm JOIN shared s ON s.record = dm.group_id \
      JOIN people p ON p.record = dm.user_id WHERE dm.tenant_id = {tenant} AND (s.id, p.member) > ($3, $4)), \
    actual AS (SELECT s.id, p.member FROM sharing_group_members gm JOIN shared s ON s.id = gm.group_id \
      JOIN people p ON p.member = gm.member_id WHERE gm.tenant_id = {tenant} AND (s.id, p.member) > ($3, $4)), \
    pairs AS (SELECT id, member, 'add_to_group' AS action FROM (SELECT * FROM desired EXCEPT SELECT * FROM actual) AS missing \
      UNION ALL SELECT id, member, 'remove_from_group' AS action \
      FROM (SELECT * FROM actual EXCEPT SELECT * FROM desired) AS unwanted), \
    page AS (SELECT * FROM pairs ORDER BY id, member LIMIT $5) ";

static PAGE: Sql =
    Sql::tenant(&[DIFFERING, "SELECT id AS group_id, member AS member_id, action FROM page ORDER BY id, member"]);
static PAGE_WITH_NAMES: Sql = Sql::tenant(&[
    DIFFERING,
    "SELECT p.id AS group_id, p.member AS member_id, p.action, g.name, m.email, m.display_name \
     FROM page p JOIN sharing_groups g ON g.tenant_id = {tenant} AND g.id = p.id \
     JOIN members m ON m.tenant_id = {tenant} AND m.id = p.member ORDER BY p.id, p.member",
]);

/// Memberships of people and groups that are taken over; those of new ones are not counted.
#[derive(Clone, Debug, Default)]
pub struct MembershipCounts {
    pub added: i64,
    pub removed: i64,
}

/// A page of a promotion's items; its cursor is opaque.
#[derive(Clone, Debug)]
pub struct PromotionItems {
    pub items: Vec<RunItem>,
    pub next: Option<String>,
}

#[derive(FromQueryResult)]
struct PairRow {
    group_id: Uuid,
    member_id: Uuid,
    action: String,
}

#[derive(FromQueryResult)]
struct NamedRow {
    group_id: Uuid,
    member_id: Uuid,
    action: String,
    name: String,
    email: String,
    display_name: Option<String>,
}

/// The run that links the records of the new authority with members and groups.
#[derive(Clone, Copy)]
pub(super) struct PlannedMemberships {
    run: Option<Uuid>,
}

impl PlannedMemberships {
    pub(super) fn of(run: Option<Uuid>) -> Self {
        Self { run }
    }
}

/// The position after which a page of a promotion's items begins. Memberships come last.
#[derive(Clone, Copy)]
pub(super) enum After {
    Item(Uuid),
    Membership(Uuid, Uuid),
}

impl After {
    pub(super) fn parse(cursor: Option<&str>) -> Result<Self, StoreError> {
        let Some(cursor) = cursor else { return Ok(Self::Item(Uuid::nil())) };
        let place = match cursor.split_once('.') {
            None => cursor.parse().map(Self::Item),
            Some((group, member)) => group.parse().and_then(|group| Ok(Self::Membership(group, member.parse()?))),
        };
        place.map_err(|_| unknown_cursor())
    }
}

impl TenantTx {
    /// Counts them and adds each to the digest.
    pub(super) async fn fold_memberships(
        &self,
        PlannedMemberships { run }: PlannedMemberships,
        digest: &mut PlanDigest,
    ) -> Result<MembershipCounts, StoreError> {
        let mut counts = MembershipCounts::default();
        let (mut group, mut member, limit) = (Uuid::nil(), Uuid::nil(), i64::try_from(PAIRS).unwrap_or(i64::MAX));
        loop {
            let values = [run.into(), group.into(), member.into(), limit.into()];
            let pairs: Vec<PairRow> = self.all(&PAGE, values).await?;
            for pair in &pairs {
                let count = if pair.action == "add_to_group" { &mut counts.added } else { &mut counts.removed };
                *count += 1;
                let text = format!("{} {} {}", pair.action, pair.group_id, pair.member_id);
                *digest = digest.with(PlanDigest::of(&text));
            }
            match pairs.last() {
                Some(last) if pairs.len() == PAIRS => (group, member) = (last.group_id, last.member_id),
                _ => return Ok(counts),
            }
        }
    }

    /// Fills the rest of a page with them and sets the cursor of the next page.
    pub(super) async fn add_memberships(
        &self,
        PlannedMemberships { run }: PlannedMemberships,
        (group, member): (Uuid, Uuid),
        room: usize,
        page: &mut PromotionItems,
    ) -> Result<(), StoreError> {
        let limit = i64::try_from(room + 1).unwrap_or(i64::MAX);
        let values = [run.into(), group.into(), member.into(), limit.into()];
        let mut rows: Vec<NamedRow> = self.all(&PAGE_WITH_NAMES, values).await?;
        let more = rows.len() > room;
        rows.truncate(room);
        if more {
            // A page without room for any of them continues with the first.
            let last = rows.last().map_or((group, member), |row| (row.group_id, row.member_id));
            page.next = Some(format!("{}.{}", last.0, last.1));
        }
        page.items.extend(rows.into_iter().map(item));
        Ok(())
    }
}

/// The id is derived from the pair, so it is the same each time.
fn item(row: NamedRow) -> RunItem {
    let joins = row.action == "add_to_group";
    let pair = PlanDigest::of(&format!("{} {}", row.group_id, row.member_id)).to_hex();
    let id = Uuid::try_parse(&pair[..32]).unwrap_or(row.member_id);
    let why = if joins { Why::AddedAtSource } else { Why::RemovedAtSource };
    let who = json!({ "email": row.email, "display_name": row.display_name, "group": row.name });
    let detail = json!({ "action": row.action, "group": row.group_id, "member": row.member_id });
    RunItem {
        subject_id: row.member_id,
        why: why.as_str().into(),
        member_id: Some(row.member_id),
        group_id: Some(row.group_id),
        before: Some(json!({ "inside": !joins })),
        after: Some(json!({ "inside": joins })),
        ..simulated_item(id, &row.action, ("member", who), detail)
    }
}
