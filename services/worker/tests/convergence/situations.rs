//! Situations of the planner's tables whose outcome depends on the store's reads and on follow-ups: on the real store,
//! the right person is kept and no change is left over.

use crate::engine;
use crate::office::{Office, pages};
use crate::unannounced::Unannounced;
use rollcall_core::ids::DirectoryUserId;
use rollcall_scim::{GroupResource, UserResource};
use rollcall_store::{Member, MemberFilter, SkippedFilter, Store, StoreError};
use serde_json::{Map, Value, json};

/// Seeds of tenants in which deletion suspends, and in which it removes.
const SUSPENDS: u64 = 1;
const REMOVES: u64 = 2;

fn attributes(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// A person, by userName, address and external id.
pub(crate) async fn hire(office: &Office, name: &str, email: &str, external_id: Option<&str>) -> DirectoryUserId {
    let mut user = attributes(json!({ "userName": name, "active": true, "emails": [{ "value": email }] }));
    if let Some(external_id) = external_id {
        user.insert("externalId".into(), json!(external_id));
    }
    let created = office.store.create_user(&office.source(), UserResource::from_stored(user)).await;
    created.expect("a record").unannounced().id
}

pub(crate) async fn set(office: &Office, user: DirectoryUserId, changes: Value) {
    let edit = |user: &rollcall_store::DirectoryUser| {
        let mut changed = user.resource.attributes().clone();
        changed.extend(attributes(changes.clone()));
        Ok::<_, StoreError>(UserResource::from_stored(changed))
    };
    office.store.change_user(&office.source(), user, edit).await.expect("a change").unannounced();
}

async fn fire(office: &Office, user: DirectoryUserId) {
    office.store.delete_user(&office.source(), user, None).await.expect("a deletion").unannounced();
}

async fn member_of(office: &Office, user: DirectoryUserId) -> Option<Member> {
    let members = pages(async |page| office.store.members(&office.api, &MemberFilter::default(), &page).await).await;
    members.into_iter().find(|member| member.directory_user_id == Some(user.0))
}

async fn disputes(office: &Office) -> Vec<String> {
    let all = SkippedFilter::default();
    let skipped = pages(async |page| office.store.skipped_records(&office.api, &all, &page).await).await;
    skipped.into_iter().map(|record| record.dispute).collect()
}

async fn made_again_before_it_is_deleted(store: Store) {
    let office = Office::open(store, 1, SUSPENDS, "again").await;
    let first = hire(&office, "ann", "ann@x.test", None).await;
    office.rest().await;
    let id = member_of(&office, first).await.expect("a member").id;
    let second = hire(&office, "ann2", "Ann@x.test", None).await;
    office.rest().await;
    assert_eq!(disputes(&office).await, ["email_taken"]);
    set(&office, first, json!({ "active": false })).await;
    office.rest().await;
    fire(&office, first).await;
    office.rest().await;
    let member = member_of(&office, second).await.expect("the same person");
    assert_eq!((member.id, member.status.as_str()), (id, "active"));
    assert_eq!(disputes(&office).await, Vec::<String>::new());
}

async fn a_removed_member_comes_back_only_to_a_free_address(store: Store) {
    let office = Office::open(store, 1, REMOVES, "taken").await;
    let first = hire(&office, "ann", "ann@x.test", Some("1")).await;
    office.rest().await;
    let id = member_of(&office, first).await.expect("a member").id;
    fire(&office, first).await;
    office.rest().await;
    let heir = hire(&office, "anne", "ann@x.test", Some("2")).await;
    office.rest().await;
    let back = hire(&office, "ann", "ann@x.test", Some("1")).await;
    office.rest().await;
    assert_eq!(disputes(&office).await, ["email_taken"]);
    set(&office, heir, json!({ "emails": [{ "value": "anne@x.test" }] })).await;
    office.rest().await;
    let member = member_of(&office, back).await.expect("back again");
    assert_eq!((member.id, member.status.as_str(), member.email.as_str()), (id, "active", "ann@x.test"));
    assert_eq!(disputes(&office).await, Vec::<String>::new());
}

async fn tombstones(store: Store) {
    let office = Office::open(store, 1, SUSPENDS, "tombstone").await;
    let tombstone = |name: &str| json!({ "userName": format!("{}{name}", "0".repeat(32)), "active": false });
    let by_name = attributes(json!({ "userName": "ann@x.test", "externalId": "1", "active": true }));
    let ann = office
        .store
        .create_user(&office.source(), UserResource::from_stored(by_name))
        .await
        .expect("a record")
        .unannounced()
        .id;
    office.rest().await;
    set(&office, ann, tombstone("ann@x.test")).await;
    office.rest().await;
    let member = member_of(&office, ann).await.expect("a member");
    assert_eq!((member.email.as_str(), member.status.as_str()), ("ann@x.test", "suspended"));
    let heir = hire(&office, "ann@x.test", "ann@x.test", Some("2")).await;
    office.rest().await;
    let newcomer = member_of(&office, heir).await.expect("the address is the newcomer's");
    assert_eq!(newcomer.email, "ann@x.test");
    let former = member_of(&office, ann).await.expect("Ann is still a member");
    assert_eq!((former.id, former.status.as_str()), (member.id, "suspended"));
    assert!(former.email.ends_with("ann@x.test") && former.email != "ann@x.test", "{}", former.email);
    assert_eq!(disputes(&office).await, Vec::<String>::new());
}

async fn a_name_that_becomes_free_is_given(store: Store) {
    let office = Office::open(store, 1, SUSPENDS, "names").await;
    let make = async |name: &str| {
        let group = GroupResource::from_stored(attributes(json!({ "displayName": name })));
        office.store.create_group(&office.source(), group, &[]).await.expect("a group").unannounced().id
    };
    let first = make("Design").await;
    office.rest().await;
    let second = make("design").await;
    office.rest().await;
    assert_eq!(disputes(&office).await, ["group_name_taken"]);
    office.store.delete_group(&office.source(), first, None).await.expect("a deletion").unannounced();
    office.rest().await;
    let groups = pages(async |page| office.store.groups(&office.api, &page).await).await;
    let named: Vec<_> = groups.iter().map(|group| (group.name.as_str(), group.directory_group_id)).collect();
    assert_eq!(named, [("design", Some(second.0))]);
    // Deleted and made again, before or after a worker looks: one group, whose record is the new one.
    office.store.delete_group(&office.source(), second, None).await.expect("a deletion").unannounced();
    let third = make("Design").await;
    office.rest().await;
    let groups = pages(async |page| office.store.groups(&office.api, &page).await).await;
    let named: Vec<_> = groups.iter().map(|group| (group.name.as_str(), group.directory_group_id)).collect();
    assert_eq!(named, [("Design", Some(third.0))]);
    assert_eq!(disputes(&office).await, Vec::<String>::new());
}

#[test]
fn situations_end_on_the_real_store_as_they_do_in_the_tables() {
    engine::on_each_engine(async |store: Store, _| {
        made_again_before_it_is_deleted(store.clone()).await;
        a_removed_member_comes_back_only_to_a_free_address(store.clone()).await;
        tombstones(store.clone()).await;
        a_name_that_becomes_free_is_given(store).await;
    });
}
