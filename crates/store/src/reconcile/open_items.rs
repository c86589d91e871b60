//! Open items of runs (held, or approved and not applied yet), found by their subject: a person, a group, or one
//! membership. No more of them are read than the touched subjects have.

use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::reconcile::subjects::subject_of;
use rollcall_core::action::ItemKey;
use rollcall_core::change::Subject;
use rollcall_core::digest::PlanDigest;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{MemberId, RunId, SharingGroupId};
use rollcall_core::run::ItemDecision;
use rollcall_core::world::World;
use sea_orm::FromQueryResult;
use sea_orm::sea_query::Value;
use std::collections::HashSet;
use uuid::Uuid;

/// An item that waits for an admin, or for the worker after an approval.
#[derive(FromQueryResult)]
pub(crate) struct OpenItem {
    pub(crate) run_id: Uuid,
    pub(crate) id: Uuid,
    subject_kind: String,
    subject_id: Uuid,
    action: String,
    object_id: Uuid,
    decision: String,
    held_reason: Option<String>,
    pub(crate) digest: String,
}

impl OpenItem {
    /// `None` for an action that this program does not know.
    pub(crate) fn key(&self) -> Option<ItemKey> {
        let subject = subject_of(&self.subject_kind, self.subject_id)?;
        let group = (self.object_id != self.subject_id).then(|| self.object_id.into());
        Some(ItemKey { subject, action: self.action.parse().ok()?, group })
    }

    /// `None` for a decision that this program does not know.
    pub(crate) fn decision(&self) -> Option<ItemDecision> {
        self.decision.parse().ok()
    }

    /// The digest of an item that only an owner may have approved.
    pub(crate) fn approved_by_owner(&self) -> Option<PlanDigest> {
        let reason: HoldReason = self.held_reason.as_deref()?.parse().ok()?;
        let approved = self.decision() == Some(ItemDecision::Approved) && reason.is_for_owner();
        PlanDigest::from_hex(&self.digest).filter(|_| approved)
    }

    /// The guard whose hold is undecided.
    pub(crate) fn held_for(&self) -> Option<HoldReason> {
        self.held_reason.as_deref().filter(|_| self.decision() == Some(ItemDecision::Held))?.parse().ok()
    }
}

const OPEN_ITEM: &str =
    "SELECT i.run_id, i.id, i.subject_kind, i.subject_id, i.action, i.object_id, i.decision, i.held_reason, i.digest ";
const OF_SUBJECT: &str =
    "run_items i WHERE i.tenant_id = {tenant} AND i.subject_id = r.id AND i.decision IN ('held', 'approved')";

/// On Postgres a sub-select for each subject: no statistics tell how many items are open, and it may be the whole organisation.
static OPEN_ITEMS: Sql = Sql::tenant_by_engine(
    &[("rows", 2, ID)],
    &[OPEN_ITEM, "FROM {rows} CROSS JOIN LATERAL (SELECT * FROM ", OF_SUBJECT, " OFFSET 0) AS i"],
    &[OPEN_ITEM, "FROM {rows} CROSS JOIN ", OF_SUBJECT],
);
static OPEN_ITEMS_OF_GROUPS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &[
        OPEN_ITEM,
        "FROM run_items i WHERE i.tenant_id = {tenant} AND i.decision IN ('held', 'approved') \
       AND i.object_id <> i.subject_id AND i.object_id IN (SELECT r.id FROM {rows})",
    ],
);

/// An item about a membership touches the person's record and the group's; one about a member alone touches the record. Lane 0 is
/// [`Lane::Push`](crate::log::changes::Lane::Push).
const RETOUCH: &str = "INSERT INTO directory_changes (tenant_id, id, lane, user_id, group_id, request_id, created_at) \
    SELECT {tenant}, {random_id}, 0, x.user_id, x.group_id, $2, $3 FROM ( \
      SELECT DISTINCT \
        CASE i.subject_kind WHEN 'directory_user' THEN i.subject_id ELSE m.directory_user_id END AS user_id, \
        CASE i.subject_kind WHEN 'directory_group' THEN i.subject_id ELSE g.directory_group_id END AS group_id \
      FROM run_items i \
      LEFT JOIN members m ON m.tenant_id = i.tenant_id AND m.id = i.subject_id AND i.subject_kind = 'member' \
      LEFT JOIN sharing_groups g \
        ON g.tenant_id = i.tenant_id AND g.id = i.object_id AND i.object_id <> i.subject_id \
      WHERE i.tenant_id = {tenant} AND ";

static RETOUCH_APPROVED: Sql = Sql::tenant(&[RETOUCH, "i.run_id = $4 AND i.decision = 'approved') AS x"]);
/// Without a second mark beside an unread one: a changed policy has taken the lease away, so nobody consumes that one unread.
static RETOUCH_HELD: Sql = Sql::tenant(&[
    RETOUCH,
    "i.decision = 'held' EXCEPT SELECT c.user_id, c.group_id FROM directory_changes c \
     WHERE c.tenant_id = {tenant} AND c.lane = 0 AND c.source_id IS NULL) AS x",
]);
static RETOUCH_BY_ROLE: Sql = Sql::tenant(&[
    RETOUCH,
    "i.decision = 'held' AND i.held_reason IN ('privileged_member', 'last_active_admin', 'last_billing_contact')) AS x",
]);

/// Which items are touched again.
#[derive(Clone, Copy)]
pub(crate) enum Retouch {
    /// The items of a run that was approved.
    Approved(RunId),
    /// All held items: a changed policy judges them anew.
    Held,
    /// Items held because of a member's role, or because nobody else was an active admin or the billing contact.
    ByRole,
}

impl TenantTx {
    /// The open items that this world's plan decides about.
    pub(crate) async fn open_items(&self, world: &World) -> Result<Vec<OpenItem>, StoreError> {
        let people = world.users.iter().map(|user| user.id.0).chain(world.groups.iter().map(|group| group.id.0));
        let ids: HashSet<Uuid> = people.chain(world.memberships.iter().map(|m| m.member.0)).collect();
        let mut items: Vec<OpenItem> = self.all(&OPEN_ITEMS, [id_rows(ids)?]).await?;
        // Other memberships of the person are not part of this plan.
        let looked_at: HashSet<(SharingGroupId, MemberId)> =
            world.memberships.iter().map(|membership| (membership.group, membership.member)).collect();
        items.retain(|item| match item.key() {
            Some(ItemKey { subject: Subject::Member(member), group: Some(group), .. }) => {
                looked_at.contains(&(group, member))
            }
            _ => true,
        });
        Ok(items)
    }

    /// The open items about memberships of these sharing groups.
    pub(crate) async fn open_items_of_groups(&self, groups: &[Uuid]) -> Result<Vec<OpenItem>, StoreError> {
        self.all(&OPEN_ITEMS_OF_GROUPS, [id_rows(groups.iter().copied())?]).await
    }

    /// Touches the subjects of items, so that they are planned again.
    pub(crate) async fn touch_items(&self, which: Retouch) -> Result<(), StoreError> {
        let (sql, run): (&Sql, Option<Value>) = match which {
            Retouch::Approved(run) => (&RETOUCH_APPROVED, Some(run.0.into())),
            Retouch::Held => (&RETOUCH_HELD, None),
            Retouch::ByRole => (&RETOUCH_BY_ROLE, None),
        };
        let values = [self.request.map(|id| id.0).into(), self.clock.now().into()];
        self.exec(sql, values.into_iter().chain(run)).await?;
        Ok(())
    }
}
