//! The active owners, admins and billing contacts. They are few, an index holds them alone (`members_with_authority`), and every
//! question about the last of them is asked here.

use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use rollcall_core::roster::Role;
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// An active member with authority.
#[derive(FromQueryResult)]
pub(crate) struct AuthorityRow {
    pub(crate) id: Uuid,
    role: String,
    pub(crate) billing_contact: bool,
}

impl AuthorityRow {
    pub(crate) fn is_owner(&self) -> bool {
        self.role == Role::Owner.as_str()
    }

    /// True for an owner, too.
    pub(crate) fn is_admin(&self) -> bool {
        self.role.parse().is_ok_and(Role::is_admin)
    }
}

/// With the plain status SQLite would take its index, and read every active member.
static ACTIVE_WITH_AUTHORITY: Sql = Sql::tenant(&["SELECT m.id, m.role, m.billing_contact FROM members m \
    WHERE m.tenant_id = {tenant} AND (m.role <> 'member' OR m.billing_contact = TRUE) AND m.status || '' = 'active'"]);

impl TenantTx {
    pub(crate) async fn active_with_authority(&self) -> Result<Vec<AuthorityRow>, StoreError> {
        self.all(&ACTIVE_WITH_AUTHORITY, []).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::tenants::NewTenant;
    use crate::directory::filter::tests::engines::on_each_engine;
    use rollcall_core::policy::Policy;

    #[derive(FromQueryResult)]
    struct Step {
        detail: String,
    }

    /// SQLite chooses by the shape of a statement; on Postgres docs/queries.md has the pages read.
    #[test]
    fn the_few_with_authority_are_read_by_their_index_alone() {
        on_each_engine(async |store, engine| {
            let owner_email = Some("o@x.test".to_owned());
            let new = NewTenant { name: "Acme".into(), seats: 9, policy: Policy::default(), owner_email };
            let (_, slug) = store.create_tenant(&new).await.expect("a tenant");
            let scope = store.operator_scope(&slug).await.expect("a scope");
            let tx = store.read(&scope.scope).await.expect("a transaction");
            let found = tx.active_with_authority().await.expect("an answer");
            assert!(matches!(found.as_slice(), [owner] if owner.is_owner() && owner.is_admin()), "{engine}");
            if engine == "SQLite" {
                let text = ACTIVE_WITH_AUTHORITY.text(tx.tx.engine());
                let steps: Vec<Step> =
                    tx.tx.all(&format!("EXPLAIN QUERY PLAN {text}"), [tx.tenant.0.into()]).await.expect("a plan");
                let steps: Vec<String> = steps.into_iter().map(|step| step.detail).collect();
                assert!(matches!(steps.as_slice(), [step] if step.contains("members_with_authority")), "{steps:?}");
            }
        });
    }
}
