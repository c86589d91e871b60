//! The view of a world: the actual one, or the one in which another source is the authority (DX3). The records of a
//! simulated source are planned in the second one, which is never applied.

use super::{TouchedSubjects, origin};
use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::sql::{RowSet, Sql};
use crate::engine::transaction::TenantTx;
use rollcall_core::directory::{GroupState, GroupSubject, Origin, SourceMode, UserSubject};
use rollcall_core::ids::SourceId;
use sea_orm::FromQueryResult;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A source's mode for the planner: a source detached with its people still counts, with all of them gone (PE7).
/// `quarantined` is a live source whose changes are held (PE9).
pub(super) const MODE: &str = "CASE WHEN s.people_leave THEN 'live' \
    WHEN s.mode = 'live' AND s.quarantined_at IS NOT NULL THEN 'quarantined' ELSE s.mode END";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// The actual roster, with its authority.
    Actual { authority: Option<SourceId>, quarantined: bool },
    /// As if this source were the authority.
    Candidate(SourceId),
}

impl View {
    /// Selects the people of this world and their members. A member follows the records of its own source: a record of
    /// another one is a person whom their own source does not have.
    pub(super) fn people(self, users: &mut Vec<UserSubject>) {
        users.retain_mut(|user| {
            let managed_by = user.member.as_ref().and_then(|member| member.managed_by);
            let manager = managed_by.filter(|manager| *manager != user.origin.source);
            match (self.counts(user.origin), manager, self) {
                (true, Some(_), _) => user.returning = user.member.take(),
                (true, None, _) => {}
                (false, Some(manager), Self::Actual { authority, quarantined }) => {
                    user.record = None;
                    user.origin.source = manager;
                    user.origin.mode = mode_of(manager, authority);
                    user.origin.quarantined = quarantined;
                }
                (false, ..) => return false,
            }
            true
        });
    }

    /// As [`View::people`], for groups.
    pub(super) fn groups(self, groups: &mut Vec<GroupSubject>) {
        groups.retain_mut(|group| {
            let managed_by = group.sharing_group.as_ref().and_then(|shared| shared.managed_by);
            let manager = managed_by.filter(|manager| *manager != group.origin.source);
            match (self.counts(group.origin), manager, self) {
                (true, ..) => {}
                (false, Some(manager), Self::Actual { authority, quarantined }) => {
                    // The authority has taken over all groups, also those that its former source no longer synced.
                    (group.name, group.fed) = (None, true);
                    group.origin.source = manager;
                    group.origin.mode = mode_of(manager, authority);
                    group.origin.quarantined = quarantined;
                }
                (false, ..) => return false,
            }
            true
        });
    }

    /// Another source's group of the same name is taken over, like one whose directory group is gone (DS5).
    pub(super) fn named(self, mut group: GroupState) -> GroupState {
        if let Self::Candidate(source) = self
            && group.managed_by != Some(source)
        {
            group.directory_group = None;
        }
        group
    }

    fn counts(self, origin: Origin) -> bool {
        match self {
            Self::Actual { .. } => origin.mode == SourceMode::Live,
            Self::Candidate(candidate) => origin.source == candidate,
        }
    }
}

fn mode_of(manager: SourceId, authority: Option<SourceId>) -> SourceMode {
    if Some(manager) == authority { SourceMode::Live } else { SourceMode::Off }
}

#[derive(FromQueryResult)]
struct BesideRow {
    id: Uuid,
    source_id: Uuid,
    mode: String,
    /// The authority manages the member or group that this record is linked to.
    lost: bool,
}

const RECORDS: &[RowSet] = &[("rows", 2, ID)];
const NOT_LIVE: &str = " {join} sources s ON s.tenant_id = d.tenant_id AND s.id = d.source_id \
    WHERE s.mode <> 'live' AND s.people_leave = FALSE";

static USERS_BESIDE: Sql = Sql::tenant_rows(
    RECORDS,
    &[
        "SELECT d.id, d.source_id, s.mode, EXISTS (SELECT 1 FROM members m \
       WHERE m.tenant_id = d.tenant_id AND m.directory_user_id = d.id AND m.managed_by <> d.source_id) AS lost \
       FROM {rows} {join} directory_users d ON d.tenant_id = {tenant} AND d.id = r.id",
        NOT_LIVE,
    ],
);
static GROUPS_BESIDE: Sql = Sql::tenant_rows(
    RECORDS,
    &[
        "SELECT d.id, d.source_id, s.mode, EXISTS (SELECT 1 FROM sharing_groups g \
       WHERE g.tenant_id = d.tenant_id AND g.directory_group_id = d.id AND g.managed_by <> d.source_id) AS lost \
       FROM {rows} {join} directory_groups d ON d.tenant_id = {tenant} AND d.id = r.id",
        NOT_LIVE,
    ],
);

impl TenantTx {
    /// Takes the subjects of sources other than the authority out of `touched`; those of simulated sources are returned
    /// by source, those of sources that are off are dropped.
    pub(super) async fn set_candidates_aside(
        &self,
        touched: &mut TouchedSubjects,
    ) -> Result<BTreeMap<SourceId, TouchedSubjects>, StoreError> {
        let mut aside: BTreeMap<SourceId, TouchedSubjects> = BTreeMap::new();
        for row in self.beside(&USERS_BESIDE, touched.users.keys()).await? {
            let request = touched.users.get(&row.id).copied().flatten();
            if !row.lost {
                touched.users.remove(&row.id);
            }
            if origin(row.source_id, &row.mode, None).mode == SourceMode::Simulate {
                aside.entry(row.source_id.into()).or_default().users.insert(row.id, request);
            }
        }
        for row in self.beside(&GROUPS_BESIDE, touched.groups.keys()).await? {
            let request = touched.groups.get(&row.id).copied().flatten();
            if !row.lost {
                touched.groups.remove(&row.id);
            }
            if origin(row.source_id, &row.mode, None).mode == SourceMode::Simulate {
                aside.entry(row.source_id.into()).or_default().groups.insert(row.id, request);
            }
        }
        Ok(aside)
    }

    async fn beside(&self, sql: &Sql, ids: impl Iterator<Item = &Uuid>) -> Result<Vec<BesideRow>, StoreError> {
        self.all(sql, [id_rows(ids.copied())?]).await
    }
}
