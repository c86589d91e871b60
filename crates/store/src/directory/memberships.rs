//! Who is in which directory group, row by row.
//!
//! What a request says of a group's members is brought to its sum first: whom it adds and whom it takes away, each person
//! once. Then rows are written in one order: people are locked by id, memberships added by id, then taken away by id; so two
//! requests that only add or only remove never wait for each other in a circle. Those that do both take turns at the group's
//! row ([`Delta::is_mixed`]): of `remove a, add b` beside `remove b, add a` exactly one of the two is left, whoever is last.

use crate::directory::groups::DirectoryGroup;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::transaction::TenantTx;
use crate::log::audit_events::NewEvent;
use crate::log::changes::{Lane, Touched};
use rollcall_core::event::AuditKind;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SourceId};
use rollcall_scim::{MemberKind, MemberRef};
use sea_orm::FromQueryResult;
use serde_json::json;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// One row operation on a group's members.
#[derive(Clone, Debug)]
pub enum MemberChange {
    Add(Vec<DirectoryUserId>),
    Remove(Vec<DirectoryUserId>),
    /// Exactly these; whoever else is in the group leaves it.
    Replace(Vec<DirectoryUserId>),
}

/// What a list of changes comes to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Delta {
    joining: BTreeSet<Uuid>,
    leaving: BTreeSet<Uuid>,
    /// Whoever does not join leaves.
    exactly: bool,
}

impl Delta {
    /// The last word on each person counts.
    pub(crate) fn of(changes: &[MemberChange]) -> Self {
        let mut delta = Self::default();
        for change in changes {
            match change {
                MemberChange::Add(users) => {
                    for user in users {
                        delta.leaving.remove(&user.0);
                        delta.joining.insert(user.0);
                    }
                }
                MemberChange::Remove(users) => {
                    for user in users {
                        delta.joining.remove(&user.0);
                        delta.leaving.insert(user.0);
                    }
                }
                MemberChange::Replace(users) => {
                    let joining = users.iter().map(|user| user.0).collect();
                    delta = Self { joining, leaving: BTreeSet::new(), exactly: true };
                }
            }
        }
        if delta.exactly {
            delta.leaving.clear();
        }
        delta
    }

    /// Some join and others leave.
    pub(crate) fn is_mixed(&self) -> bool {
        !self.joining.is_empty() && (self.exactly || !self.leaving.is_empty())
    }
}

/// Who leaves: the users named, or all but them.
#[derive(Clone, Copy)]
enum Whom {
    These,
    Others,
}

#[derive(FromQueryResult)]
struct MemberRow {
    group_id: Uuid,
    user_id: Uuid,
    display: Option<String>,
}

#[derive(FromQueryResult)]
struct UserIdRow {
    user_id: Uuid,
}

impl TenantTx {
    /// Fills in the members of all these groups with one query.
    pub(crate) async fn read_members(&self, groups: &mut [DirectoryGroup]) -> Result<(), StoreError> {
        let join = self.tx.join();
        let sql = format!(
            "SELECT m.group_id, m.user_id, coalesce(u.display_name, u.user_name) AS display FROM {} \
             {join} directory_memberships m ON m.tenant_id = $2 AND m.group_id = r.id \
             {join} directory_users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id AND u.deleted_at IS NULL \
             ORDER BY m.group_id, m.user_id",
            self.tx.rows(ID)
        );
        let ids = id_rows(groups.iter().map(|group| group.id.0))?;
        let rows: Vec<MemberRow> = self.tx.all(&sql, [ids, self.tenant.0.into()]).await?;
        let mut by_group: HashMap<Uuid, Vec<MemberRef>> = HashMap::new();
        for row in rows {
            let member = MemberRef { value: row.user_id.to_string(), kind: MemberKind::User, display: row.display };
            by_group.entry(row.group_id).or_default().push(member);
        }
        for group in groups {
            group.resource.members = Some(by_group.remove(&group.id.0).unwrap_or_default());
        }
        Ok(())
    }

    /// Writes a delta and marks exactly the memberships that it really changed.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when somebody who joins is not a user of this source.
    pub(crate) async fn change_members(
        &self,
        source: SourceId,
        group: DirectoryGroupId,
        delta: Delta,
    ) -> Result<bool, StoreError> {
        let mut changed = false;
        if !delta.joining.is_empty() {
            changed |= self.add_members(source, group, &delta.joining).await?;
        }
        if delta.exactly {
            changed |= self.remove_members(source, group, &delta.joining, Whom::Others).await?;
        } else if !delta.leaving.is_empty() {
            changed |= self.remove_members(source, group, &delta.leaving, Whom::These).await?;
        }
        Ok(changed)
    }

    async fn add_members(
        &self,
        source: SourceId,
        group: DirectoryGroupId,
        users: &BTreeSet<Uuid>,
    ) -> Result<bool, StoreError> {
        let rows = id_rows(users.iter().copied())?;
        // The lock is the one that the foreign key takes next. Taken here, whoever waited for a deletion looks at the row again
        // and sees it; the foreign key would be content with a tombstone.
        let lock = if self.tx.is_postgres() { "FOR KEY SHARE OF u" } else { "" };
        let join = self.tx.join();
        let sql = format!(
            "INSERT INTO directory_memberships (tenant_id, group_id, user_id) \
             SELECT u.tenant_id, $3, u.id FROM {} {join} directory_users u ON u.tenant_id = $2 AND u.id = r.id \
             AND u.source_id = $4 AND u.deleted_at IS NULL WHERE true ORDER BY u.id {lock} \
             ON CONFLICT (tenant_id, group_id, user_id) DO NOTHING RETURNING user_id",
            self.tx.rows(ID)
        );
        let values = [rows, self.tenant.0.into(), group.0.into(), source.0.into()];
        let added: Vec<UserIdRow> = self.tx.all(&sql, values).await?;
        if added.len() < users.len() {
            self.refuse_unknown_users(source, users).await?;
        }
        self.mark_members(source, group, added, AuditKind::DirectoryMembershipAdded).await
    }

    /// Removes these users, or all others.
    async fn remove_members(
        &self,
        source: SourceId,
        group: DirectoryGroupId,
        users: &BTreeSet<Uuid>,
        whom: Whom,
    ) -> Result<bool, StoreError> {
        let named = format!("SELECT r.id FROM {}", self.tx.rows(ID));
        let matching = match (whom, self.tx.is_postgres()) {
            (Whom::Others, _) => format!("NOT IN ({named})"),
            (Whom::These, false) => format!("IN ({named})"),
            // An array is made once; a sub-select would be a join, which a planner that takes the group for small does row by row.
            (Whom::These, true) => format!("= ANY(ARRAY({named}))"),
        };
        let chosen = format!("m.tenant_id = $2 AND m.group_id = $3 AND m.user_id {matching}");
        let is_one = matches!(whom, Whom::These) && users.len() == 1;
        let sql = if self.tx.is_postgres() && !is_one {
            // Locked by id, then deleted: DELETE alone takes rows as it meets them.
            format!(
                "DELETE FROM directory_memberships WHERE tenant_id = $2 AND group_id = $3 AND user_id = ANY(ARRAY(\
                 SELECT m.user_id FROM directory_memberships m WHERE {chosen} ORDER BY m.user_id FOR UPDATE OF m)) \
                 RETURNING user_id"
            )
        } else {
            format!("DELETE FROM directory_memberships AS m WHERE {chosen} RETURNING user_id")
        };
        let values = [id_rows(users.iter().copied())?, self.tenant.0.into(), group.0.into()];
        let removed: Vec<UserIdRow> = self.tx.all(&sql, values).await?;
        self.mark_members(source, group, removed, AuditKind::DirectoryMembershipRemoved).await
    }

    async fn refuse_unknown_users(&self, source: SourceId, users: &BTreeSet<Uuid>) -> Result<(), StoreError> {
        let join = self.tx.join();
        let sql = format!(
            "SELECT u.id AS user_id FROM {} {join} directory_users u ON u.tenant_id = $2 AND u.id = r.id \
             AND u.source_id = $3 AND u.deleted_at IS NULL",
            self.tx.rows(ID)
        );
        let values = [id_rows(users.iter().copied())?, self.tenant.0.into(), source.0.into()];
        let known: Vec<UserIdRow> = self.tx.all(&sql, values).await?;
        let known: HashSet<Uuid> = known.into_iter().map(|row| row.user_id).collect();
        match users.iter().find(|user| !known.contains(user)) {
            Some(unknown) => Err(StoreError::Invalid(format!("members: `{unknown}` is not a user of this source"))),
            None => Ok(()),
        }
    }

    async fn mark_members(
        &self,
        source: SourceId,
        group: DirectoryGroupId,
        users: Vec<UserIdRow>,
        kind: AuditKind,
    ) -> Result<bool, StoreError> {
        let event = |user: &UserIdRow| {
            let detail = Some(json!({ "user_id": user.user_id }));
            NewEvent { kind, subject_kind: "directory_group", subject_id: group.0, detail }
        };
        let touched = |user: &UserIdRow| Touched::Membership(group, user.user_id.into());
        if let [user] = users.as_slice() {
            let writes = vec![self.change(Some(source), touched(user)).into(), self.event(event(user)).into()];
            self.tx.batch(writes).await?;
        } else if !users.is_empty() {
            self.write_changes(Some(source), Lane::Push, users.iter().map(touched)).await?;
            let (actor, request) = (self.actor.to_text(), self.request.map(|id| id.0));
            let rows = users.iter().map(|user| self.event_row(event(user), actor.clone(), request, None));
            self.write_events(&rows.collect::<Vec<_>>()).await?;
        }
        Ok(!users.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_each_person_counts() {
        let id = |number: u128| DirectoryUserId::from(Uuid::from_u128(number));
        let ids = |numbers: &[u128]| numbers.iter().map(|number| id(*number)).collect::<Vec<_>>();
        let set = |numbers: &[u128]| numbers.iter().map(|number| Uuid::from_u128(*number)).collect::<BTreeSet<_>>();
        let (add, remove) = (|who: &[u128]| MemberChange::Add(ids(who)), |who: &[u128]| MemberChange::Remove(ids(who)));
        let replace = |who: &[u128]| MemberChange::Replace(ids(who));
        for (changes, joining, leaving, exactly, mixed) in [
            (vec![], &[][..], &[][..], false, false),
            (vec![add(&[2, 1]), add(&[1, 3])], &[1, 2, 3], &[], false, false),
            (vec![remove(&[1]), remove(&[2])], &[], &[1, 2], false, false),
            (vec![remove(&[1, 2]), add(&[2, 3])], &[2, 3], &[1], false, true),
            (vec![add(&[1]), remove(&[1])], &[], &[1], false, false),
            (vec![remove(&[9]), replace(&[1, 2]), add(&[3]), remove(&[1])], &[2, 3], &[], true, true),
            (vec![add(&[1]), replace(&[])], &[], &[], true, false),
        ] {
            let delta = Delta::of(&changes);
            assert_eq!(delta.is_mixed(), mixed, "{changes:?}");
            assert_eq!(delta, Delta { joining: set(joining), leaving: set(leaving), exactly }, "{changes:?}");
        }
    }
}
