//! The state in which an approved run ends.

use super::*;
use crate::access::source_upkeep::NewSource;
use crate::access::tenants::NewTenant;
use crate::admin::runs::{RunDecision, RunSeen};
use crate::directory::filter::tests::engines::on_each_engine;
use crate::engine::connect::Store;
use crate::reconcile::lease::LeaseAnswer;
use crate::scope::{AdminScope, SourceScope};
use crate::secret::digest;
use chrono::TimeDelta;
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::guard::review;
use rollcall_core::ids::DirectoryUserId;
use rollcall_core::plan::plan;
use rollcall_core::policy::{Limit, Onboarding, Policy};
use rollcall_scim::UserResource;

#[derive(FromQueryResult)]
struct RunRow {
    id: Uuid,
    digest: String,
}

/// A tenant whose every removal waits for an admin.
struct Careful {
    store: Store,
    owner: AdminScope,
    source: SourceScope,
}

fn person(name: &str, active: bool) -> UserResource {
    let user = json!({ "userName": format!("{name}@x.test"), "active": active });
    UserResource::from_stored(user.as_object().cloned().expect("an object"))
}

impl Careful {
    async fn new(store: Store) -> Self {
        let removal_limit = Limit { count: 0, percent: 0, ..Limit::default() };
        let policy = Policy { onboarding: Onboarding::Federated, removal_limit, ..Policy::default() };
        let new = NewTenant { name: "Careful".into(), seats: 9, policy, owner_email: None };
        let (_, slug) = store.create_tenant(&new).await.expect("a tenant");
        let owner = store.operator_scope(&slug).await.expect("a scope");
        let (kind, mode) = (SourceKind::Scim, SourceMode::Live);
        let new = NewSource { kind, mode, name: "idp", settings: SourceSettings::default(), token_expires_at: None };
        let (_, secret) = store.create_source(&owner, &new).await.expect("a source");
        let token = store.credential(&digest(&secret.secret)).await.expect("a look-up").expect("a token");
        let source = SourceScope::of_token(&token).expect("a source's");
        Self { store, owner, source }
    }

    async fn joins(&self, name: &str) -> DirectoryUserId {
        self.store.create_user(&self.source, person(name, true)).await.expect("a user").unannounced().id
    }

    async fn says(&self, id: DirectoryUserId, name: &str, active: bool) {
        let edit = |_: &_| Ok::<_, StoreError>(person(name, active));
        self.store.change_user(&self.source, id, edit).await.expect("a change").unannounced();
    }

    /// Plans until nothing is left to do, as a worker does.
    async fn settle(&self) {
        let (tenant, ttl) = (self.owner.tenant(), TimeDelta::seconds(10));
        let answer = self.store.lease(tenant, Uuid::from_u128(1), ttl).await.expect("an answer");
        let LeaseAnswer::Granted(lease) = answer else { panic!("the lease is free") };
        while let Some(chunk) = self.store.next_chunk(&lease, 100).await.expect("a chunk") {
            let verdict = review(plan(&chunk.world), &chunk.world);
            self.store.apply(&lease, &chunk, verdict).await.expect("applied");
        }
        self.store.release(&lease).await.expect("a release");
    }

    async fn approve(&self) -> RunId {
        let tx = self.store.read(&self.owner.scope).await.expect("a transaction");
        let sql = "SELECT id, digest FROM runs WHERE tenant_id = $1 AND state = 'held'";
        let held: Option<RunRow> = tx.tx.one(sql, [tx.tenant.0.into()]).await.expect("an answer");
        drop(tx);
        let RunRow { id, digest } = held.expect("a held run");
        let seen = RunSeen { digest: &digest, note: None };
        let decided = self.store.decide_run(&self.owner, id.into(), seen, RunDecision::Approve).await;
        decided.expect("approved").unannounced();
        id.into()
    }
}

/// A source that takes everything back between the approval and the worker's look leaves nothing to apply.
#[test]
fn da10_an_approved_run_is_applied_only_if_something_of_it_happened() {
    on_each_engine(async |store, engine| {
        let tenant = Careful::new(store).await;
        let (ann, bea) = (tenant.joins("ann").await, tenant.joins("bea").await);
        tenant.settle().await;
        for (back, ending) in [(&[ann, bea][..], "withdrawn"), (&[ann][..], "applied")] {
            for (user, name) in [(ann, "ann"), (bea, "bea")] {
                tenant.says(user, name, false).await;
            }
            tenant.settle().await;
            let run = tenant.approve().await;
            for (user, name) in [(ann, "ann"), (bea, "bea")].into_iter().filter(|(user, _)| back.contains(user)) {
                tenant.says(user, name, true).await;
            }
            tenant.settle().await;
            let ended = tenant.store.run(&tenant.owner, run).await.expect("the run");
            assert_eq!(ended.state, ending, "{engine}");
        }
    });
}
