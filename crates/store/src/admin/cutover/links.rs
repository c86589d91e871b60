//! The links that move in a cut-over, with their audit events: a bounded number of rows at a time, in one transaction.

use super::ROWS;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, Type, time_text};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::log::audit_events::EventRow;
use chrono::{DateTime, Utc};
use rollcall_core::action::Why;
use rollcall_core::email::fold;
use rollcall_core::event::{self, Event, GroupMoved, MemberDetail};
use rollcall_core::ids::{MemberId, RunId, SharingGroupId};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::Value;
use serde::Serialize;
use uuid::Uuid;

/// A member with its present and its new link.
#[derive(FromQueryResult)]
pub(super) struct MemberLink {
    /// The id that orders the pages: the item's or the member's.
    position: Uuid,
    id: Uuid,
    why: String,
    managed_by: Option<Uuid>,
    directory_user_id: Option<Uuid>,
    external_id: Option<String>,
    new_directory_user_id: Option<Uuid>,
    new_external_id: Option<String>,
}

#[derive(FromQueryResult)]
pub(super) struct GroupLink {
    position: Uuid,
    id: Uuid,
    name: String,
    new_name: String,
    managed_by: Option<Uuid>,
    directory_group_id: Option<Uuid>,
    new_directory_group_id: Option<Uuid>,
}

#[derive(Serialize)]
struct MemberLinkRow {
    tenant_id: Uuid,
    id: Uuid,
    managed_by: Option<Uuid>,
    directory_user_id: Option<Uuid>,
    /// Always none: a record of the source that the member leaves says nothing about them any more.
    former_record_id: Option<Uuid>,
    external_id: Option<String>,
    #[serde(serialize_with = "time_text")]
    modified_at: DateTime<Utc>,
}

const MEMBER_LINK: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("managed_by", Type::Uuid),
    ("directory_user_id", Type::Uuid),
    ("former_record_id", Type::Uuid),
    ("external_id", Type::Text),
    ("modified_at", Type::Time),
];

#[derive(Serialize)]
struct GroupLinkRow {
    tenant_id: Uuid,
    id: Uuid,
    name: String,
    name_folded: String,
    managed_by: Option<Uuid>,
    directory_group_id: Option<Uuid>,
    #[serde(serialize_with = "time_text")]
    modified_at: DateTime<Utc>,
}

const GROUP_LINK: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("name", Type::Text),
    ("name_folded", Type::Text),
    ("managed_by", Type::Uuid),
    ("directory_group_id", Type::Uuid),
    ("modified_at", Type::Time),
];

/// The rank among several records of one member: the record linked before, then the one with the external id, then the earliest.
const OTHER_RANK: &str = "CASE o.why WHEN 'linked_before' THEN 0 WHEN 'matched_by_external_id' THEN 1 ELSE 2 END";
const RANK: &str = "CASE i.why WHEN 'linked_before' THEN 0 WHEN 'matched_by_external_id' THEN 1 ELSE 2 END";

/// Members that run `$2` links to records of source `$3`.
pub(super) static MATCHED_MEMBERS: Sql = Sql::tenant(&[
    "SELECT i.id AS position, m.id, i.why, m.managed_by, m.directory_user_id, m.external_id, \
     u.id AS new_directory_user_id, coalesce(u.external_id, m.external_id) AS new_external_id \
     FROM run_items i JOIN members m ON m.tenant_id = i.tenant_id AND m.id = i.object_id \
     JOIN directory_users u ON u.tenant_id = i.tenant_id AND u.id = i.subject_id AND u.deleted_at IS NULL \
     WHERE i.tenant_id = {tenant} AND i.run_id = $2 AND i.action = 'relink' AND i.decision = 'simulated' \
     AND m.managed_by <> $3 AND i.id > $4 AND NOT EXISTS (SELECT 1 FROM run_items o WHERE o.tenant_id = i.tenant_id \
     AND o.run_id = i.run_id AND o.object_id = i.object_id AND o.action = 'relink' AND o.decision = 'simulated' AND (",
    OTHER_RANK,
    ", o.subject_id) < (",
    RANK,
    ", i.subject_id)) ORDER BY i.id LIMIT $5",
]);

/// Members of source `$2`, with their present links as the new ones; `$3` is not used.
pub(super) static MEMBERS_OF: Sql =
    Sql::tenant(&["SELECT m.id AS position, m.id, 'not_in_source' AS why, m.managed_by, \
    m.directory_user_id, m.external_id, m.directory_user_id AS new_directory_user_id, m.external_id AS new_external_id \
    FROM members m WHERE m.tenant_id = {tenant} AND m.managed_by = $2 AND m.status <> 'removed' \
    AND ($3 IS NULL OR m.managed_by <> $3) AND m.id > $4 ORDER BY m.id LIMIT $5"]);

/// Sharing groups that run `$2` links to groups of source `$3`; the earliest of several gets it.
pub(super) static MATCHED_GROUPS: Sql =
    Sql::tenant(&["SELECT i.id AS position, g.id, g.name, d.display_name AS new_name, g.managed_by, \
    g.directory_group_id, d.id AS new_directory_group_id FROM run_items i \
    JOIN sharing_groups g ON g.tenant_id = i.tenant_id AND g.id = i.object_id AND g.removed_at IS NULL \
    JOIN directory_groups d ON d.tenant_id = i.tenant_id AND d.id = i.subject_id AND d.deleted_at IS NULL \
    AND d.display_name_folded = g.name_folded \
    WHERE i.tenant_id = {tenant} AND i.run_id = $2 AND i.action = 'adopt_group' AND i.decision = 'simulated' \
    AND g.managed_by <> $3 AND i.id > $4 AND NOT EXISTS (SELECT 1 FROM run_items o WHERE o.tenant_id = i.tenant_id \
    AND o.run_id = i.run_id AND o.object_id = i.object_id AND o.action = 'adopt_group' AND o.decision = 'simulated' \
    AND o.subject_id < i.subject_id) ORDER BY i.id LIMIT $5"]);

/// Sharing groups of source `$2`; `$3` is not used.
pub(super) static GROUPS_OF: Sql =
    Sql::tenant(&["SELECT g.id AS position, g.id, g.name, g.name AS new_name, g.managed_by, \
    g.directory_group_id, g.directory_group_id AS new_directory_group_id FROM sharing_groups g \
    WHERE g.tenant_id = {tenant} AND g.managed_by = $2 AND g.removed_at IS NULL \
    AND ($3 IS NULL OR g.managed_by <> $3) AND g.id > $4 ORDER BY g.id LIMIT $5"]);

/// The new manager of members and groups, and the audit event of the move.
#[derive(Clone, Copy)]
pub(super) struct NewManager {
    /// `None` makes them unmanaged and follows no record any more (PE7).
    pub(super) source: Option<Uuid>,
    pub(super) run: Option<RunId>,
    pub(super) as_member: fn(MemberId, MemberDetail) -> Event,
    pub(super) as_group: fn(SharingGroupId, GroupMoved) -> Event,
}

impl MemberLink {
    fn before(&self) -> event::MemberLink {
        event::MemberLink {
            directory_user_id: self.directory_user_id.map(Into::into),
            external_id: self.external_id.clone(),
            managed_by: Some(self.managed_by.map(Into::into)),
        }
    }
}

impl MemberLinkRow {
    fn after(&self) -> event::MemberLink {
        event::MemberLink {
            directory_user_id: self.directory_user_id.map(Into::into),
            external_id: self.external_id.clone(),
            managed_by: Some(self.managed_by.map(Into::into)),
        }
    }
}

impl GroupLink {
    fn before(&self) -> event::GroupLink {
        event::GroupLink {
            name: self.name.clone(),
            directory_group_id: self.directory_group_id.map(Into::into),
            managed_by: self.managed_by.map(Into::into),
        }
    }
}

impl GroupLinkRow {
    fn after(&self) -> event::GroupLink {
        event::GroupLink {
            name: self.name.clone(),
            directory_group_id: self.directory_group_id.map(Into::into),
            managed_by: self.managed_by.map(Into::into),
        }
    }
}

impl TenantTx {
    /// Moves the members that `select` finds for `of`; returns their number.
    pub(super) async fn move_members(&self, select: &Sql, of: Uuid, to: NewManager) -> Result<i64, StoreError> {
        let (mut moved, mut after) = (0, Uuid::nil());
        loop {
            let links: Vec<MemberLink> = self.all(select, self.page_of(of, to, after)).await?;
            let Some(last) = links.last() else { return Ok(moved) };
            (moved, after) = (moved + links.len() as i64, last.position);
            let rows: Vec<MemberLinkRow> = links.iter().map(|link| self.member_link(link, to)).collect();
            self.tx.update_rows("members", MEMBER_LINK, &rows).await?;
            let event = |(link, row): (&MemberLink, &MemberLinkRow)| {
                let why = link.why.parse::<Why>().map_err(StoreError::database)?;
                let detail = MemberDetail::Linked { before: link.before(), after: row.after(), why };
                Ok(self.moved(to, &(to.as_member)(link.id.into(), detail)))
            };
            let events: Vec<EventRow> = links.iter().zip(&rows).map(event).collect::<Result<_, StoreError>>()?;
            self.write_events(&events).await?;
        }
    }

    /// As [`TenantTx::move_members`], for sharing groups.
    pub(super) async fn move_groups(&self, select: &Sql, of: Uuid, to: NewManager) -> Result<i64, StoreError> {
        let (mut moved, mut after) = (0, Uuid::nil());
        loop {
            let links: Vec<GroupLink> = self.all(select, self.page_of(of, to, after)).await?;
            let Some(last) = links.last() else { return Ok(moved) };
            (moved, after) = (moved + links.len() as i64, last.position);
            let rows: Vec<GroupLinkRow> = links.iter().map(|link| self.group_link(link, to)).collect();
            self.tx.update_rows("sharing_groups", GROUP_LINK, &rows).await?;
            let event = |(link, row): (&GroupLink, &GroupLinkRow)| {
                let spelling_differs = link.name != row.name;
                let detail = GroupMoved::Linked { before: link.before(), after: row.after(), spelling_differs };
                self.moved(to, &(to.as_group)(link.id.into(), detail))
            };
            self.write_events(&links.iter().zip(&rows).map(event).collect::<Vec<_>>()).await?;
        }
    }

    fn page_of(&self, of: Uuid, to: NewManager, after: Uuid) -> [Value; 4] {
        let rows = i64::try_from(ROWS).unwrap_or(i64::MAX);
        [of.into(), to.source.into(), after.into(), rows.into()]
    }

    fn moved(&self, to: NewManager, event: &Event) -> EventRow {
        self.event_row(event, self.actor, self.request, to.run)
    }

    fn member_link(&self, link: &MemberLink, to: NewManager) -> MemberLinkRow {
        MemberLinkRow {
            tenant_id: self.tenant.0,
            id: link.id,
            managed_by: to.source,
            directory_user_id: link.new_directory_user_id.filter(|_| to.source.is_some()),
            former_record_id: None,
            external_id: link.new_external_id.clone(),
            modified_at: self.clock.now(),
        }
    }

    fn group_link(&self, link: &GroupLink, to: NewManager) -> GroupLinkRow {
        GroupLinkRow {
            tenant_id: self.tenant.0,
            id: link.id,
            name: link.new_name.clone(),
            name_folded: fold(&link.new_name),
            managed_by: to.source,
            directory_group_id: link.new_directory_group_id.filter(|_| to.source.is_some()),
            modified_at: self.clock.now(),
        }
    }
}
