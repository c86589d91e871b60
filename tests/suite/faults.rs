//! Crashes of processes at any moment: no accepted write is lost and none is applied twice
//! (docs/design.md#one-change-one-audit-event, docs/design.md#any-order-one-result).

use futures_util::future::{join, join_all};
use rand::Rng;
use reqwest::Method;

use crate::answer::Answer;
use crate::audit::expect_explained;
use crate::conversation::FirstSync;
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::roster::Roster;
use crate::verbs::{email, eventually, person};

const USERS: usize = 300;
const GROUPS: usize = 10;
const CRASHES: usize = 8;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        a_worker_killed_at_random_points_changes_nothing_but_time,
        a_graceful_stop_loses_nothing_that_was_accepted,
        a_restart_keeps_everything,
    ];
    cases.extend(
        cases![three_workers_beside_each_other_end_in_one_state]
            .into_iter()
            .map(|case| case.only_on(Combination::Full)),
    );
    cases
}

/// A crashed worker's lease must expire within the test's deadline.
fn hub_that_recovers_fast(hub: &Hub) -> crate::hub::HubBuilder {
    hub.another().setting("ROLLCALL_WORKER_SWEEP_SECONDS", "1").setting("ROLLCALL_WORKER_LEASE_SECONDS", "3")
}

async fn a_worker_killed_at_random_points_changes_nothing_but_time(hub: Hub) {
    let hub = hub_that_recovers_fast(&hub).apart(1).start().await;
    let sync = FirstSync::plan(&hub, USERS, GROUPS);
    let calm = hub.tenant().create();
    sync.play(&calm.scim_source()).await;
    let undisturbed = sync.settled(&calm).await;

    let stormy = hub.tenant().create();
    let source = stormy.scim_source();
    let mut random = hub.randomness("crashes");
    let mut moments: Vec<usize> = (0..CRASHES).map(|_| random.random_range(1..sync.requests())).collect();
    moments.sort_unstable();
    let crashes = async {
        for moment in moments {
            eventually("the next moment to crash at", async || {
                if sync.delivered() >= moment { Ok(()) } else { Err(format!("{} of {moment}", sync.delivered())) }
            })
            .await;
            hub.crash_worker().await;
        }
        // A second crash while it catches up.
        for _ in 0..2 {
            hub.crash_worker().await;
        }
    };
    join(sync.play(&source), crashes).await;
    let disturbed = sync.settled(&stormy).await;
    disturbed.expect_same(&undisturbed);
    for (event, count) in &disturbed.events {
        let once_each =
            ["member.invited", "sharing_group.created", "directory_user.created", "directory_group.created"];
        assert!(*count == 1 || !once_each.iter().any(|kind| event.starts_with(kind)), "{event} happened {count} times");
    }
    expect_explained(&stormy).await;
}

async fn three_workers_beside_each_other_end_in_one_state(hub: Hub) {
    let hub = hub_that_recovers_fast(&hub).apart(3).start().await;
    let sync = FirstSync::plan(&hub, 80, 6);
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let tenant = hub.tenant().create();
        sync.play(&tenant.scim_source()).await;
        outcomes.push(sync.settled(&tenant).await);
        expect_explained(&tenant).await;
    }
    outcomes[1].expect_same(&outcomes[0]);
    let twice: Vec<&String> = outcomes[0]
        .events
        .iter()
        .filter(|(event, count)| event.starts_with("member.") && **count > 1)
        .map(|(event, _)| event)
        .collect();
    assert!(twice.is_empty(), "done twice: {twice:?}");
}

async fn a_graceful_stop_loses_nothing_that_was_accepted(hub: Hub) {
    let hub = hub_that_recovers_fast(&hub).start().await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let names: Vec<String> = (0..60).map(|number| format!("p{number:02}")).collect();
    let posts = names.iter().map(|name| {
        let request = source.request(Method::POST, "/Users").body(person(name).to_string());
        Answer::try_of(request)
    });
    let stopping = hub.clone();
    let stop = tokio::task::spawn_blocking(move || stopping.stop());
    let (answers, statuses) = join(join_all(posts), stop).await;
    for status in statuses.unwrap() {
        assert!(status.is_some_and(|status| status.success()), "a graceful stop ends with 0, not {status:?}");
    }
    hub.start_again().await;
    let accepted: Vec<String> = names
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| answer.as_ref().is_ok_and(|answer| answer.status == 201))
        .map(|(name, _)| email(name))
        .collect();
    for answer in answers.iter().flatten() {
        assert!(matches!(answer.status, 201 | 503), "{}", answer.describe());
    }
    source.user("later").await;
    tenant
        .eventually("all accepted people are in", |members| {
            accepted.iter().all(|email| members.find_member(email).is_some_and(|member| member.status == "invited"))
                && members.find_member(&self::email("later")).is_some()
        })
        .await;
}

async fn a_restart_keeps_everything(hub: Hub) {
    let hub = hub_that_recovers_fast(&hub).start().await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    source.group("Pilots", &[&id]).await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let before = tenant.everything(&source).await;
    hub.stop();
    hub.start_again().await;
    assert_eq!(tenant.everything(&source).await, before);
    source.deactivate(&id).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
}
