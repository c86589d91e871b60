//! The memberships of directory groups, row by row.
//!
//! A request's changes of a group's members are reduced to their sum first: the users that join and those that leave, each
//! once. Then rows are written in one order: people are locked by id, memberships added by id, then taken away by id; so two
//! requests that only add or only remove never wait for each other in a circle. Those that do both take turns at the group's
//! row ([`Delta::is_mixed`]): of `remove a, add b` beside `remove b, add a` exactly one of the two is left, whoever is last.

use crate::engine::connection::Bound;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::sql::{RowSet, Sql};
use crate::engine::transaction::TenantTx;
use crate::log::changes::{Lane, Touched};
use rollcall_core::event::{DirectoryMembershipDetail, Event};
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SourceId};
use rollcall_scim::{MemberKind, MemberRef};
use sea_orm::FromQueryResult;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// One row operation on a group's members.
#[derive(Clone, Debug)]
pub enum MemberChange {
    Add(Vec<DirectoryUserId>),
    Remove(Vec<DirectoryUserId>),
    /// Exactly these; all other members leave.
    Replace(Vec<DirectoryUserId>),
}

/// The sum of a list of changes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Delta {
    joining: BTreeSet<Uuid>,
    leaving: BTreeSet<Uuid>,
    /// Everybody who does not join leaves.
    exactly: bool,
}

impl Delta {
    /// The last change of each person counts.
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

/// The users that leave: those named, or all but them.
#[derive(Clone, Copy)]
enum Whom {
    These,
    Others,
}

/// Members by their group.
pub(crate) struct MembersOf {
    pub(crate) by_group: HashMap<Uuid, Vec<MemberRef>>,
    /// This group and those with a greater id may have more members.
    first_incomplete: Option<Uuid>,
}

impl MembersOf {
    pub(crate) fn is_complete(&self, group: Uuid) -> bool {
        self.first_incomplete.is_none_or(|first| group < first)
    }
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

const USERS: &[RowSet] = &[("rows", 2, ID)];

static MEMBERS_OF_GROUPS: Sql = Sql::tenant_rows(
    USERS,
    &["SELECT m.group_id, m.user_id, coalesce(u.display_name, u.user_name) AS display FROM {rows} \
       {join} directory_memberships m ON m.tenant_id = {tenant} AND m.group_id = r.id \
       {join} directory_users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id AND u.deleted_at IS NULL \
       ORDER BY m.group_id, m.user_id"],
);

const ADD: &str = "INSERT INTO directory_memberships (tenant_id, group_id, user_id) \
    SELECT u.tenant_id, $3, u.id FROM {rows} {join} directory_users u ON u.tenant_id = {tenant} AND u.id = r.id \
    AND u.source_id = $4 AND u.deleted_at IS NULL WHERE true ORDER BY u.id ";
const ADDED: &str = " ON CONFLICT (tenant_id, group_id, user_id) DO NOTHING RETURNING user_id";

/// The same row lock that the foreign key takes next. Taken here, a write that waited for a deletion reads the row again and sees
/// the deletion; the foreign key would accept a tombstone.
static ADD_MEMBERS: Sql = Sql::tenant_by_engine(USERS, &[ADD, "FOR KEY SHARE OF u", ADDED], &[ADD, ADDED]);

static KNOWN_USERS: Sql = Sql::tenant_rows(
    USERS,
    &["SELECT u.id AS user_id FROM {rows} {join} directory_users u ON u.tenant_id = {tenant} AND u.id = r.id \
       AND u.source_id = $3 AND u.deleted_at IS NULL"],
);

/// Postgres makes an array once; a sub-select would be a join, which a plan for a small group does row by row.
const NAMED_POSTGRES: &str = "m.user_id = ANY(ARRAY(SELECT r.id FROM {rows}))";
const NAMED_SQLITE: &str = "m.user_id IN (SELECT r.id FROM {rows})";
const NOT_NAMED: &str = "m.user_id NOT IN (SELECT r.id FROM {rows})";
const DELETE: &str = "DELETE FROM directory_memberships AS m WHERE m.tenant_id = {tenant} AND m.group_id = $3 AND ";
/// Rows are locked by id, then deleted: `DELETE` alone locks them in the order it finds them.
const DELETE_LOCKED: &str = "DELETE FROM directory_memberships WHERE tenant_id = {tenant} AND group_id = $3 AND user_id = ANY(ARRAY(\
    SELECT m.user_id FROM directory_memberships m WHERE m.tenant_id = {tenant} AND m.group_id = $3 AND ";
const LOCKED: &str = " ORDER BY m.user_id FOR UPDATE OF m)) RETURNING user_id";
const DELETED: &str = " RETURNING user_id";

static REMOVE_ONE: Sql =
    Sql::tenant_by_engine(USERS, &[DELETE, NAMED_POSTGRES, DELETED], &[DELETE, NAMED_SQLITE, DELETED]);
static REMOVE_NAMED: Sql =
    Sql::tenant_by_engine(USERS, &[DELETE_LOCKED, NAMED_POSTGRES, LOCKED], &[DELETE, NAMED_SQLITE, DELETED]);
static REMOVE_OTHERS: Sql =
    Sql::tenant_by_engine(USERS, &[DELETE_LOCKED, NOT_NAMED, LOCKED], &[DELETE, NOT_NAMED, DELETED]);

impl TenantTx {
    /// The members of each of these groups, by one statement that reads no more than `members_max` of them. A transaction that
    /// has read so many takes no further statement.
    pub(crate) async fn members_of(
        &self,
        groups: impl IntoIterator<Item = Uuid>,
        members_max: usize,
    ) -> Result<MembersOf, StoreError> {
        let bound = Bound::Rows(members_max.saturating_add(1));
        let (mut rows, _): (Vec<MemberRow>, _) = self.bounded(&MEMBERS_OF_GROUPS, [id_rows(groups)?], bound).await?;
        // They come by group, so the group of the last one is the first that is not complete.
        let first_incomplete = (rows.len() > members_max).then(|| rows.pop()).flatten().map(|row| row.group_id);
        let mut by_group: HashMap<Uuid, Vec<MemberRef>> = HashMap::new();
        for row in rows {
            let member = MemberRef { value: row.user_id.to_string(), kind: MemberKind::User, display: row.display };
            by_group.entry(row.group_id).or_default().push(member);
        }
        Ok(MembersOf { by_group, first_incomplete })
    }

    /// Writes a delta and marks exactly the memberships that it changed.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a person to add is not a user of this source.
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
        let added: Vec<UserIdRow> = self.all(&ADD_MEMBERS, [rows, group.0.into(), source.0.into()]).await?;
        if added.len() < users.len() {
            self.refuse_unknown_users(source, users).await?;
        }
        self.mark_members(source, group, added, Event::DirectoryMembershipAdded).await
    }

    /// Removes these users, or all others.
    async fn remove_members(
        &self,
        source: SourceId,
        group: DirectoryGroupId,
        users: &BTreeSet<Uuid>,
        whom: Whom,
    ) -> Result<bool, StoreError> {
        let sql = match whom {
            Whom::Others => &REMOVE_OTHERS,
            Whom::These if users.len() == 1 => &REMOVE_ONE,
            Whom::These => &REMOVE_NAMED,
        };
        let removed: Vec<UserIdRow> = self.all(sql, [id_rows(users.iter().copied())?, group.0.into()]).await?;
        self.mark_members(source, group, removed, Event::DirectoryMembershipRemoved).await
    }

    async fn refuse_unknown_users(&self, source: SourceId, users: &BTreeSet<Uuid>) -> Result<(), StoreError> {
        let known: Vec<UserIdRow> = self.all(&KNOWN_USERS, [id_rows(users.iter().copied())?, source.0.into()]).await?;
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
        kind: fn(DirectoryGroupId, DirectoryMembershipDetail) -> Event,
    ) -> Result<bool, StoreError> {
        let event = |user: &UserIdRow| kind(group, DirectoryMembershipDetail { user_id: user.user_id.into() });
        let touched = |user: &UserIdRow| Touched::Membership(group, user.user_id.into());
        if let [user] = users.as_slice() {
            let writes = vec![self.change(Some(source), touched(user)).into(), self.event(&event(user)).into()];
            self.tx.batch(writes).await?;
        } else if !users.is_empty() {
            self.write_changes(Some(source), Lane::Push, users.iter().map(touched)).await?;
            let rows = users.iter().map(|user| self.event_row(&event(user), self.actor, self.request, None));
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
