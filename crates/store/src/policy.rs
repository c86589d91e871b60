//! A tenant's policy: read and changed as a whole, with a version so that two admins do not overwrite each other.

use crate::audit::NewEvent;
use crate::changes::{Lane, Touched};
use crate::connect::Store;
use crate::error::StoreError;
use crate::scope::{ApiScope, TenantTx};
use rollcall_core::audit::AuditKind;
use rollcall_core::policy::Policy;
use sea_orm::FromQueryResult;
use serde_json::{Value as Json, json};

/// The policy in force, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedPolicy {
    pub policy: Policy,
    pub version: i64,
}

#[derive(FromQueryResult)]
struct PolicyRow {
    policy: Json,
    policy_version: i64,
}

impl PolicyRow {
    fn read(self) -> Result<VersionedPolicy, StoreError> {
        let policy = serde_json::from_value(self.policy);
        let policy = policy.map_err(|e| StoreError::Database(format!("the stored policy: {e}")))?;
        Ok(VersionedPolicy { policy, version: self.policy_version })
    }
}

impl Store {
    pub async fn policy(&self, scope: &ApiScope) -> Result<VersionedPolicy, StoreError> {
        self.read(&scope.scope).await?.policy_row(false).await?.read()
    }

    /// Puts a policy in force from the next plan on. Whatever an earlier policy withheld is planned again.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when `version` is not the one in force; [`StoreError::Invalid`] names a wrong key.
    pub async fn set_policy(
        &self,
        scope: &ApiScope,
        policy: &Policy,
        version: i64,
    ) -> Result<VersionedPolicy, StoreError> {
        policy.validate().map_err(StoreError::Invalid)?;
        let tx = self.write(&scope.scope).await?;
        let before = tx.policy_row(true).await?.read()?;
        if before.version != version {
            return Err(StoreError::Changed);
        }
        if before.policy == *policy {
            return Ok(before);
        }
        let after = serde_json::to_value(policy).map_err(|e| StoreError::Invalid(e.to_string()))?;
        let sql = "UPDATE tenants SET policy = $2, policy_version = $3 WHERE id = $1";
        tx.tx.exec(sql, [tx.tenant.0.into(), after.clone().into(), (version + 1).into()]).await?;
        let detail = Some(json!({ "before": before.policy, "after": after, "version": version + 1 }));
        let kind = AuditKind::PolicyChanged;
        let event = NewEvent { kind, subject_kind: "tenant", subject_id: tx.tenant.0, detail };
        tx.batch_of(vec![tx.change(None, Touched::Tenant).into(), tx.event(event).into()]).await?;
        tx.touch_withheld().await?;
        tx.commit().await?;
        Ok(VersionedPolicy { policy: policy.clone(), version: version + 1 })
    }
}

impl TenantTx {
    async fn policy_row(&self, lock: bool) -> Result<PolicyRow, StoreError> {
        let lock = if lock && self.tx.is_postgres() { " FOR UPDATE" } else { "" };
        let sql = format!("SELECT policy, policy_version FROM tenants WHERE id = $1{lock}");
        self.tx.one(&sql, [self.tenant.0.into()]).await?.ok_or(StoreError::NotFound("tenant"))
    }

    /// Withheld people, and those in dispute about adoption, may be let through by the new policy.
    async fn touch_withheld(&self) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO directory_changes (tenant_id, id, lane, user_id, request_id, created_at) \
             SELECT $1, {}, {}, x.subject_id, $2, $3 FROM ( \
               SELECT i.subject_id FROM run_items i WHERE i.tenant_id = $1 AND i.decision = 'held' \
               AND i.subject_kind = 'directory_user' \
               UNION SELECT d.subject_id FROM disputes d WHERE d.tenant_id = $1 AND d.subject_kind = 'directory_user' \
             ) AS x",
            self.tx.random_id(),
            Lane::Push as i64
        );
        let request = self.request.map(|id| id.0);
        self.tx.exec(&sql, [self.tenant.0.into(), request.into(), self.clock.now().into()]).await?;
        Ok(())
    }
}
