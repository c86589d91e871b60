//! Concurrent changes of one user: the version that was read may be outdated at the write.

use super::*;
use crate::directory::filter::tests::engines::{new_source, on_each_database, one_connection, written};
use crate::directory::tombstone::digest_of;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

fn with(user: &DirectoryUser, attribute: &str, value: &str) -> UserResource {
    let mut attributes = user.resource.attributes().clone();
    attributes.insert(attribute.into(), value.into());
    UserResource::from_stored(attributes)
}

async fn ada(store: &Store, scope: &SourceScope) -> DirectoryUserId {
    let ada = UserResource::from_stored(into_map(json!({ "userName": "ada@x.de", "active": true })));
    store.create_user(scope, ada).await.expect("a user").unannounced().id
}

/// Whether a session of this database waits for a lock.
async fn somebody_waits(store: &Store) -> bool {
    #[derive(FromQueryResult)]
    struct Waiting {
        sessions: i64,
    }
    let looking = store.across(false).await.expect("a transaction");
    let sql = "SELECT count(*) AS sessions FROM pg_locks l \
               JOIN pg_stat_activity a ON a.pid = l.pid AND a.datname = current_database() WHERE NOT l.granted";
    let waiting: Option<Waiting> = looking.one(sql, []).await.expect("an answer");
    waiting.is_some_and(|waiting| waiting.sessions > 0)
}

/// Work of another process, done before this returns.
fn elsewhere(url: &str, store: &Store, work: impl AsyncFnOnce(Store) + Send) {
    let config = one_connection(url);
    let clock = store.clock.clone();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let store = Store::connect(&config, clock).await.expect("a database");
                work(store.clone()).await;
                store.close().await;
            });
        });
    });
}

#[test]
fn a_change_that_nobody_meets_is_made_once_and_one_that_changes_nothing_is_not_written() {
    on_each_database(async |store, engine, _| {
        let scope = new_source(&store).await;
        let id = ada(&store, &scope).await;
        let mut edits = 0;
        for title in ["Countess", "Countess", "Lady"] {
            let edit = |user: &DirectoryUser| {
                edits += 1;
                Ok::<_, StoreError>(with(user, "title", title))
            };
            store.change_user(&scope, id, edit).await.expect("a change").unannounced();
        }
        assert_eq!(edits, 3, "{engine}: none of them was made a second time");
        let user = store.user(&scope, id, true).await.expect("a look-up").expect("a user");
        assert_eq!((user.version, written(&store, id).await), (3, (3, 3)), "{engine}");
        // Nor another tenant's, which has the same version.
        let other = new_source(&store).await;
        let refused = store.change_user(&other, id, |user| Ok::<_, StoreError>(with(user, "title", "Thief"))).await;
        assert!(matches!(refused, Err(StoreError::NotFound(_))), "{engine}: {refused:?}");
        let tx = store.single_write(&other.scope);
        let (_, change) = tx.edited(other.source(), user.clone(), with(&user, "title", "Thief"));
        assert!(!tx.change_if(change).await.expect("an answer"), "{engine}");
        assert_eq!(written(&store, id).await, (3, 3), "{engine}");
    });
}

#[test]
fn a_change_that_comes_in_between_is_kept_and_edited_on() {
    on_each_database(async |store, engine, url| {
        let scope = new_source(&store).await;
        let id = ada(&store, &scope).await;
        let mut seen = Vec::new();
        let edit = |user: &DirectoryUser| {
            if seen.is_empty() {
                elsewhere(url, &store, async |store| {
                    let edit = |user: &DirectoryUser| Ok::<_, StoreError>(with(user, "nickName", "Ada"));
                    store.change_user(&scope, id, edit).await.expect("the other's change").unannounced();
                });
            }
            seen.push(user.version);
            Ok::<_, StoreError>(with(user, "title", "Countess"))
        };
        let changed = store.change_user(&scope, id, edit).await.expect("a change").unannounced();
        assert!(changed.changed);
        let user = store.user(&scope, id, true).await.expect("a look-up").expect("a user");
        assert_eq!(seen, [1, 2], "{engine}: read again");
        assert_eq!((user.version, written(&store, id).await), (3, (3, 3)), "{engine}");
        let attributes = user.resource.attributes();
        assert_eq!((&attributes["nickName"], &attributes["title"]), (&json!("Ada"), &json!("Countess")), "{engine}");
    });
}

#[test]
fn who_is_deleted_in_between_is_not_brought_back() {
    on_each_database(async |store, engine, url| {
        let scope = new_source(&store).await;
        let id = ada(&store, &scope).await;
        let mut edits = 0;
        let edit = |user: &DirectoryUser| {
            edits += 1;
            elsewhere(url, &store, async |store| {
                store.delete_user(&scope, id, None).await.expect("a deletion").unannounced()
            });
            Ok::<_, StoreError>(with(user, "title", "Countess"))
        };
        let refused = store.change_user(&scope, id, edit).await;
        assert!(matches!(refused, Err(StoreError::NotFound(_))), "{engine}: {refused:?}");
        assert_eq!((edits, written(&store, id).await), (1, (2, 2)), "{engine}: created and deleted");
    });
}

#[test]
fn a_change_that_is_not_committed_yet_is_waited_for_and_then_seen() {
    on_each_database(async |store, engine, _| {
        let scope = new_source(&store).await;
        let id = ada(&store, &scope).await;
        let user = store.user(&scope, id, true).await.expect("a look-up").expect("a user");
        let other = store.write(&scope.scope).await.expect("a transaction");
        let sql = "UPDATE directory_users SET version = version + 1 WHERE id = $1";
        assert_eq!(other.tx.exec(sql, [id.0.into()]).await.expect("a change"), 1);
        let ours = async {
            let tx = store.single_write(&scope.scope);
            let (_, change) = tx.edited(scope.source(), user.clone(), with(&user, "title", "Countess"));
            tx.change_if(change).await.expect("an answer")
        };
        let theirs = async {
            let waited = async { while engine == "Postgres" && !somebody_waits(&store).await {} };
            timeout(Duration::from_secs(30), waited).await.expect("the other waits");
            other.commit().await.expect("an end");
        };
        let (updated, ()) = tokio::join!(ours, theirs);
        assert!(!updated, "{engine}: it is another version by then");
        assert_eq!(written(&store, id).await, (1, 1), "{engine}");
    });
}

#[test]
fn s6_a_tombstone_says_nothing_about_the_person() {
    #[derive(FromQueryResult)]
    struct Tombstone {
        user_name: String,
        external_id: Option<String>,
        email: Option<String>,
        display_name: Option<String>,
        attributes: Json,
        folded: Option<Json>,
        deleted: bool,
    }
    on_each_database(async |store, _, _| {
        let scope = new_source(&store).await;
        let ada = json!({
            "userName": "ada@x.de", "externalId": "4711", "active": true, "displayName": "Ada", "title": "Countess",
            "name": { "givenName": "Ada", "familyName": "Lovelace" }, "emails": [{ "value": "ada@x.de" }, { "value": "al@x.de" }],
        });
        let ada = UserResource::from_stored(into_map(ada));
        let id = store.create_user(&scope, ada.clone()).await.expect("a user").unannounced().id;
        store.delete_user(&scope, id, None).await.expect("a deletion").unannounced();
        let tx = store.across(false).await.expect("a transaction");
        let sql = "SELECT user_name, external_id, email, display_name, attributes, folded, deleted_at IS NOT NULL AS deleted \
                   FROM directory_users WHERE id = $1";
        let row: Option<Tombstone> = tx.one(sql, [id.0.into()]).await.expect("an answer");
        let row = row.expect("the row stays");
        assert!(row.deleted);
        assert_eq!((row.user_name.as_str(), row.email, row.display_name, row.folded), ("", None, None, None));
        assert_eq!(row.attributes, json!({}));
        assert_eq!(row.external_id, Some(digest_of("4711")));
        drop(tx);
        // The name is free, and several tombstones have none.
        let again = store.create_user(&scope, ada).await.expect("a user").unannounced().id;
        store.delete_user(&scope, again, None).await.expect("a deletion").unannounced();
    });
}
