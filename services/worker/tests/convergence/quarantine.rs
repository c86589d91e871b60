//! A source that is held repeatedly is quarantined, released by an admin, and synced again (PE9), on the real store.

use crate::desk::Desk;
use crate::engine;
use crate::unannounced::Unannounced;
use chrono::TimeDelta;
use rollcall_core::directory::SourceMode;
use rollcall_core::ids::{DirectoryUserId, SourceId};
use rollcall_core::policy::{Limit, Onboarding, Policy};
use rollcall_store::{Source, StoreError};
use serde_json::json;

/// Two may leave in a day; at ten held items the source is quarantined.
fn policy() -> Policy {
    let removal_limit = Limit { count: 2, percent: 0, window_hours: 24 };
    Policy { onboarding: Onboarding::Federated, quarantine_after: Some(1), removal_limit, ..Policy::default() }
}

async fn team(desk: &Desk, size: usize) -> Vec<DirectoryUserId> {
    let mut users = Vec::new();
    for number in 0..size {
        users.push(desk.hire(&format!("p{number:02}")).await);
    }
    desk.work().await;
    users
}

async fn disable(desk: &Desk, users: &[DirectoryUserId]) {
    for user in users {
        desk.set(*user, json!({ "active": false })).await;
    }
    desk.work().await;
}

async fn source(desk: &Desk) -> Source {
    desk.store.sources(&desk.api).await.expect("sources").into_iter().next().expect("a source")
}

async fn with_status(desk: &Desk, status: &str) -> usize {
    desk.members().await.into_iter().filter(|member| member.status == status && member.managed_by.is_some()).count()
}

#[test]
fn pe9_a_source_that_keeps_removing_is_quarantined_and_heard_again_after_a_release() {
    engine::on_each_engine(async |store, engine| {
        let desk = Desk::open(&store, engine, policy()).await;
        let users = team(&desk, 30).await;
        disable(&desk, &users[..11]).await;
        assert_eq!(source(&desk).await.quarantined_at, None, "{engine}: nine are held");
        disable(&desk, &users[11..12]).await;
        let found = source(&desk).await;
        assert!(found.quarantined_at.is_some(), "{engine}: ten are held");
        assert!(found.quarantine_reason.is_some_and(|why| why.starts_with("10 removals are held")), "{engine}");
        disable(&desk, &users[12..16]).await;
        desk.hire("late").await;
        desk.work().await;
        assert_eq!((with_status(&desk, "suspended").await, with_status(&desk, "active").await), (12, 18), "{engine}");
        let id = SourceId(found.id);
        desk.store.release_source(&desk.api, id).await.expect("a release").unannounced();
        desk.work().await;
        assert_eq!((with_status(&desk, "suspended").await, with_status(&desk, "active").await), (16, 15), "{engine}");
        assert_eq!(source(&desk).await.quarantined_at, None, "{engine}: the admin has looked at what is held");
        let again = desk.store.release_source(&desk.api, id).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{engine}: {again:?}");
        desk.store.clock.advance(TimeDelta::hours(25));
        disable(&desk, &users[16..19]).await;
        assert!(source(&desk).await.quarantined_at.is_some(), "{engine}: in the next window it is judged anew");
        let told = desk.told().await;
        assert_eq!((told["source.quarantined"], told["source.released"]), (2, 1), "{engine}: {told:?}");
    });
}

#[test]
fn pe9_switching_a_quarantined_source_off_rejects_what_was_held() {
    engine::on_each_engine(async |store, engine| {
        let desk = Desk::open(&store, engine, policy()).await;
        let users = team(&desk, 20).await;
        disable(&desk, &users[..12]).await;
        disable(&desk, &users[12..14]).await;
        let id = SourceId(source(&desk).await.id);
        desk.store.change_source(&desk.api, id, SourceMode::Off.into()).await.expect("a switch").unannounced();
        desk.work().await;
        let found = source(&desk).await;
        assert_eq!((found.mode.as_str(), found.quarantined_at), ("off", None), "{engine}");
        assert!(desk.runs().await.iter().all(|run| run.state != "held"), "{engine}");
        assert_eq!(with_status(&desk, "suspended").await, 12, "{engine}");
    });
}
