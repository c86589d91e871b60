//! The people of a world: the source's records, their members, and the holders of the wanted addresses.

use super::profiles::{ReadRecord, read_by, reads_attributes};
use super::view::{MODE, View};
use super::{HOLDER_ROUNDS, origin};
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, ID, TEXT, TextRow, Type, id_rows, json_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::member_state::{MEMBER_COLUMNS, MemberRow, member_columns};
use crate::reconcile::user_scope::UserScopes;
use rollcall_core::directory::{PersonRecord, UserSubject};
use rollcall_core::email::fold;
use rollcall_core::ids::{DirectoryUserId, MemberId, SourceId};
use rollcall_core::roster::{MemberState, MemberStatus};
use rollcall_core::world::World;
use sea_orm::FromQueryResult;
use serde::Serialize;
use serde_json::Value as Json;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

#[derive(FromQueryResult)]
struct UserRow {
    id: Uuid,
    source_id: Uuid,
    mode: String,
    email: Option<String>,
    external_id: Option<String>,
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    active: bool,
    was_active: bool,
    deleted: bool,
    in_scope: bool,
    contested: bool,
    /// Only if a policy reads them.
    attributes: Option<Json>,
}

impl UserRow {
    fn take_record(&mut self) -> ReadRecord {
        let record = PersonRecord {
            email: self.email.take(),
            external_id: self.external_id.take(),
            display_name: self.display_name.take(),
            given_name: self.given_name.take(),
            family_name: self.family_name.take(),
            active: self.active,
            was_active: self.was_active,
        };
        ReadRecord { record, attributes: self.attributes.take().unwrap_or_default(), unmapped: None }
    }
}

#[derive(Serialize)]
struct AnchorRow<'a> {
    source_id: Uuid,
    external_id: &'a str,
}

const ANCHORS: Columns = &[("source_id", Type::Uuid), ("external_id", Type::Text)];

/// The members of these records, and those that followed them before another record took over.
pub(super) static LINKED_MEMBERS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &[
        "SELECT ",
        MEMBER_COLUMNS,
        " FROM {rows} {join} members m ON m.tenant_id = {tenant} AND m.directory_user_id = r.id UNION ALL SELECT ",
        MEMBER_COLUMNS,
        " FROM {rows} {join} members m ON m.tenant_id = {tenant} AND m.former_record_id = r.id",
    ],
);

/// The record of a returning person's member is deleted or disabled, and no present person has the external id.
const ENDED: &str = "NOT EXISTS (SELECT 1 FROM directory_users u WHERE u.tenant_id = m.tenant_id \
    AND u.id = m.directory_user_id AND u.deleted_at IS NULL AND u.source_id = m.managed_by AND u.active) \
    AND NOT EXISTS (SELECT 1 FROM members o JOIN directory_users u ON u.tenant_id = o.tenant_id \
    AND u.id = o.directory_user_id AND u.deleted_at IS NULL AND u.source_id = o.managed_by AND u.active \
    WHERE o.tenant_id = m.tenant_id AND o.managed_by = m.managed_by AND o.external_id = m.external_id AND o.id <> m.id)";
/// The record of a returning person's member is deleted.
const UNLINKED: &str = "NOT EXISTS (SELECT 1 FROM directory_users u WHERE u.tenant_id = m.tenant_id \
    AND u.id = m.directory_user_id AND u.deleted_at IS NULL AND u.source_id = m.managed_by)";
static RETURNING: Sql = Sql::tenant_rows(
    &[("rows", 2, ANCHORS)],
    &[
        "SELECT ",
        MEMBER_COLUMNS,
        " FROM {rows} {join} members m ON m.tenant_id = {tenant} AND m.managed_by = r.source_id \
       AND m.external_id = r.external_id WHERE ",
        ENDED,
    ],
);
static RETURNING_FROM_ANY_SOURCE: Sql = Sql::tenant_rows(
    &[("rows", 2, ANCHORS)],
    &[
        "SELECT ",
        MEMBER_COLUMNS,
        " FROM {rows} {join} sources s ON s.tenant_id = {tenant} \
       {join} members m ON m.tenant_id = {tenant} AND m.managed_by = s.id AND m.external_id = r.external_id \
       WHERE m.managed_by <> r.source_id OR ",
        UNLINKED,
    ],
);

/// The record `u` of source `s` has ended, and another one is in dispute about its member's address or has the external id.
/// Asked here, it costs no round trip when somebody leaves.
const CONTESTED: &str = "CASE WHEN u.deleted_at IS NULL AND NOT s.people_leave AND u.active THEN FALSE ELSE \
    EXISTS (SELECT 1 FROM members m WHERE m.tenant_id = u.tenant_id AND m.directory_user_id = u.id AND ( \
    EXISTS (SELECT 1 FROM disputes d WHERE d.tenant_id = m.tenant_id \
    AND d.about IN (m.email_folded, m.former_email_folded)) \
    OR EXISTS (SELECT 1 FROM directory_users o WHERE o.tenant_id = m.tenant_id AND o.source_id = m.managed_by \
    AND o.external_id = m.external_id AND o.deleted_at IS NULL AND o.id <> u.id))) END";

const OF_ADDRESSES: &str = " FROM {rows} {join} members m ON m.tenant_id = {tenant} AND m.email_folded = r.text \
    AND m.status <> 'removed'";
static HOLDERS: Sql = Sql::tenant_rows(&[("rows", 2, TEXT)], &["SELECT ", MEMBER_COLUMNS, OF_ADDRESSES]);
/// A member has the record that it follows, unless that is deleted.
static HOLDERS_WITH_LIVING_RECORDS: Sql = Sql::tenant_rows(
    &[("rows", 2, TEXT)],
    &[
        "SELECT ",
        member_columns!(
            "(SELECT u.id FROM directory_users u WHERE u.tenant_id = m.tenant_id \
             AND u.id = m.directory_user_id AND u.deleted_at IS NULL) AS directory_user_id"
        ),
        OF_ADDRESSES,
    ],
);

impl TenantTx {
    pub(super) async fn read_users(
        &self,
        world: &mut World,
        touched: BTreeMap<Uuid, Option<Uuid>>,
        view: View,
    ) -> Result<(), StoreError> {
        let mut wanted = touched;
        let mut seen: HashSet<DirectoryUserId> = HashSet::new();
        let mut known_emails: HashSet<String> = HashSet::new();
        for _ in 0..HOLDER_ROUNDS {
            if wanted.is_empty() {
                break;
            }
            let mut users = self.read_records(world, &wanted).await?;
            seen.extend(users.iter().map(|user| user.id));
            self.read_linked(&mut users, wanted.keys().copied()).await?;
            view.people(&mut users);
            self.read_returning(&mut users, view).await?;
            let emails = users.iter().flat_map(UserSubject::addresses).map(fold);
            let emails: Vec<String> = emails.filter(|email| known_emails.insert(email.clone())).collect();
            let matches: Vec<DirectoryUserId> = match view {
                View::Actual { .. } => users.iter().flat_map(UserSubject::records_of_matches).collect(),
                View::Candidate(_) => Vec::new(),
            };
            world.users.append(&mut users);
            let holders = self.read_holders(&emails, view).await?;
            let follow = holders.iter().filter_map(|holder| holder.directory_user).chain(matches);
            wanted = follow.filter(|id| !seen.contains(id)).map(|id| (id.0, None)).collect();
            world.holders.extend(holders.into_iter().map(|holder| (fold(&holder.profile.email), holder)));
        }
        world.users.sort_by_key(|user| user.id);
        Ok(())
    }

    /// The records of these people, as read under their policies, each with the request that touched them last.
    pub(crate) async fn read_records(
        &self,
        world: &World,
        wanted: &BTreeMap<Uuid, Option<Uuid>>,
    ) -> Result<Vec<UserSubject>, StoreError> {
        let join = self.tx.join();
        let attributes = world.source_policies.values().chain([&world.policy]).any(reads_attributes);
        let scopes = self.user_scopes(world).await?;
        let in_scope = self.in_scope(scopes.as_ref(), 3);
        let sql = format!(
            "SELECT u.id, u.source_id, {MODE} AS mode, u.email, u.external_id, u.display_name, u.given_name, \
             u.family_name, u.active, u.was_active, u.deleted_at IS NOT NULL OR s.people_leave AS deleted, \
             {in_scope} AS in_scope, {CONTESTED} AS contested, CASE WHEN {attributes} THEN u.attributes END AS attributes FROM {} \
             {join} directory_users u ON u.tenant_id = $2 AND u.id = r.id \
             {join} sources s ON s.tenant_id = u.tenant_id AND s.id = u.source_id",
            self.tx.rows(ID)
        );
        let values = [id_rows(wanted.keys().copied())?, self.tenant.0.into()];
        let values = values.into_iter().chain(scopes.iter().map(UserScopes::parameter));
        let rows: Vec<UserRow> = self.tx.all(&sql, values).await?;
        let mut by_source: BTreeMap<Uuid, (Vec<UserRow>, Vec<ReadRecord>)> = BTreeMap::new();
        for mut row in rows {
            let (rows, said) = by_source.entry(row.source_id).or_default();
            said.push(row.take_record());
            rows.push(row);
        }
        let mut users = Vec::new();
        for (source, (rows, said)) in by_source {
            let said = read_by(world.policy_of(source.into()), said, (self.tenant, &self.clock)).await?;
            let subject = |(row, said): (UserRow, ReadRecord)| UserSubject {
                id: row.id.into(),
                origin: origin(row.source_id, &row.mode, wanted.get(&row.id).copied().flatten()),
                record: (!row.deleted).then_some(said.record),
                member: None,
                returning: None,
                former: None,
                contested: row.contested,
                unmapped: said.unmapped,
                in_scope: row.in_scope,
            };
            users.extend(rows.into_iter().zip(said).map(subject));
        }
        Ok(users)
    }

    async fn read_linked(&self, users: &mut [UserSubject], ids: impl Iterator<Item = Uuid>) -> Result<(), StoreError> {
        let rows: Vec<MemberRow> = self.all(&LINKED_MEMBERS, [id_rows(ids)?]).await?;
        let (mut linked, mut formerly) = (HashMap::new(), HashMap::new());
        for row in rows {
            let member = row.into_state()?;
            if let Some(former) = member.former_record {
                formerly.insert(former, member.clone());
            }
            if let Some(user) = member.directory_user {
                linked.insert(user, member);
            }
        }
        for user in users {
            user.member = linked.remove(&user.id);
            user.former = formerly.remove(&user.id).filter(|_| user.member.is_none());
        }
        Ok(())
    }

    /// Members of the same source and external id whose own record has ended; in a candidate's world, of any other source.
    async fn read_returning(&self, users: &mut [UserSubject], view: View) -> Result<(), StoreError> {
        let anchor = |user: &UserSubject| {
            let unknown = user.member.is_none() && user.returning.is_none();
            let external_id = user.record.as_ref().filter(|_| unknown)?.external_id.clone()?;
            Some((user.origin.source.0, external_id))
        };
        let anchors: Vec<(Uuid, String)> = users.iter().filter_map(anchor).collect();
        if anchors.is_empty() {
            return Ok(());
        }
        let rows: Vec<AnchorRow<'_>> =
            anchors.iter().map(|(source_id, external_id)| AnchorRow { source_id: *source_id, external_id }).collect();
        let sql = match view {
            View::Actual { .. } => &RETURNING,
            View::Candidate(_) => &RETURNING_FROM_ANY_SOURCE,
        };
        let found: Vec<MemberRow> = self.all(sql, [json_rows(&rows)?]).await?;
        let found: Vec<MemberState> = found.into_iter().map(MemberRow::into_state).collect::<Result<_, _>>()?;
        for user in users {
            let Some((source, external_id)) = anchor(user) else { continue };
            let same = found.iter().filter(|member| member.profile.external_id.as_ref() == Some(&external_id));
            user.returning = same.max_by_key(|member| nearest(member, source.into())).cloned();
        }
        Ok(())
    }

    pub(super) async fn read_holders(&self, emails: &[String], view: View) -> Result<Vec<MemberState>, StoreError> {
        if emails.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<TextRow<'_>> = emails.iter().map(|text| TextRow { text }).collect();
        let sql = match view {
            View::Actual { .. } => &HOLDERS,
            View::Candidate(_) => &HOLDERS_WITH_LIVING_RECORDS,
        };
        let rows: Vec<MemberRow> = self.all(sql, [json_rows(&rows)?]).await?;
        rows.into_iter().map(MemberRow::into_state).collect()
    }
}

/// Rank of several members with one external id: present ones, those of the same source, the oldest.
fn nearest(member: &MemberState, source: SourceId) -> (bool, bool, Reverse<MemberId>) {
    (member.status != MemberStatus::Removed, member.managed_by == Some(source), Reverse(member.id))
}
