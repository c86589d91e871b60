//! The preview of a promotion or a detachment shows all its effects, and its digest covers all of them.

use crate::cutover::Move;
use crate::engine;
use crate::office::pages;
use crate::unannounced::Unannounced;
use chrono::TimeDelta;
use rollcall_core::directory::PeopleAfter;
use rollcall_core::policy::{Limit, OnDeleted, Policy};
use rollcall_core::run::RunState;
use rollcall_scim::UserResource;
use rollcall_store::{RunItem, Store, StoreError};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn change_policy(office: &Move, change: impl FnOnce(&mut Policy)) {
    let mut now = office.store.policy(&office.api).await.expect("a policy");
    change(&mut now.policy);
    office.store.set_policy(&office.api, &now.policy, now.version, u32::MAX).await.expect("a change").unannounced();
}

fn of<'i>(items: &'i [RunItem], action: &str) -> Vec<&'i RunItem> {
    items.iter().filter(|item| item.action == action).collect()
}

#[test]
fn pe11_a_promotion_under_another_policy_is_another_one() {
    engine::on_each_engine(async |store: Store, engine| {
        let office = Move::open(store, Move::federated()).await;
        for name in ["ann", "bob"] {
            office.person(&office.first, name, name).await;
        }
        office.person(&office.second, "ann", "ann").await;
        office.person(&office.second, "cem", "cem").await;
        office.settle().await;
        let (first, second) = (office.first.source(), office.second.source());
        let seen = office.preview(&office.second).await;
        let detachment = office.store.detachment(&office.api, first, PeopleAfter::Remove).await.expect("a plan");
        let new = |items: &[RunItem]| of(items, "provision")[0].detail["status"].clone();
        assert_eq!(new(&office.items(&office.second).await), "active", "{engine}");
        change_policy(&office, |policy| {
            policy.on_deleted = OnDeleted::Remove;
            policy.approval = true;
        })
        .await;
        let late = office.store.promote(&office.api, second, &seen.digest).await;
        assert!(matches!(late, Err(StoreError::Stale)), "{engine}: {late:?}");
        let late = office.store.detach(&office.api, first, PeopleAfter::Remove, &detachment.digest).await;
        assert!(matches!(late, Err(StoreError::Stale)), "{engine}: {late:?}");
        office.settle().await;
        let late = office.store.promote(&office.api, second, &seen.digest).await;
        assert!(matches!(late, Err(StoreError::Stale)), "{engine}: {late:?}");
        let items = office.items(&office.second).await;
        assert_eq!(new(&items), "pending", "{engine}: the plan is one under the new policy");
        assert_eq!(of(&items, "remove").len(), 1, "{engine}: {items:#?}");
        office.promote(&office.second).await;
        office.settle().await;
        assert_eq!((office.status("bob").await, office.status("cem").await), ("removed".into(), "pending".into()));
    });
}

#[test]
fn pe11_each_membership_that_would_change_is_shown_and_is_in_the_digest() {
    engine::on_each_engine(async |store: Store, engine| {
        let office = Move::open(store, Move::federated()).await;
        let mut seconds = Vec::new();
        let mut firsts = Vec::new();
        for name in ["ann", "bob", "cem", "dan"] {
            firsts.push(office.person(&office.first, name, name).await);
            seconds.push(office.person(&office.second, name, name).await);
        }
        office.group(&office.first, "Design", &firsts[..2]).await;
        let design = office.group(&office.second, "Design", &[seconds[0], seconds[2]]).await;
        office.settle().await;
        let seen = office.preview(&office.second).await;
        assert_eq!((seen.memberships.added, seen.memberships.removed), (1, 1), "{engine}: {seen:?}");
        let shown = |items: &[RunItem]| -> BTreeSet<(String, String)> {
            let moves = items.iter().filter(|item| item.action.ends_with("_group") && item.member_id.is_some());
            moves.map(|item| (item.action.clone(), item.who.as_ref().expect("who")["email"].to_string())).collect()
        };
        let items = office.items(&office.second).await;
        let expected = [("add_to_group", "cem@x.test"), ("remove_from_group", "bob@x.test")];
        let expected: BTreeSet<_> =
            expected.map(|(action, email)| (action.to_owned(), json!(email).to_string())).into();
        assert_eq!(shown(&items), expected, "{engine}: {items:#?}");
        let added = of(&items, "add_to_group")[0];
        assert_eq!((&added.before, &added.after), (&Some(json!({"inside": false})), &Some(json!({"inside": true}))));
        assert_eq!(added.who.as_ref().expect("who")["group"], "Design", "{engine}");
        let ids: BTreeSet<_> = items.iter().map(|item| item.id).collect();
        assert_eq!(ids.len(), items.len(), "{engine}: each has an id, on whatever page");
        for limit in [1, 2, 200] {
            let (mut paged, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let source = office.second.source();
                let page = office.store.promotion_items(&office.api, source, limit, cursor.as_deref()).await;
                let page = page.expect("a page");
                paged.extend(page.items.into_iter().map(|item| item.id));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(paged, items.iter().map(|item| item.id).collect::<Vec<_>>(), "{engine}: pages of {limit}");
        }
        // As many join and leave as before, but different people.
        let no_edit = None::<fn(&rollcall_store::DirectoryGroup) -> Result<rollcall_scim::GroupResource, StoreError>>;
        let change = rollcall_store::MemberChange::Replace(vec![seconds[0], seconds[3]]);
        office
            .store
            .change_group(&office.second, design, None, no_edit, &[change])
            .await
            .expect("a change")
            .unannounced();
        office.settle().await;
        let now = office.preview(&office.second).await;
        assert_eq!((now.memberships.added, now.memberships.removed), (1, 1), "{engine}: {now:?}");
        let late = office.store.promote(&office.api, office.second.source(), &seen.digest).await;
        assert!(matches!(late, Err(StoreError::Stale)), "{engine}: {late:?}");
    });
}

#[test]
fn pe11_suspended_members_whom_a_promotion_would_remove_are_shown() {
    engine::on_each_engine(async |store: Store, engine| {
        for (on_deleted, leaving) in [(OnDeleted::Remove, 2), (OnDeleted::Suspend, 1)] {
            let office = Move::open(store.clone(), Policy { on_deleted, ..Move::federated() }).await;
            let ann = office.person(&office.first, "ann", "ann").await;
            for name in ["bob", "cem"] {
                office.person(&office.first, name, name).await;
            }
            office.person(&office.second, "cem", "cem").await;
            office.settle().await;
            office.set(&office.first, ann, "active", json!(false)).await;
            office.settle().await;
            let shown = office.preview(&office.second).await;
            assert_eq!(shown.people.leaving, leaving, "{engine}: {shown:?}");
            let action = if on_deleted == OnDeleted::Remove { "remove" } else { "suspend" };
            let items = office.items(&office.second).await;
            assert_eq!(of(&items, action).len(), usize::try_from(leaving).expect("few"), "{engine}: {items:#?}");
            let first = office.first.source();
            let plan = office.store.detachment(&office.api, first, PeopleAfter::Remove).await.expect("a plan");
            assert_eq!(plan.members, leaving + 1, "{engine}: {plan:?}");
            // ann's removal frees one seat and counts once against the limit.
            assert_eq!(plan.removal_limit.over, 0);
            office.set(&office.first, ann, "active", json!(true)).await;
            office.settle().await;
            let late = office.store.promote(&office.api, office.second.source(), &shown.digest).await;
            assert!(matches!(late, Err(StoreError::Stale)), "{engine}: ann is another one by now: {late:?}");
        }
    });
}

#[test]
fn pe11_a_source_none_of_whose_people_is_planned_is_not_promoted() {
    engine::on_each_engine(async |store: Store, engine| {
        let office = Move::open(store, Move::federated()).await;
        office.person(&office.first, "ann", "ann").await;
        let nameless = json!({ "userName": "nobody", "active": true });
        let nameless = UserResource::from_stored(crate::cutover::object(nameless));
        office.store.create_user(&office.second, nameless).await.expect("a record").unannounced();
        office.settle().await;
        let shown = office.preview(&office.second).await;
        assert_eq!((shown.run_id, shown.people.leaving, shown.disputed), (None, 1, 1), "{engine}: {shown:?}");
        let refused = office.store.promote(&office.api, office.second.source(), &shown.digest).await;
        let Err(StoreError::Conflict(why)) = refused else { panic!("{engine}: {refused:?}") };
        assert!(why.contains("skipped records"), "the remedy: {why}");
        assert_eq!(office.status("ann").await, "active", "{engine}");
    });
}

#[test]
fn pe11_the_plan_of_a_source_in_simulation_is_never_forgotten() {
    engine::on_each_engine(async |store: Store, engine| {
        let office = Move::open(store, Move::federated()).await;
        for source in [office.first, office.second] {
            office.person(&source, "ann", "ann").await;
            office.settle().await;
        }
        let shown = office.preview(&office.second).await;
        assert_eq!(shown.people.transferred, 1, "{engine}: {shown:?}");
        let after_all = office.store.clock.now() + TimeDelta::days(1);
        while office.store.forget_old_runs(office.tenant, after_all).await.expect("a batch") {}
        let runs = pages(async |page| office.store.runs(&office.api, None, &page).await).await;
        let states: Vec<&str> = runs.iter().map(|run| run.state.as_str()).collect();
        assert_eq!(states, ["planned"], "{engine}: the applied ones are forgotten");
        let now = office.preview(&office.second).await;
        assert_eq!((now.people.transferred, now.digest), (1, shown.digest), "{engine}");
    });
}

#[test]
fn dx3_an_item_of_a_candidate_says_who_and_what_before_and_after() {
    engine::on_each_engine(async |store: Store, engine| {
        let office = Move::open(store, Move::federated()).await;
        for (name, anchor) in [("ann", "1"), ("bob", "2"), ("dan", "4")] {
            let user = office.person(&office.first, name, anchor).await;
            office.group(&office.first, &format!("Team {name}"), &[user]).await;
        }
        office.settle().await;
        office.person_at(&office.second, "Anne", "1", "anne@x.test").await;
        let bob = office.person(&office.second, "bob", "2").await;
        office.person(&office.second, "cem", "3").await;
        office.group(&office.second, "team ANN", &[bob]).await;
        office.set(&office.second, bob, "active", json!(false)).await;
        office.settle().await;
        let items = office.items(&office.second).await;
        let actions: BTreeSet<&str> = items.iter().map(|item| item.action.as_str()).collect();
        for action in ["relink", "update_profile", "suspend", "provision", "adopt_group"] {
            assert!(actions.contains(action), "{engine}: {action} of {actions:?}");
        }
        for action in ["remove_from_group", "remove_group"] {
            assert!(actions.contains(action), "{engine}: {action} of {actions:?}");
        }
        for item in &items {
            let who = item.who.as_ref().expect("who");
            assert!(who["email"].is_string() || who["name"].is_string(), "{engine}: {item:?}");
            assert_eq!(item.before.is_none(), item.action == "provision", "{engine}: {item:?}");
            let after = item.after.as_ref().and_then(Value::as_object).expect("after");
            assert!(!after.is_empty(), "{engine}: {item:?}");
        }
        let renamed = of(&items, "update_profile")[0];
        assert_eq!(renamed.before.as_ref().expect("before")["email"], "ann@x.test", "{engine}: {renamed:?}");
        assert_eq!(renamed.after.as_ref().expect("after")["email"], "anne@x.test", "{engine}: {renamed:?}");
        assert_eq!(of(&items, "suspend")[0].after.as_ref().expect("after")["status"], "suspended", "{engine}");
    });
}

#[test]
fn dx3_an_item_that_a_guard_would_withhold_says_so() {
    engine::on_each_engine(async |store: Store, engine| {
        let office = Move::open(store, Move::federated()).await;
        for name in ["ann", "bob"] {
            office.person(&office.first, name, name).await;
        }
        office.settle().await;
        office.person(&office.second, "cem", "cem").await;
        office.settle().await;
        let shown = async || -> BTreeSet<(String, String, String)> {
            let row = |item: &RunItem| {
                let who = item.who.as_ref().expect("who")["email"].as_str().expect("an address").to_owned();
                (item.action.clone(), who, item.detail["would_hold"].as_str().unwrap_or("happens").to_owned())
            };
            office.items(&office.second).await.iter().map(row).collect()
        };
        let rows = |rows: [(&str, &str, &str); 3]| -> BTreeSet<(String, String, String)> {
            rows.map(|(action, who, what)| (action.into(), format!("{who}@x.test"), what.into())).into()
        };
        let all = rows([("provision", "cem", "happens"), ("suspend", "ann", "happens"), ("suspend", "bob", "happens")]);
        assert_eq!(shown().await, all, "{engine}");
        let ann = office.members().await.into_iter().find(|member| member.email == "ann@x.test").expect("ann");
        change_policy(&office, |policy| {
            policy.auto_provision = false;
            policy.auto_deprovision = false;
            policy.protected_members = [ann.id.into()].into();
        })
        .await;
        office.settle().await;
        let expected = rows([
            ("provision", "cem", "provisioning_off"),
            ("suspend", "ann", "protected_member"),
            ("suspend", "bob", "deprovisioning_off"),
        ]);
        assert_eq!(shown().await, expected, "{engine}");
        // The promotion has the effect of its preview.
        office.promote(&office.second).await;
        office.settle().await;
        let held = pages(async |page| office.store.runs(&office.api, Some(RunState::Held), &page).await).await;
        let reasons = json!(["deprovisioning_off", "protected_member", "provisioning_off"]);
        assert_eq!(held[0].held_reasons, reasons, "{engine}: {held:?}");
    });
}

#[test]
fn pe7_nobody_whom_only_their_source_could_let_in_waits_for_ever_when_people_are_kept() {
    engine::on_each_engine(async |store: Store, engine| {
        let policy = Policy { removal_limit: Limit { count: 0, percent: 0, ..Limit::default() }, ..Move::federated() };
        // Seats for the owner, ann and bob; cem is on the waitlist.
        let office = Move::with_seats(store, policy, 3).await;
        let ann = office.person(&office.first, "ann", "ann").await;
        office.person(&office.first, "bob", "bob").await;
        office.settle().await;
        office.person(&office.first, "cem", "cem").await;
        office.settle().await;
        office.set(&office.first, ann, "active", json!(false)).await;
        office.settle().await;
        let statuses = async || {
            let mut all = Vec::new();
            for name in ["ann", "bob", "cem"] {
                all.push(office.status(name).await);
            }
            all
        };
        assert_eq!(statuses().await, ["suspended", "active", "pending"], "{engine}: ann's seat is held");
        let source = office.first.source();
        let plan = office.store.detachment(&office.api, source, PeopleAfter::Keep).await.expect("a plan");
        let keep = PeopleAfter::Keep;
        let items = pages(async |page| office.store.detachment_items(&office.api, source, keep, &page).await).await;
        let item = items.iter().find(|item| item.who.as_ref().expect("who")["email"] == "cem@x.test").expect("cem");
        assert_eq!(item.after.as_ref().expect("after")["status"], "suspended", "{engine}: it is shown: {item:?}");
        office.store.detach(&office.api, source, keep, &plan.digest).await.expect("a detachment").unannounced();
        office.settle().await;
        assert_eq!(statuses().await, ["suspended", "active", "suspended"], "{engine}");
        let members = office.members().await;
        assert!(
            members.iter().all(|member| member.waiting_for.is_none() && member.managed_by.is_none()),
            "{members:?}"
        );
        let events = office.events().await;
        assert_eq!((events["seat.released"], events["member.detached"]), (1, 3), "{engine}: {events:?}");
        assert_eq!(events["member.suspended"], 2, "{engine}: ann's, and cem's: {events:?}");
        // One seat is free, so one of two newcomers gets it.
        office.person(&office.second, "dan", "dan").await;
        office.settle().await;
        office.promote(&office.second).await;
        office.settle().await;
        office.person(&office.second, "eve", "eve").await;
        office.settle().await;
        assert_eq!((office.status("dan").await, office.status("eve").await), ("active".into(), "pending".into()));
        // A person who returns with a source asks for a seat as usual.
        office.person(&office.second, "cem", "cem2").await;
        office.settle().await;
        let cem = office.members().await.into_iter().find(|member| member.email == "cem@x.test").expect("cem");
        assert_eq!(cem.waiting_for.as_deref(), Some("seat"), "{engine}: {cem:?}");
    });
}
