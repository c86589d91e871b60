//! Open items of runs (held, or approved and not applied yet), found by what they are about: a person, a group, or one
//! membership. Never more of them are read than the touched subjects have.

use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::transaction::TenantTx;
use crate::log::changes::Lane;
use crate::reconcile::apply::subject_of;
use rollcall_core::action::ItemKey;
use rollcall_core::change::Subject;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{MemberId, RunId, SharingGroupId};
use rollcall_core::world::World;
use sea_orm::FromQueryResult;
use sea_orm::sea_query::Value;
use std::collections::HashSet;
use uuid::Uuid;

/// An item that still waits: for an admin, or for the worker after one.
#[derive(FromQueryResult)]
pub(crate) struct OpenItem {
    pub(crate) run_id: Uuid,
    pub(crate) id: Uuid,
    subject_kind: String,
    subject_id: Uuid,
    action: String,
    object_id: Uuid,
    pub(crate) decision: String,
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

    /// The guard that an admin has not decided about yet.
    pub(crate) fn held_for(&self) -> Option<HoldReason> {
        self.held_reason.as_deref().filter(|_| self.decision == "held")?.parse().ok()
    }
}

/// Which items are touched again.
#[derive(Clone, Copy)]
pub(crate) enum Retouch {
    /// Those of a run that was approved.
    Approved(RunId),
    /// All held ones: a changed policy judges them anew.
    Held,
    /// Those held because nobody else was an active admin, or the billing contact.
    LastOfTheirKind,
}

impl TenantTx {
    /// The open items that this world's plan answers for.
    pub(crate) async fn open_items(&self, world: &World) -> Result<Vec<OpenItem>, StoreError> {
        let wanted = "i.tenant_id = $2 AND i.subject_id = r.id AND i.decision IN ('held', 'approved')";
        // For each subject: how much is open, statistics do not tell, and it may be the whole organisation.
        let items = if self.tx.is_postgres() {
            format!("CROSS JOIN LATERAL (SELECT * FROM run_items i WHERE {wanted} OFFSET 0) AS i")
        } else {
            format!("CROSS JOIN run_items i ON {wanted}")
        };
        let sql = format!(
            "SELECT i.run_id, i.id, i.subject_kind, i.subject_id, i.action, i.object_id, i.decision, i.held_reason, i.digest \
             FROM {} {items}",
            self.tx.rows(ID)
        );
        let people = world.users.iter().map(|user| user.id.0).chain(world.groups.iter().map(|group| group.id.0));
        let ids: HashSet<Uuid> = people.chain(world.memberships.iter().map(|m| m.member.0)).collect();
        let mut items: Vec<OpenItem> = self.tx.all(&sql, [id_rows(ids)?, self.tenant.0.into()]).await?;
        // Somebody's other memberships are not looked at now.
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
        let sql = format!(
            "SELECT run_id, id, subject_kind, subject_id, action, object_id, decision, held_reason, digest FROM run_items \
             WHERE tenant_id = $2 AND decision IN ('held', 'approved') AND object_id <> subject_id \
             AND object_id IN (SELECT r.id FROM {})",
            self.tx.rows(ID)
        );
        self.tx.all(&sql, [id_rows(groups.iter().copied())?, self.tenant.0.into()]).await
    }

    /// Marks what items are about as changed, so that it is planned again.
    pub(crate) async fn touch_items(&self, which: Retouch) -> Result<(), StoreError> {
        let (condition, run): (&str, Option<Value>) = match which {
            Retouch::Approved(run) => ("i.run_id = $4 AND i.decision = 'approved'", Some(run.0.into())),
            Retouch::Held => ("i.decision = 'held'", None),
            Retouch::LastOfTheirKind => {
                ("i.decision = 'held' AND i.held_reason IN ('last_active_admin', 'last_billing_contact')", None)
            }
        };
        // Of a membership: the person's record and the group's. Of an item about a member alone: the record.
        let sql = format!(
            "INSERT INTO directory_changes (tenant_id, id, lane, user_id, group_id, request_id, created_at) \
             SELECT $1, {}, {}, x.user_id, x.group_id, $2, $3 FROM ( \
               SELECT DISTINCT \
                 CASE i.subject_kind WHEN 'directory_user' THEN i.subject_id ELSE m.directory_user_id END AS user_id, \
                 CASE i.subject_kind WHEN 'directory_group' THEN i.subject_id ELSE g.directory_group_id END AS group_id \
               FROM run_items i \
               LEFT JOIN members m ON m.tenant_id = i.tenant_id AND m.id = i.subject_id AND i.subject_kind = 'member' \
               LEFT JOIN sharing_groups g \
                 ON g.tenant_id = i.tenant_id AND g.id = i.object_id AND i.object_id <> i.subject_id \
               WHERE i.tenant_id = $1 AND {condition} \
             ) AS x",
            self.tx.random_id(),
            Lane::Push as i64
        );
        let values = [self.tenant.0.into(), self.request.map(|id| id.0).into(), self.clock.now().into()];
        self.tx.exec(&sql, values.into_iter().chain(run)).await?;
        Ok(())
    }
}
