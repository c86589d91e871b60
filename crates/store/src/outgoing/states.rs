//! The members, groups and memberships that events are about, as they are now. A state is read after its event, so it holds the event and
//! perhaps later ones; whoever takes it over is never behind.

use super::event::OutgoingEvent;
use crate::admin::members::{Member, SharingGroup};
use crate::engine::connection::Tx;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, Type, json_rows};
use rollcall_core::event::AuditKind;
use sea_orm::{DbErr, FromQueryResult, QueryResult};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// A row of any tenant.
struct OfTenant<T> {
    tenant: Uuid,
    row: T,
}

impl<T: FromQueryResult> FromQueryResult for OfTenant<T> {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self { tenant: row.try_get(prefix, "of_tenant")?, row: T::from_query_result(row, prefix)? })
    }
}

/// One row that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
struct Asked {
    tenant_id: Uuid,
    id: Uuid,
}

/// A membership that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
struct AskedMembership {
    tenant_id: Uuid,
    id: Uuid,
    group_id: Uuid,
}

#[derive(FromQueryResult)]
struct Found {
    group_id: Uuid,
    id: Uuid,
}

const ASKED: Columns = &[("tenant_id", Type::Uuid), ("id", Type::Uuid)];
const ASKED_MEMBERSHIP: Columns = &[("tenant_id", Type::Uuid), ("id", Type::Uuid), ("group_id", Type::Uuid)];

/// The member that an event of a membership is about.
fn member_in(event: &OutgoingEvent) -> Option<Uuid> {
    let detail = event.event.detail.as_ref()?.tree();
    detail["member_id"].as_str()?.parse().ok()
}

fn is_about_a_membership(kind: AuditKind) -> bool {
    matches!(kind, AuditKind::GroupMemberAdded | AuditKind::GroupMemberRemoved)
}

/// Adds the states to events, which may be of several tenants where the transaction sees them.
pub(crate) async fn add_states(tx: &Tx, events: &mut [OutgoingEvent]) -> Result<(), StoreError> {
    let (mut members, mut groups, mut pairs) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut of_event = Vec::with_capacity(events.len());
    for event in events.iter() {
        let asked = |id| Asked { tenant_id: event.tenant.0, id };
        let subject = event.event.subject_id;
        let (member, group) = match event.event.subject_kind.as_str() {
            "member" => (Some(asked(subject)), None),
            _ if is_about_a_membership(event.kind) => (member_in(event).map(asked), Some(asked(subject))),
            _ => (None, Some(asked(subject))),
        };
        let pair = member.zip(group).map(|(member, group)| AskedMembership {
            tenant_id: member.tenant_id,
            id: member.id,
            group_id: group.id,
        });
        members.extend(member);
        groups.extend(group);
        pairs.extend(pair);
        of_event.push((member, group, pair));
    }
    let members = members_of(tx, &members).await?;
    let groups = groups_of(tx, &groups).await?;
    let pairs = memberships_of(tx, &pairs).await?;
    for (event, (member, group, pair)) in events.iter_mut().zip(of_event) {
        event.member = member.and_then(|asked| members.get(&asked).cloned());
        event.group = group.and_then(|asked| groups.get(&asked).cloned());
        // A removed person is in no group, and a removed group has nobody; the rows stay for a return (PE4).
        let lives = event.group.is_some() && event.member.as_ref().is_some_and(|member| member.status != "removed");
        event.is_in_group = pair.map(|pair| lives && pairs.contains(&pair));
    }
    Ok(())
}

async fn members_of(tx: &Tx, asked: &HashSet<Asked>) -> Result<HashMap<Asked, Member>, StoreError> {
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT m.tenant_id AS of_tenant, m.id, m.email, m.display_name, m.given_name, m.family_name, m.status, m.role, \
         m.billing_contact, m.role_before_rule, m.contact_by_rule, m.managed_by, m.external_id, m.directory_user_id, m.waiting_for, \
         m.approval, m.blocked_from, m.suspended_from, m.created_at, m.modified_at \
         FROM {} {} members m ON m.tenant_id = r.tenant_id AND m.id = r.id",
        tx.rows(ASKED),
        tx.join()
    );
    let rows: Vec<OfTenant<Member>> = tx.all(&sql, [json_rows(&asked.iter().collect::<Vec<_>>())?]).await?;
    Ok(rows.into_iter().map(|OfTenant { tenant, row }| (Asked { tenant_id: tenant, id: row.id }, row)).collect())
}

async fn groups_of(tx: &Tx, asked: &HashSet<Asked>) -> Result<HashMap<Asked, SharingGroup>, StoreError> {
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT g.tenant_id AS of_tenant, g.id, g.name, g.managed_by, g.directory_group_id, g.members_count, g.entitled_count, \
         g.created_at, g.modified_at FROM {} {} sharing_groups g ON g.tenant_id = r.tenant_id AND g.id = r.id \
         WHERE g.removed_at IS NULL",
        tx.rows(ASKED),
        tx.join()
    );
    let rows: Vec<OfTenant<SharingGroup>> = tx.all(&sql, [json_rows(&asked.iter().collect::<Vec<_>>())?]).await?;
    Ok(rows.into_iter().map(|OfTenant { tenant, row }| (Asked { tenant_id: tenant, id: row.id }, row)).collect())
}

async fn memberships_of(tx: &Tx, asked: &HashSet<AskedMembership>) -> Result<HashSet<AskedMembership>, StoreError> {
    if asked.is_empty() {
        return Ok(HashSet::new());
    }
    let sql = format!(
        "SELECT s.tenant_id AS of_tenant, s.group_id, s.member_id AS id FROM {} {} sharing_group_members s \
         ON s.tenant_id = r.tenant_id AND s.member_id = r.id AND s.group_id = r.group_id",
        tx.rows(ASKED_MEMBERSHIP),
        tx.join()
    );
    let rows: Vec<OfTenant<Found>> = tx.all(&sql, [json_rows(&asked.iter().collect::<Vec<_>>())?]).await?;
    let pair = |OfTenant { tenant, row: Found { group_id, id } }| AskedMembership { tenant_id: tenant, id, group_id };
    Ok(rows.into_iter().map(pair).collect())
}
