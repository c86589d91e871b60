//! The people of a world: what the source says of them, their members, and who holds the addresses they ask for.

use super::{HOLDER_ROUNDS, origin};
use crate::error::StoreError;
use crate::members::{MEMBER_COLUMNS, MemberRow};
use crate::scope::TenantTx;
use crate::sql::{Columns, ID, TEXT, TextRow, Type, id_rows, json_rows};
use rollcall_core::directory::{PersonRecord, UserSubject};
use rollcall_core::email::fold;
use rollcall_core::ids::DirectoryUserId;
use rollcall_core::plan::World;
use rollcall_core::roster::MemberState;
use sea_orm::FromQueryResult;
use serde::Serialize;
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
}

#[derive(Serialize)]
struct AnchorRow<'a> {
    source_id: Uuid,
    external_id: &'a str,
}

const ANCHORS: Columns = &[("source_id", Type::Uuid), ("external_id", Type::Text)];

impl TenantTx {
    pub(super) async fn read_users(
        &self,
        world: &mut World,
        touched: BTreeMap<Uuid, Option<Uuid>>,
    ) -> Result<(), StoreError> {
        let mut wanted = touched;
        let mut known_emails: HashSet<String> = HashSet::new();
        for _ in 0..HOLDER_ROUNDS {
            if wanted.is_empty() {
                break;
            }
            let mut users = self.read_records(&wanted).await?;
            self.read_linked(&mut users, wanted.keys().copied()).await?;
            self.read_returning(&mut users).await?;
            let emails = users.iter().flat_map(UserSubject::addresses).map(fold);
            let emails: Vec<String> = emails.filter(|email| known_emails.insert(email.clone())).collect();
            world.users.append(&mut users);
            let holders = self.read_holders(&emails).await?;
            let present: HashSet<DirectoryUserId> = world.users.iter().map(|user| user.id).collect();
            let follow = holders.iter().filter_map(|holder| holder.directory_user).filter(|id| !present.contains(id));
            wanted = follow.map(|id| (id.0, None)).collect();
            world.holders.extend(holders.into_iter().map(|holder| (fold(&holder.profile.email), holder)));
        }
        world.users.sort_by_key(|user| user.id);
        Ok(())
    }

    async fn read_records(&self, wanted: &BTreeMap<Uuid, Option<Uuid>>) -> Result<Vec<UserSubject>, StoreError> {
        let join = self.tx.join();
        let sql = format!(
            "SELECT u.id, u.source_id, s.mode, u.email, u.external_id, u.display_name, u.given_name, u.family_name, \
             u.active, u.was_active, u.deleted_at IS NOT NULL AS deleted FROM {} \
             {join} directory_users u ON u.tenant_id = $2 AND u.id = r.id \
             {join} sources s ON s.tenant_id = u.tenant_id AND s.id = u.source_id",
            self.tx.rows(ID)
        );
        let rows: Vec<UserRow> = self.tx.all(&sql, [id_rows(wanted.keys().copied())?, self.tenant.0.into()]).await?;
        let subject = |row: UserRow| {
            let record = PersonRecord {
                email: row.email,
                external_id: row.external_id,
                display_name: row.display_name,
                given_name: row.given_name,
                family_name: row.family_name,
                active: row.active,
                was_active: row.was_active,
            };
            UserSubject {
                id: row.id.into(),
                origin: origin(row.source_id, &row.mode, wanted.get(&row.id).copied().flatten()),
                record: (!row.deleted).then_some(record),
                member: None,
                returning: None,
            }
        };
        Ok(rows.into_iter().map(subject).collect())
    }

    async fn read_linked(&self, users: &mut [UserSubject], ids: impl Iterator<Item = Uuid>) -> Result<(), StoreError> {
        let join = self.tx.join();
        let sql = format!(
            "SELECT {MEMBER_COLUMNS} FROM {} {join} members m ON m.tenant_id = $2 AND m.directory_user_id = r.id",
            self.tx.rows(ID)
        );
        let rows: Vec<MemberRow> = self.tx.all(&sql, [id_rows(ids)?, self.tenant.0.into()]).await?;
        let mut linked: HashMap<Uuid, MemberState> = HashMap::new();
        for row in rows {
            let member = row.into_state()?;
            if let Some(user) = member.directory_user {
                linked.insert(user.0, member);
            }
        }
        for user in users {
            user.member = linked.remove(&user.id.0);
        }
        Ok(())
    }

    /// Members of the same source and external id whose own record is gone.
    async fn read_returning(&self, users: &mut [UserSubject]) -> Result<(), StoreError> {
        let anchor = |user: &UserSubject| {
            let external_id = user.record.as_ref().filter(|_| user.member.is_none())?.external_id.clone()?;
            Some((user.origin.source.0, external_id))
        };
        let anchors: Vec<(Uuid, String)> = users.iter().filter_map(anchor).collect();
        if anchors.is_empty() {
            return Ok(());
        }
        let rows: Vec<AnchorRow<'_>> =
            anchors.iter().map(|(source_id, external_id)| AnchorRow { source_id: *source_id, external_id }).collect();
        let join = self.tx.join();
        let sql = format!(
            "SELECT {MEMBER_COLUMNS} FROM {} \
             {join} members m ON m.tenant_id = $2 AND m.managed_by = r.source_id AND m.external_id = r.external_id \
             WHERE NOT EXISTS (SELECT 1 FROM directory_users u WHERE u.tenant_id = m.tenant_id \
             AND u.id = m.directory_user_id AND u.deleted_at IS NULL)",
            self.tx.rows(ANCHORS)
        );
        let found: Vec<MemberRow> = self.tx.all(&sql, [json_rows(&rows)?, self.tenant.0.into()]).await?;
        let mut returning: HashMap<(Uuid, String), MemberState> = HashMap::new();
        for row in found {
            let member = row.into_state()?;
            if let (Some(source), Some(external_id)) = (member.managed_by, member.profile.external_id.clone()) {
                returning.insert((source.0, external_id), member);
            }
        }
        for user in users {
            if let Some(anchor) = anchor(user) {
                user.returning = returning.get(&anchor).cloned();
            }
        }
        Ok(())
    }

    async fn read_holders(&self, emails: &[String]) -> Result<Vec<MemberState>, StoreError> {
        if emails.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<TextRow<'_>> = emails.iter().map(|text| TextRow { text }).collect();
        let join = self.tx.join();
        let sql = format!(
            "SELECT {MEMBER_COLUMNS} FROM {} {join} members m ON m.tenant_id = $2 AND m.email_folded = r.text \
             AND m.status <> 'removed'",
            self.tx.rows(TEXT)
        );
        let rows: Vec<MemberRow> = self.tx.all(&sql, [json_rows(&rows)?, self.tenant.0.into()]).await?;
        rows.into_iter().map(MemberRow::into_state).collect()
    }
}
