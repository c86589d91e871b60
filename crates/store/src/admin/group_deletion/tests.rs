//! The plans of sources in simulation that a deletion makes anew.

use super::*;
use crate::access::source_upkeep::NewSource;
use crate::access::tenants::NewTenant;
use crate::directory::filter::tests::engines::on_each_engine;
use crate::scope::SourceScope;
use crate::secret::digest;
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_scim::{GroupResource, Limits, Quirks};
use serde_json::json;

#[derive(FromQueryResult, PartialEq, Eq, Debug)]
struct Marked {
    display_name: String,
}

async fn simulated_groups(store: &Store, owner: &AdminScope, name: &str, groups: &[&str]) {
    let (kind, mode) = (SourceKind::Scim, SourceMode::Simulate);
    let new = NewSource { kind, mode, name, settings: SourceSettings::default(), token_expires_at: None };
    let (_, secret) = store.create_source(owner, &new).await.expect("a source");
    let token = store.credential(&digest(&secret.secret)).await.expect("a look-up").expect("a token");
    let source = SourceScope::of_token(&token).expect("a source's");
    for group in groups {
        let group = json!({ "displayName": group });
        let group = GroupResource::from_json(group, &Limits::default(), &mut Quirks::new()).expect("a group");
        store.create_group(&source, group, &[]).await.expect("a group").unannounced();
    }
}

async fn sharing_group(store: &Store, owner: &AdminScope, name: &str) -> SharingGroupId {
    let tx = store.write(&owner.scope).await.expect("a transaction");
    let id: SharingGroupId = tx.clock.new_id();
    let sql = "INSERT INTO sharing_groups (tenant_id, id, name, name_folded, created_at, modified_at) \
               VALUES ($1, $2, $3, $4, $5, $5)";
    let values = [tx.tenant.0.into(), id.0.into(), name.into(), fold(name).into(), tx.clock.now().into()];
    tx.tx.exec(sql, values).await.expect("a sharing group");
    tx.commit().await.expect("committed");
    id
}

/// The other groups of those sources mean other sharing groups, whatever their number.
#[test]
fn dx20_a_deletion_plans_the_simulated_groups_of_that_name_anew_and_no_others() {
    on_each_engine(async |store, engine| {
        let new = NewTenant { name: "Groups".into(), seats: 10, policy: Policy::default(), owner_email: None };
        let (_, slug) = store.create_tenant(&new).await.expect("a tenant");
        let owner = store.operator_scope(&slug).await.expect("a scope");
        simulated_groups(&store, &owner, "idp", &["design", "Sales", "Support"]).await;
        simulated_groups(&store, &owner, "other", &["DESIGN", "Legal"]).await;
        let group = sharing_group(&store, &owner, "Design").await;
        sharing_group(&store, &owner, "Sales").await;
        store.delete_group_here(&owner, group).await.expect("deleted").unannounced();
        let tx = store.across(false).await.expect("a transaction");
        let sql = "SELECT g.display_name FROM directory_changes c JOIN directory_groups g ON g.tenant_id = c.tenant_id \
                   AND g.id = c.group_id WHERE c.lane = 1 ORDER BY lower(g.display_name), g.id";
        let marked: Vec<Marked> = tx.all(sql, []).await.expect("an answer");
        let marked: Vec<&str> = marked.iter().map(|marked| marked.display_name.as_str()).collect();
        assert_eq!(marked, ["design", "DESIGN"], "{engine}");
    });
}
