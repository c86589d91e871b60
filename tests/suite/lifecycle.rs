//! The life of people and sharing groups, from the directory to the roster (docs/design.md#states).

use serde_json::json;

use crate::deployment::Combination;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::roster::Roster;
use crate::verbs::{email, eventually, members_value, operation, person, with};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        a_new_user_becomes_an_invited_managed_member,
        a_new_disabled_user_becomes_no_member,
        who_was_active_for_a_moment_is_known_whenever_a_worker_looks,
        lp13_federated_members_are_active_at_once,
        lp5_with_approval_new_members_wait_and_take_no_seat,
        dx13_an_invited_member_is_updated_after_accepting,
        dx13_an_active_members_profile_follows_the_directory,
        dx14_a_disabled_user_is_suspended_and_comes_back_as_before,
        pe4_an_invited_member_comes_back_invited,
        dx14_a_deleted_user_is_suspended_by_default,
        dx14_on_deleted_remove_removes_the_member,
        a_rehire_under_the_same_external_id_is_the_same_member,
        dx2_an_existing_member_is_adopted_with_role_and_id,
        dx2_without_adoption_an_existing_member_is_left_alone,
        dx1_unmanaged_members_are_never_touched,
        an_email_change_keeps_the_member,
        rc10_two_people_swap_addresses_and_keep_their_places,
        a_group_becomes_a_sharing_group_with_its_members,
        lp6_a_renamed_group_renames_the_sharing_group,
        a_deleted_group_takes_its_sharing_group_along,
        dx8_two_groups_of_one_name_make_one_sharing_group,
        a_suspended_member_keeps_the_groups,
        a_member_who_is_let_in_late_gets_the_groups,
        a_simulated_source_changes_nothing,
        a_burst_of_changes_ends_in_the_last_word,
    ];
    cases.extend(
        cases![a_write_shows_in_the_roster_within_a_second_at_the_median]
            .into_iter()
            .map(|case| case.only_on(Combination::Full).alone()),
    );
    cases
}

async fn a_new_user_becomes_an_invited_managed_member(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("ann").await;
    let member = tenant.eventually_status(&email("ann"), "invited").await;
    assert_eq!(member.managed_by.as_deref(), Some(source.id.as_str()));
    assert_eq!(member.external_id.as_deref(), Some("ext-ann"));
    assert_eq!(member.display_name.as_deref(), Some("ann Example"));
    assert_eq!((member.role.as_str(), member.waiting_for.as_deref()), ("member", None));
    assert_eq!(tenant.kinds_about(&member.id).await, ["member.invited"]);
}

async fn a_new_disabled_user_becomes_no_member(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let made = source.post("/Users", &with(person("ann"), json!({ "active": false }))).await.expect(201);
    source.user("bea").await;
    tenant.eventually_status(&email("bea"), "invited").await;
    assert_eq!(tenant.members().await.len(), 1, "ann was announced before bea and is no member");
    source.activate(&made.id()).await.expect_success();
    tenant.eventually_status(&email("ann"), "invited").await;
}

async fn who_was_active_for_a_moment_is_known_whenever_a_worker_looks(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    // A worker may look between the two requests of a person or after both: the roster must not depend on it.
    for name in ["ann", "bea", "cem", "dan", "eva"] {
        let id = source.user(name).await;
        source.deactivate(&id).await.expect_success();
    }
    tenant.eventually("all are known and out", |members| members.with_status("suspended").len() == 5).await;
    assert_eq!(tenant.members().await.len(), 5);
}

async fn lp13_federated_members_are_active_at_once(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    tenant.scim_source().user("ann").await;
    tenant.eventually_status(&email("ann"), "active").await;
}

async fn lp5_with_approval_new_members_wait_and_take_no_seat(hub: Hub) {
    let tenant = hub.tenant().seats(1).policy("approval", "true").create();
    let source = tenant.scim_source();
    source.users(&["ann", "bea"]).await;
    for name in ["ann", "bea"] {
        let member = tenant.eventually_status(&email(name), "pending").await;
        assert_eq!(member.waiting_for.as_deref(), Some("approval"), "{member:?}");
        assert_eq!(tenant.kinds_about(&member.id).await, ["member.pending"]);
    }
}

async fn dx13_an_invited_member_is_updated_after_accepting(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    let before = tenant.eventually_status(&email("ann"), "invited").await;
    let rename = vec![operation("Replace", "displayName", json!("Ann Married"))];
    source.patch(&format!("/Users/{id}"), rename).await.expect_success();
    source.user("bea").await;
    tenant.eventually_status(&email("bea"), "invited").await;
    assert_eq!(tenant.member(&email("ann")).await.unwrap(), before, "the rename came before bea and waits");
    tenant.accept(&email("ann")).await;
    tenant.eventually_member(&email("ann"), |member| member.display_name.as_deref() == Some("Ann Married")).await;
}

async fn dx13_an_active_members_profile_follows_the_directory(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    tenant.accept(&email("ann")).await;
    let changes = vec![
        operation("Replace", "displayName", json!("Ann New")),
        operation("Replace", "externalId", json!("ext-new")),
    ];
    source.patch(&format!("/Users/{id}"), changes).await.expect_success();
    let member = tenant
        .eventually_member(&email("ann"), |member| {
            member.display_name.as_deref() == Some("Ann New") && member.external_id.as_deref() == Some("ext-new")
        })
        .await;
    assert_eq!(tenant.kinds_about(&member.id).await, ["member.invited", "member.activated", "member.updated"]);
}

async fn dx14_a_disabled_user_is_suspended_and_comes_back_as_before(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    source.group("Pilots", &[&id]).await;
    tenant.accept(&email("ann")).await;
    let before = tenant.member(&email("ann")).await.unwrap();
    source.deactivate(&id).await.expect_success();
    let suspended = tenant.eventually_status(&email("ann"), "suspended").await;
    assert_eq!(suspended.id, before.id);
    source.activate(&id).await.expect_success();
    tenant.eventually_status(&email("ann"), "active").await;
    assert_eq!(tenant.member(&email("ann")).await.unwrap(), before);
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let kinds = tenant.kinds_about(&before.id).await;
    assert_eq!(count(&kinds, "member.suspended"), 1, "{kinds:?}");
    assert_eq!(count(&kinds, "member.restored"), 1, "{kinds:?}");
}

async fn pe4_an_invited_member_comes_back_invited(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    source.deactivate(&id).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    source.activate(&id).await.expect_success();
    tenant.eventually_status(&email("ann"), "invited").await;
}

async fn dx14_a_deleted_user_is_suspended_by_default(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    let before = tenant.eventually_status(&email("ann"), "invited").await;
    source.delete(&format!("/Users/{id}")).await.expect(204);
    let after = tenant.eventually_status(&email("ann"), "suspended").await;
    assert_eq!(after.id, before.id);
}

async fn dx14_on_deleted_remove_removes_the_member(hub: Hub) {
    let tenant = hub.tenant().policy("on_deleted", "remove").create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    source.group("Pilots", &[&id]).await;
    let member = tenant.eventually_status(&email("ann"), "invited").await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    source.delete(&format!("/Users/{id}")).await.expect(204);
    eventually("ann was removed", async || {
        let kinds = tenant.kinds_about(&member.id).await;
        if kinds.last().is_some_and(|kind| kind == "member.removed") { Ok(()) } else { Err(format!("{kinds:?}")) }
    })
    .await;
    tenant.eventually_group("Pilots", &[]).await;
}

async fn a_rehire_under_the_same_external_id_is_the_same_member(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    tenant.accept(&email("ann")).await;
    let before = tenant.member(&email("ann")).await.unwrap();
    source.delete(&format!("/Users/{id}")).await.expect(204);
    tenant.eventually_status(&email("ann"), "suspended").await;
    source.user("ann").await;
    let after = tenant.eventually_status(&email("ann"), "active").await;
    assert_eq!(after, before, "the same member, unchanged");
    assert_eq!(tenant.members().await.len(), 1);
}

async fn dx2_an_existing_member_is_adopted_with_role_and_id(hub: Hub) {
    let tenant = hub.tenant().owner(&email("ann")).policy("adopt_existing", "true").create();
    let before = tenant.member(&email("ann")).await.expect("the owner is a member");
    assert_eq!((before.status.as_str(), before.role.as_str()), ("active", "owner"));
    assert_eq!(before.managed_by, None);
    let source = tenant.scim_source();
    let body = with(
        person("ann"),
        json!({ "userName": email("ANN"), "emails": [{ "value": email("Ann"), "primary": true }] }),
    );
    source.post("/Users", &body).await.expect(201);
    tenant.owner_approves().await;
    let after =
        tenant.eventually("ann is managed", |members| members.iter().any(|member| member.managed_by.is_some())).await;
    assert_eq!(after.len(), 1, "no second ann: {after:?}");
    assert_eq!(
        (after[0].id.as_str(), after[0].role.as_str(), after[0].status.as_str()),
        (before.id.as_str(), "owner", "active")
    );
    assert_eq!(after[0].external_id.as_deref(), Some("ext-ann"));
    let kinds = tenant.kinds_about(&before.id).await;
    assert_eq!(count(&kinds, "member.adopted"), 1, "{kinds:?}");
    assert_eq!(count(&kinds, "member.invited"), 0, "who is in already needs no invitation: {kinds:?}");
}

async fn dx2_without_adoption_an_existing_member_is_left_alone(hub: Hub) {
    let tenant = hub.tenant().owner(&email("ann")).policy("adopt_existing", "false").create();
    let before = tenant.members().await;
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    source.user("bea").await;
    tenant.eventually_status(&email("bea"), "invited").await;
    source.deactivate(&id).await.expect_success();
    source.user("cem").await;
    let after = tenant.eventually_status(&email("cem"), "invited").await;
    assert_ne!(after.id, before[0].id);
    assert_eq!(tenant.member(&email("ann")).await.as_ref(), before.first(), "one bad entry blocks no other member");
}

async fn dx1_unmanaged_members_are_never_touched(hub: Hub) {
    let tenant = hub.tenant().owner("boss@acme.example").create();
    let before = tenant.member("boss@acme.example").await.unwrap();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    tenant.eventually("both are in", |members| members.with_status("invited").len() == 2).await;
    source.deactivate(&ids[0]).await.expect_success();
    source.delete(&format!("/Users/{}", ids[1])).await.expect(204);
    tenant.eventually("both have left", |members| members.with_status("suspended").len() == 2).await;
    assert_eq!(tenant.member("boss@acme.example").await.unwrap(), before);
}

async fn an_email_change_keeps_the_member(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    let before = tenant.eventually_status(&email("ann"), "active").await;
    let changes = vec![
        operation("Replace", "userName", json!(email("anna"))),
        operation("Replace", "emails[type eq \"work\"].value", json!(email("anna"))),
    ];
    source.patch(&format!("/Users/{id}"), changes).await.expect_success();
    let after = tenant.eventually_status(&email("anna"), "active").await;
    assert_eq!(after.id, before.id);
    assert_eq!(tenant.members().await.len(), 1);
}

async fn rc10_two_people_swap_addresses_and_keep_their_places(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    let bea = tenant.eventually_status(&email("bea"), "active").await;
    // userName is unique at every moment, so an IdP gives one of the two a temporary one.
    for (id, name) in [(&ids[0], "parked"), (&ids[1], "ann"), (&ids[0], "bea")] {
        let changes = vec![
            operation("Replace", "userName", json!(email(name))),
            operation("Replace", "emails[type eq \"work\"].value", json!(email(name))),
        ];
        source.patch(&format!("/Users/{id}"), changes).await.expect_success();
    }
    tenant
        .eventually("they have swapped", |members| {
            members.find_member(&email("bea")).is_some_and(|member| member.id == ann.id)
                && members.find_member(&email("ann")).is_some_and(|member| member.id == bea.id)
        })
        .await;
    assert_eq!(tenant.members().await.len(), 2);
}

async fn a_group_becomes_a_sharing_group_with_its_members(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea", "cem"]).await;
    let group = source.group("Pilots", &[&ids[0], &ids[1]]).await;
    let made = tenant.eventually_group("Pilots", &[&email("ann"), &email("bea")]).await;
    assert_eq!(made.managed_by.as_deref(), Some(source.id.as_str()));
    let changes = vec![
        operation("Add", "members", members_value(&[&ids[2]])),
        operation("Remove", "members", members_value(&[&ids[0]])),
    ];
    source.patch(&format!("/Groups/{group}"), changes).await.expect(204);
    let changed = tenant.eventually_group("Pilots", &[&email("bea"), &email("cem")]).await;
    assert_eq!(changed.id, made.id);
    let kinds: Vec<String> = tenant.events().await.into_iter().map(|event| event.kind).collect();
    assert_eq!(count(&kinds, "sharing_group.created"), 1, "{kinds:?}");
    assert_eq!(count(&kinds, "sharing_group.member_added"), 3, "{kinds:?}");
    assert_eq!(count(&kinds, "sharing_group.member_removed"), 1, "{kinds:?}");
}

async fn lp6_a_renamed_group_renames_the_sharing_group(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    let group = source.group("Pilots", &[&id]).await;
    let before = tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let rename = vec![json!({ "op": "replace", "value": { "id": group, "displayName": "Aviators" } })];
    source.patch(&format!("/Groups/{group}"), rename).await.expect(204);
    let after = tenant.eventually_group("Aviators", &[&email("ann")]).await;
    assert_eq!(after.id, before.id);
    assert_eq!(tenant.groups().await.len(), 1, "no second group");
    assert_eq!(tenant.kinds_about(&before.id).await.last().map(String::as_str), Some("sharing_group.renamed"));
}

async fn a_deleted_group_takes_its_sharing_group_along(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    let group = source.group("Pilots", &[&id]).await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    source.delete(&format!("/Groups/{group}")).await.expect(204);
    tenant.eventually_no_group("Pilots").await;
    tenant.eventually_status(&email("ann"), "invited").await;
}

async fn dx8_two_groups_of_one_name_make_one_sharing_group(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let first = source.group("Pilots", &[&ids[0]]).await;
    source.group("pilots ", &[&ids[1]]).await;
    source.group("Crew", &[&ids[1]]).await;
    tenant.eventually_group("Crew", &[&email("bea")]).await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    assert_eq!(tenant.groups().await.len(), 2, "the second of one name is skipped, the others go on");
    let rename = vec![operation("Replace", "displayName", json!("Aviators"))];
    source.patch(&format!("/Groups/{first}"), rename).await.expect(204);
    tenant.eventually_group("Aviators", &[&email("ann")]).await;
    eventually("the skipped group gets the name that became free", async || {
        let groups = tenant.groups().await;
        let found = groups.iter().find(|group| group.name.trim() == "pilots");
        match found {
            Some(group) if tenant.group_members(&group.id).await == [email("bea")] => Ok(()),
            _ => Err(format!("{groups:?}")),
        }
    })
    .await;
}

async fn a_suspended_member_keeps_the_groups(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    source.group("Pilots", &[&id]).await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    source.deactivate(&id).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
}

async fn a_member_who_is_let_in_late_gets_the_groups(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let made = source.post("/Users", &with(person("ann"), json!({ "active": false }))).await.expect(201);
    source.group("Pilots", &[&made.id()]).await;
    tenant.eventually_group("Pilots", &[]).await;
    source.activate(&made.id()).await.expect_success();
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
}

async fn a_simulated_source_changes_nothing(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.new_source().argument("--mode").argument("simulate").create();
    let id = source.user("ann").await;
    source.group("Pilots", &[&id]).await;
    assert_eq!(source.all("/Users").await.len(), 1, "the directory records what was said");
    eventually("both plans are shown", async || {
        let runs = tenant.runs().await;
        let simulated = runs.iter().filter(|run| run.held_reasons == ["simulation"] && run.state != "applied").count();
        if simulated > 0 && simulated == runs.len() { Ok(()) } else { Err(format!("{runs:#?}")) }
    })
    .await;
    assert!(tenant.members().await.is_empty());
    assert!(tenant.groups().await.is_empty());
}

async fn a_burst_of_changes_ends_in_the_last_word(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    for number in 0..30 {
        let rename = vec![operation("Replace", "displayName", json!(format!("Ann {number}")))];
        source.patch(&format!("/Users/{id}"), rename).await.expect_success();
    }
    let member =
        tenant.eventually_member(&email("ann"), |member| member.display_name.as_deref() == Some("Ann 29")).await;
    let kinds = tenant.kinds_about(&member.id).await;
    assert!(count(&kinds, "member.updated") <= 30, "{kinds:?}");
}

/// Other programs on the machine only ever add time, so the best of three rounds measures the hub.
async fn a_write_shows_in_the_roster_within_a_second_at_the_median(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let mut medians = Vec::new();
    for round in 0..3 {
        let mut durations = Vec::new();
        for number in 0..15 {
            let name = format!("p{round}-{number}");
            let sent = std::time::Instant::now();
            source.user(&name).await;
            tenant.eventually_status(&email(&name), "invited").await;
            durations.push(sent.elapsed());
        }
        durations.sort();
        medians.push(durations[durations.len() / 2]);
        if medians.iter().any(|median| *median < std::time::Duration::from_secs(1)) {
            return;
        }
    }
    panic!("the median was never under a second: {medians:?}");
}

fn count(kinds: &[String], kind: &str) -> usize {
    kinds.iter().filter(|found| *found == kind).count()
}
