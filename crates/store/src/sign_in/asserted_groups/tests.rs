//! A sign-in fills groups of the names that it asserts, and takes back what it lent.

use crate::access::source_upkeep::NewSource;
use crate::directory::filter::tests::engines::on_each_engine;
use crate::sign_in::ruled_roles::tests::Office;
use crate::{SignInConnectionChange, StoreError};
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::email::fold;
use rollcall_core::policy::{GroupScope, Policy};
use rollcall_core::sign_in_groups::{Fill, GroupsFromSignIn};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const BOSS: &str = "boss@acme.example";

impl Office {
    async fn fill(&self, fill: Option<Fill>) {
        let setting = fill.map(|fill| GroupsFromSignIn { claim: "groups".into(), fill });
        let change = SignInConnectionChange { groups_from_sign_in: Some(setting.as_ref()), ..Default::default() };
        self.change(&change).await;
    }

    /// The sharing groups by name, each with its number of members.
    async fn groups(&self) -> BTreeMap<String, i64> {
        use crate::entity::sharing_groups::{Column, Entity};
        use sea_orm::ColumnTrait;
        let tx = self.store.read(&self.scope.scope).await.expect("a transaction");
        let there = tx.find::<Entity>().filter(Column::RemovedAt.is_null());
        let groups: Vec<crate::SharingGroup> = there.all().await.expect("an answer");
        groups.into_iter().map(|group| (group.name, group.members_count)).collect()
    }

    /// A group of a source that has nobody in it.
    async fn group_of_source(&self, name: &str) -> Uuid {
        let (kind, mode) = (SourceKind::Scim, SourceMode::Live);
        let new = NewSource { kind, mode, name: "idp", settings: SourceSettings::default(), token_expires_at: None };
        let (source, _) = self.store.create_source(&self.scope, &new).await.expect("a source");
        let tx = self.store.write(&self.scope.scope).await.expect("a transaction");
        let id: Uuid = tx.clock.new_id();
        let sql = "INSERT INTO sharing_groups (tenant_id, id, name, name_folded, managed_by, created_at, modified_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $6)";
        let now = tx.clock.now();
        let values = [tx.tenant.0.into(), id.into(), name.into(), fold(name).into(), source.0.into(), now.into()];
        tx.tx.exec(sql, values).await.expect("a sharing group");
        tx.commit().await.expect("committed");
        id
    }

    async fn set_scope(&self, names: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let policy = Policy { group_scope: Some(GroupScope { names, ..GroupScope::default() }), ..Policy::default() };
        let patch: Map<String, Json> = json!({ "group_scope": policy.group_scope }).as_object().expect("one").clone();
        let _ = self.store.change_policy(&self.scope, &patch, None, 0).await.expect("a policy").unannounced();
    }
}

fn counts<const N: usize>(groups: [(&str, i64); N]) -> BTreeMap<String, i64> {
    groups.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

#[test]
fn ds8_groups_of_a_sign_in_fill_groups_and_are_a_loan() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 5, true, Some(BOSS)).await;
        office.sign_in("boss", &["Crew"]).await;
        assert_eq!(office.groups().await, counts([]), "{engine}: off at first");
        office.fill(Some(Fill::Own)).await;
        office.sign_in("boss", &["Crew", "Pilots"]).await;
        assert_eq!(office.groups().await, counts([("Crew", 1), ("Pilots", 1)]), "{engine}");
        office.sign_in("ann", &["hub-admins", "CREW"]).await;
        let all = counts([("Crew", 2), ("Pilots", 1), ("hub-admins", 1)]);
        assert_eq!(office.groups().await, all, "{engine}: a group of the same name is the same group");
        let told = office.events("sharing_group.member_added").await.len();
        office.sign_in("boss", &["crew", "Pilots"]).await;
        assert_eq!(office.events("sharing_group.member_added").await.len(), told, "{engine}: nothing changed");
        for (claims, unanswered) in [(json!({}), true), (json!({ "_claim_names": { "groups": "a" } }), false)] {
            office.sign_in_with("boss", &claims, unanswered).await;
            assert_eq!(office.groups().await, all, "{engine}: what is not known takes nothing back");
        }
        office.sign_in("boss", &["Pilots"]).await;
        assert_eq!(office.groups().await, counts([("Crew", 1), ("Pilots", 1), ("hub-admins", 1)]), "{engine}");
        let removed = office.events("sharing_group.member_removed").await;
        assert_eq!(removed[0]["actor"], "system", "{engine}");
        assert_eq!(removed[0]["detail"]["sign_in_connection_id"], json!(office.connection), "{engine}");
        office.fill(None).await;
        office.sign_in("boss", &["Pilots"]).await;
        assert_eq!(
            office.groups().await,
            counts([("Crew", 1), ("Pilots", 0), ("hub-admins", 1)]),
            "{engine}: it is off"
        );
    });
}

#[test]
fn ds8_the_groups_of_a_source_are_its_own_unless_the_connection_says_otherwise() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 5, true, Some(BOSS)).await;
        let crew = office.group_of_source("Crew").await;
        office.fill(Some(Fill::Own)).await;
        office.sign_in("boss", &["crew", "Pilots"]).await;
        assert_eq!(office.groups().await, counts([("Crew", 0), ("Pilots", 1)]), "{engine}");
        office.fill(Some(Fill::All)).await;
        office.sign_in("boss", &["crew"]).await;
        assert_eq!(office.groups().await, counts([("Crew", 1), ("Pilots", 0)]), "{engine}");
        // A source's own word is no loan, so a sign-in does not take it back.
        let tx = office.store.write(&office.scope.scope).await.expect("a transaction");
        let sql = "UPDATE sharing_group_members SET by_sign_in = FALSE WHERE tenant_id = $1 AND group_id = $2";
        tx.tx.exec(sql, [tx.tenant.0.into(), crew.into()]).await.expect("a change");
        tx.commit().await.expect("committed");
        office.sign_in("boss", &[]).await;
        assert_eq!(office.groups().await, counts([("Crew", 1), ("Pilots", 0)]), "{engine}");
    });
}

#[test]
fn ds8_the_policys_scope_of_groups_holds_for_sign_ins_too() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 5, true, Some(BOSS)).await;
        office.fill(Some(Fill::Own)).await;
        office.set_scope(&["Crew"]).await;
        office.sign_in("boss", &["crew", "Everybody"]).await;
        assert_eq!(office.groups().await, counts([("crew", 1)]), "{engine}");
        let setting = GroupsFromSignIn { claim: String::new(), fill: Fill::Own };
        let change = SignInConnectionChange { groups_from_sign_in: Some(Some(&setting)), ..Default::default() };
        let refused =
            office.store.change_sign_in_connection(&office.scope, office.connection, &change, None).await.map(|_| ());
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{engine}: {refused:?}");
    });
}
