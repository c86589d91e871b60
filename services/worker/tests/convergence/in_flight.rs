//! A worker is cut off between plan and apply, and an admin decides meanwhile: the plan is void.

use crate::engine;
use crate::office::{found, pages};
use crate::unannounced::Unannounced;
use rollcall_core::directory::SourceMode;
use rollcall_core::guard::review;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SharingGroupId, TenantId};
use rollcall_core::plan::plan;
use rollcall_core::policy::{Onboarding, Policy};
use rollcall_scim::{GroupResource, UserResource};
use rollcall_store::{
    AdminScope, Chunk, DirectoryGroup, Lease, LeaseAnswer, MemberChange, MemberFilter, NewTenant, SourceScope, Store,
    StoreError,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

struct Desk {
    store: Store,
    tenant: TenantId,
    source: SourceScope,
    api: AdminScope,
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

impl Desk {
    async fn open(store: Store) -> Self {
        let policy = Policy { onboarding: Onboarding::Federated, ..Policy::default() };
        let owner_email = Some("owner@x.test".to_owned());
        let new = NewTenant { name: "Acme".into(), seats: 100, policy, owner_email };
        let (tenant, source, api) = found(&store, &new).await;
        Self { store, tenant, source, api }
    }

    async fn person(&self, name: &str) -> DirectoryUserId {
        let said = json!({ "userName": name, "externalId": name, "active": true,
            "emails": [{ "value": format!("{name}@x.test"), "primary": true }] });
        let user = UserResource::from_stored(map(said));
        self.store.create_user(&self.source, user).await.expect("a user").unannounced().id
    }

    async fn group(&self, name: &str) -> DirectoryGroupId {
        let group = GroupResource::from_stored(map(json!({ "displayName": name })));
        self.store.create_group(&self.source, group, &[]).await.expect("a group").unannounced().id
    }

    async fn join(&self, group: DirectoryGroupId, user: DirectoryUserId) {
        let no_edit = None::<fn(&DirectoryGroup) -> Result<GroupResource, StoreError>>;
        let change = MemberChange::Add(vec![user]);
        self.store.change_group(&self.source, group, None, no_edit, &[change]).await.expect("a member").unannounced();
    }

    async fn planned(&self) -> (Lease, Chunk) {
        let ttl = chrono::TimeDelta::seconds(60);
        let lease = match self.store.lease(self.tenant, Uuid::from_u128(7), ttl).await.expect("an answer") {
            LeaseAnswer::Granted(lease) => lease,
            other => panic!("{other:?}"),
        };
        let chunk = self.store.next_chunk(&lease, 100).await.expect("a chunk").expect("a change");
        (lease, chunk)
    }

    async fn apply(&self, lease: &Lease, chunk: Chunk) -> Result<(), StoreError> {
        let verdict = review(plan(&chunk.world), &chunk.world);
        self.store.apply(lease, &chunk, verdict).await.map(drop)
    }

    async fn settle(&self) {
        while self.store.due_tenants(None, 100).await.expect("an answer").contains(&self.tenant) {
            let (lease, chunk) = self.planned().await;
            self.apply(&lease, chunk).await.expect("an application");
            self.store.release(&lease).await.expect("a release");
        }
    }

    async fn emails(&self) -> Vec<String> {
        let members = pages(async |page| self.store.members(&self.api, &MemberFilter::default(), &page).await).await;
        let mut emails: Vec<String> = members.into_iter().map(|member| member.email).collect();
        emails.sort();
        emails
    }

    async fn groups(&self) -> Vec<Uuid> {
        let groups = pages(async |page| self.store.groups(&self.api, &page).await).await;
        groups.into_iter().map(|group| group.id).collect()
    }
}

#[test]
fn ds7_what_was_planned_before_a_source_is_switched_off_is_not_applied_after_it() {
    engine::on_each_engine(async |store: Store, engine| {
        let desk = Desk::open(store).await;
        desk.person("ann").await;
        desk.person("bea").await;
        let (lease, chunk) = desk.planned().await;
        let switch = async |mode: SourceMode| {
            desk.store
                .change_source(&desk.api, desk.source.source(), mode.into())
                .await
                .expect("a switch")
                .unannounced();
        };
        switch(SourceMode::Off).await;
        let late = desk.apply(&lease, chunk).await;
        assert!(matches!(late, Err(StoreError::LeaseLost)), "{engine}: {late:?}");
        desk.settle().await;
        assert_eq!(desk.emails().await, ["owner@x.test"], "{engine}");
        switch(SourceMode::Live).await;
        desk.settle().await;
        assert_eq!(desk.emails().await, ["ann@x.test", "bea@x.test", "owner@x.test"], "{engine}");
    });
}

#[test]
fn dx20_what_was_planned_before_a_group_is_deleted_here_does_not_fill_it_after_it() {
    engine::on_each_engine(async |store: Store, engine| {
        let desk = Desk::open(store).await;
        let (ann, crew) = (desk.person("ann").await, desk.group("Crew").await);
        desk.settle().await;
        desk.join(crew, ann).await;
        let (lease, chunk) = desk.planned().await;
        let [group] = desk.groups().await[..] else { panic!("one group") };
        desk.store.delete_group_here(&desk.api, SharingGroupId(group)).await.expect("a deletion").unannounced();
        let late = desk.apply(&lease, chunk).await;
        assert!(matches!(late, Err(StoreError::LeaseLost)), "{engine}: {late:?}");
        desk.settle().await;
        assert!(desk.groups().await.is_empty(), "{engine}");
    });
}
