//! A tenant's policy: read and changed as a whole, with a version so that two admins do not overwrite each other.

use crate::access::tenants::check_policy;
use crate::committed::Committed;
use crate::engine::admission::HeavyKind;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{sources, tenants};
use crate::log::changes::{Lane, Touched};
use crate::reconcile::open_items::Retouch;
use crate::scope::AdminScope;
use rollcall_core::event::{Event, PolicyChanged};
use rollcall_core::ids::SourceId;
use rollcall_core::policy::{GroupScope, LocalAttribute, Mapping, OnDeleted, Policy};
use rollcall_core::roster::Role;
use sea_orm::sea_query::LockType;
use sea_orm::{DerivePartialModel, FromQueryResult};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Attempts to change a policy while others change it too.
const CHANGE_TRIES: usize = 5;

/// The policy in force, with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedPolicy {
    pub policy: Policy,
    pub version: i64,
    /// Sentences about what a write gave: entries of scopes that match no group, an attribute that carries no address.
    pub warnings: Vec<String>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "tenants::Entity")]
struct PolicyRow {
    policy: Json,
    policy_version: i64,
}

#[derive(FromQueryResult)]
struct StrangerRow {
    id: Uuid,
}

impl PolicyRow {
    fn read(self) -> Result<VersionedPolicy, StoreError> {
        let policy = serde_json::from_value(self.policy);
        let policy = policy.map_err(|e| StoreError::database(format!("the stored policy: {e}")))?;
        Ok(VersionedPolicy { policy, version: self.policy_version, warnings: Vec::new() })
    }
}

impl Store {
    #[tracing::instrument(name = "store.policy.policy", skip_all)]
    pub async fn policy(&self, scope: &AdminScope) -> Result<VersionedPolicy, StoreError> {
        self.read(&scope.scope).await?.policy_row(None).await?.read()
    }

    /// Puts a policy in force from the next plan on. Items that the earlier policy withheld are planned again.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when `version` is not the one in force; [`StoreError::Invalid`] names an invalid key;
    /// [`StoreError::Forbidden`] one that only an owner changes; [`StoreError::TooManyLeave`] when its user scope leaves out more people
    /// than `may_leave`.
    #[tracing::instrument(name = "store.policy.set_policy", skip_all)]
    pub async fn set_policy(
        &self,
        scope: &AdminScope,
        policy: &Policy,
        version: i64,
        may_leave: u32,
    ) -> Result<Committed<VersionedPolicy>, StoreError> {
        check_policy(policy)?;
        let addresses = self.check_addresses(scope, policy).await?;
        let written = self.write_policy(scope, policy, version, may_leave, addresses);
        // The people whom a scope leaves out are counted, which reads the whole tenant.
        let scoped = policy.user_scope.is_some() || policy.sources.values().any(|own| own.0.contains_key("user_scope"));
        if scoped { self.heavily(&scope.scope, HeavyKind::Plan, Box::pin(written)).await } else { written.await }
    }

    async fn write_policy(
        &self,
        scope: &AdminScope,
        policy: &Policy,
        version: i64,
        may_leave: u32,
        addresses: Vec<String>,
    ) -> Result<Committed<VersionedPolicy>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        // A plan made under the former policy is void.
        tx.stop_the_planning().await?;
        let before = tx.policy_row(Some(LockType::Update)).await?.read()?;
        if before.version != version {
            return Err(StoreError::Changed);
        }
        if before.policy == *policy {
            return Ok(Committed::waking(tx.tenant, before));
        }
        refuse_owners_keys(scope.role(), &before.policy, policy)?;
        tx.refuse_strangers(policy).await?;
        let mut warnings = tx.check_scopes(&before.policy, policy, may_leave).await?;
        warnings.extend(addresses);
        tx.touch_reread(&before.policy, policy).await?;
        let after = serde_json::to_value(policy).map_err(|e| StoreError::Invalid(e.to_string()))?;
        let update = tx.update_own::<tenants::Entity>().set(tenants::Column::Policy, after);
        update.set(tenants::Column::PolicyVersion, version + 1).exec().await?;
        let detail = PolicyChanged { before: before.policy, after: policy.clone(), version: version + 1 };
        let event = Event::PolicyChanged(tx.tenant, Box::new(detail));
        tx.tx.batch(vec![tx.change(None, Touched::Tenant).into(), tx.event(&event).into()]).await?;
        tx.touch_withheld().await?;
        tx.touch_simulations().await?;
        tx.commit_and_wake(VersionedPolicy { policy: policy.clone(), version: version + 1, warnings }).await
    }
}

impl Store {
    /// Changes some keys of the present policy.
    ///
    /// # Errors
    /// As [`set_policy`](Self::set_policy); without a `version`, [`StoreError::Changed`] only after repeated conflicts.
    #[tracing::instrument(name = "store.policy.change_policy", skip_all)]
    pub async fn change_policy(
        &self,
        scope: &AdminScope,
        changes: &Map<String, Json>,
        version: Option<i64>,
        may_leave: u32,
    ) -> Result<Committed<VersionedPolicy>, StoreError> {
        for _ in 0..CHANGE_TRIES {
            let now = self.policy(scope).await?;
            let policy = now.policy.with_changes(changes).map_err(StoreError::Invalid)?;
            match self.set_policy(scope, &policy, version.unwrap_or(now.version), may_leave).await {
                Err(StoreError::Changed) if version.is_none() => {}
                outcome => return outcome,
            }
        }
        Err(StoreError::Changed)
    }
}

/// Refuses a change of what only an owner decides.
fn refuse_owners_keys(by: Role, before: &Policy, after: &Policy) -> Result<(), StoreError> {
    let changed =
        if by == Role::Owner { None } else { before.owners_key_changed(after).map_err(StoreError::Invalid)? };
    let why = |key| StoreError::Forbidden(format!("policy.{key}: only an owner changes it"));
    changed.map_or(Ok(()), |key| Err(why(key)))
}

/// The part of a policy that decides how records are read.
fn reading(policy: &Policy) -> (&Option<String>, &Mapping, &BTreeSet<LocalAttribute>) {
    (&policy.email_attribute, &policy.mapping, &policy.local_attributes)
}

/// The part of a policy that decides which people are synced.
fn scoping(policy: &Policy) -> (&Option<GroupScope>, OnDeleted) {
    (&policy.user_scope, policy.on_out_of_scope)
}

static STRANGER: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &[
        "SELECT r.id FROM {rows} LEFT JOIN members m ON m.tenant_id = {tenant} AND m.id = r.id WHERE m.id IS NULL LIMIT 1",
    ],
);
static TOUCH_DISPUTED: Sql = Sql::tenant(&[
    "INSERT INTO directory_changes (tenant_id, id, lane, user_id, request_id, created_at) \
     SELECT {tenant}, {random_id}, $2, x.subject_id, $3, $4 FROM (SELECT d.subject_id FROM disputes d \
     WHERE d.tenant_id = {tenant} AND d.subject_kind = 'directory_user' EXCEPT SELECT c.user_id FROM directory_changes c \
     WHERE c.tenant_id = {tenant} AND c.lane = $2 AND c.source_id IS NULL AND c.group_id IS NULL) AS x",
]);

impl TenantTx {
    /// Refuses protected members that do not exist: such an id protects nobody.
    async fn refuse_strangers(&self, policy: &Policy) -> Result<(), StoreError> {
        let protected = id_rows(policy.protected_members.iter().map(|member| member.0))?;
        match self.one::<StrangerRow>(&STRANGER, [protected]).await? {
            Some(stranger) => {
                Err(StoreError::Invalid(format!("protected_members: {} is no member of the tenant", stranger.id)))
            }
            None => Ok(()),
        }
    }

    /// Marks existing records for planning where the new policy reads them differently.
    async fn touch_reread(&self, before: &Policy, after: &Policy) -> Result<(), StoreError> {
        let sources = self.find::<sources::Entity>().values::<Uuid>(sources::Column::Id).await?;
        let sources: Vec<SourceId> = sources.into_iter().map(Into::into).collect();
        if let Some(unknown) = after.sources.keys().find(|source| !sources.contains(source)) {
            return Err(StoreError::Invalid(format!("sources.{unknown}: the tenant has no such source")));
        }
        for source in sources {
            let policies = before.of_source(source).and_then(|before| Ok((before, after.of_source(source)?)));
            let (before, after) = policies.map_err(StoreError::Invalid)?;
            if reading(&before) != reading(&after) || scoping(&before) != scoping(&after) {
                self.touch_users_of(source).await?;
            }
            if (before.group_sync, &before.group_scope) != (after.group_sync, &after.group_scope) {
                self.touch_groups_of(source).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn policy_in_force(&self) -> Result<Policy, StoreError> {
        Ok(self.policy_row(None).await?.read()?.policy)
    }

    /// The policy for a source's records, under a lock that keeps it in force until this transaction ends.
    pub(crate) async fn kept_policy_of(&self, source: SourceId) -> Result<Policy, StoreError> {
        let policy = self.policy_row(Some(LockType::Share)).await?.read()?.policy;
        policy.of_source(source).map_err(StoreError::Invalid)
    }

    async fn policy_row(&self, lock: Option<LockType>) -> Result<PolicyRow, StoreError> {
        let tenant = self.find::<tenants::Entity>();
        let tenant = if let Some(lock) = lock { tenant.lock(lock) } else { tenant };
        tenant.one().await?.ok_or(StoreError::NotFound("tenant"))
    }

    /// Whether the policy has settings of its own for a source.
    pub(crate) async fn policy_names(&self, source: SourceId) -> Result<bool, StoreError> {
        Ok(self.policy_row(None).await?.read()?.policy.sources.contains_key(&source))
    }

    /// Marks held items and disputed people for planning: the new policy may let them through.
    pub(crate) async fn touch_withheld(&self) -> Result<(), StoreError> {
        self.touch_items(Retouch::Held).await?;
        let (lane, request) = (Lane::Push as i64, self.request.map(|id| id.0));
        self.exec(&TOUCH_DISPUTED, [lane.into(), request.into(), self.clock.now().into()]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::source_upkeep::NewSource;
    use crate::access::tenants::NewTenant;
    use crate::directory::filter::tests::engines::on_each_engine;
    use crate::scope::SourceScope;
    use crate::secret::digest;
    use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
    use rollcall_scim::UserResource;
    use serde_json::json;

    const PEOPLE: i64 = 300;

    #[derive(FromQueryResult)]
    struct Marks {
        marks: i64,
    }

    #[test]
    fn s6_switches_back_and_forth_leave_one_mark_a_record() {
        on_each_engine(async |store, engine| {
            let new = NewTenant { name: "Marks".into(), seats: 10, policy: Policy::default(), owner_email: None };
            let (_, slug) = store.create_tenant(&new).await.expect("a tenant");
            let owner = store.operator_scope(&slug).await.expect("a scope");
            let (kind, mode) = (SourceKind::Scim, SourceMode::Live);
            let new =
                NewSource { kind, mode, name: "idp", settings: SourceSettings::default(), token_expires_at: None };
            let (_, secret) = store.create_source(&owner, &new).await.expect("a source");
            let token = store.credential(&digest(&secret.secret)).await.expect("a look-up").expect("a token");
            let source = SourceScope::of_token(&token).expect("a source's");
            for n in 0..PEOPLE {
                let user = json!({ "userName": format!("p{n}@x.test"), "active": true });
                let user = UserResource::from_stored(user.as_object().cloned().expect("an object"));
                store.create_user(&source, user).await.expect("a user").unannounced();
            }
            for on in [true, false, true, false] {
                let attribute = if on { json!("userName") } else { json!(null) };
                let changes = Map::from_iter([("email_attribute".to_owned(), attribute)]);
                store.change_policy(&owner, &changes, None, 0).await.expect("a policy").unannounced();
            }
            let tx = store.across(false).await.expect("a transaction");
            let count = "SELECT count(*) AS marks FROM directory_changes WHERE lane = 1";
            let bulk: Option<Marks> = tx.one(count, []).await.expect("an answer");
            assert_eq!(bulk.map(|bulk| bulk.marks), Some(PEOPLE), "{engine}");
            let all: Option<Marks> =
                tx.one("SELECT count(*) AS marks FROM directory_changes", []).await.expect("an answer");
            // One mark of each person's own, and one of the tenant for each switch.
            assert_eq!(all.map(|all| all.marks), Some(2 * PEOPLE + 4), "{engine}");
        });
    }
}
