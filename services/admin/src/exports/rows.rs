//! The lists that are exported, and their rows.

use crate::audit_events;
use crate::error::AdminError;
use crate::view;
use rollcall_store::{AdminScope, AuditFilter, Cursor, MemberFilter, Page, PageRequest, Store};
use serde::Serialize;
use serde_json::{Map, Value as Json};

/// One row, as the list shows it.
pub(super) type Row = Map<String, Json>;

/// A list, with its filters.
pub(super) enum Exported {
    Members(MemberFilter),
    Groups,
    AuditEvents(AuditFilter),
}

const MEMBER: &[&str] = &[
    "id",
    "email",
    "display_name",
    "given_name",
    "family_name",
    "status",
    "role",
    "billing_contact",
    "by_rule",
    "managed_by",
    "external_id",
    "directory_user_id",
    "waiting_for",
    "approval",
    "blocked",
    "suspended_from",
    "created_at",
    "modified_at",
];
const GROUP: &[&str] =
    &["id", "name", "managed_by", "directory_group_id", "members_count", "entitled_count", "created_at", "modified_at"];
const AUDIT_EVENT: &[&str] = &[
    "id",
    "at",
    "kind",
    "actor",
    "actor_name",
    "subject.kind",
    "subject.id",
    "cause.request_id",
    "cause.run_id",
    "detail",
];

impl Exported {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Members(_) => "members",
            Self::Groups => "groups",
            Self::AuditEvents(_) => "audit-events",
        }
    }

    pub(super) fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Members(_) => MEMBER,
            Self::Groups => GROUP,
            Self::AuditEvents(_) => AUDIT_EVENT,
        }
    }

    pub(super) async fn page(
        &self,
        store: &Store,
        scope: &AdminScope,
        page: &PageRequest,
    ) -> Result<(Vec<Row>, Option<Cursor>), AdminError> {
        Ok(match self {
            Self::Members(filter) => {
                rows_of(store.members(scope, filter, page).await?.map(view::members::Member::from))
            }
            Self::Groups => rows_of(store.groups(scope, page).await?.map(view::groups::SharingGroup::from)),
            Self::AuditEvents(filter) => rows_of(audit_events::page(store, scope, filter, page).await?),
        })
    }
}

fn rows_of<T: Serialize>(page: Page<T>) -> (Vec<Row>, Option<Cursor>) {
    let row = |item: &T| match serde_json::to_value(item) {
        Ok(Json::Object(row)) => row,
        // Views are structs with text keys, which always serialise to objects.
        _ => Row::new(),
    };
    (page.items.iter().map(row).collect(), page.next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use uuid::Uuid;

    /// A field that is added to a list is a column of its export, too.
    #[test]
    fn the_columns_are_the_fields_of_the_list() {
        let at = DateTime::UNIX_EPOCH;
        let subject = view::audit_events::Subject { kind: String::new(), id: Uuid::nil() };
        let cause = view::audit_events::Cause { request_id: None, run_id: None };
        let event = view::audit_events::AuditEvent {
            id: Uuid::nil(),
            at,
            kind: String::new(),
            actor: String::new(),
            actor_name: None,
            subject,
            cause,
            detail: None,
        };
        let group = view::groups::SharingGroup {
            id: Uuid::nil(),
            name: String::new(),
            managed_by: None,
            directory_group_id: None,
            members_count: 0,
            entitled_count: 0,
            created_at: at,
            modified_at: at,
        };
        for (fields, columns) in [(keys(&event), AUDIT_EVENT), (keys(&group), GROUP), (keys(&member()), MEMBER)] {
            let mut of_columns: Vec<&str> =
                columns.iter().map(|column| column.split('.').next().unwrap_or(column)).collect();
            of_columns.dedup();
            assert_eq!(fields, of_columns);
        }
    }

    fn member() -> view::members::Member {
        view::members::Member {
            id: Uuid::nil(),
            email: String::new(),
            display_name: None,
            given_name: None,
            family_name: None,
            status: String::new(),
            role: String::new(),
            billing_contact: false,
            by_rule: false,
            managed_by: None,
            external_id: None,
            directory_user_id: None,
            waiting_for: None,
            approval: None,
            blocked: false,
            suspended_from: None,
            created_at: DateTime::UNIX_EPOCH,
            modified_at: DateTime::UNIX_EPOCH,
            next: None,
        }
    }

    fn keys(view: &impl Serialize) -> Vec<String> {
        let json = serde_json::to_string(view).expect("JSON");
        let row: Map<String, Json> = serde_json::from_str(&json).expect("an object");
        let mut places: Vec<(usize, String)> =
            row.keys().map(|key| (json.find(&format!("\"{key}\":")).expect("a key"), key.clone())).collect();
        places.sort();
        places.into_iter().map(|(_, key)| key).collect()
    }
}
