//! Callers that wait for the same statement, on Postgres: a store of one connection, which is taken until all of them wait.

use crate::Committed;
use crate::StoreError;
use crate::directory::filter::tests::engines::{new_source, on_each_database, one_connection, written};
use crate::directory::users::DirectoryUser;
use crate::engine::connect::Pools;
use crate::engine::single_write::RowChange;
use crate::log::changes::Touched;
use crate::scope::SourceScope;
use crate::{ListRequest, Store};
use rollcall_core::budget::Budget;
use rollcall_core::ids::DirectoryUserId;
use rollcall_scim::list::Paging;
use rollcall_scim::{ResourceKind, UserResource};
use sea_orm::FromQueryResult;
use serde_json::{Value as Json, json};
use tokio::task::{JoinHandle, yield_now};

fn on_one_connection(check: impl AsyncFn(Store)) {
    on_each_database(async |store, engine, url| {
        if engine == "SQLite" {
            return;
        }
        let narrow = Store::connect(&one_connection(url), store.clock.clone()).await.expect("a database");
        check(narrow.clone()).await;
        narrow.close().await;
    });
}

/// Makes all of these wait, and then releases them.
async fn at_the_same_time<T: Send + 'static>(
    store: &Store,
    asking: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<JoinHandle<T>> {
    let holder = store.across(false).await.expect("the connection");
    let asked: Vec<_> = asking.into_iter().map(tokio::spawn).collect();
    yield_now().await;
    holder.commit().await.expect("an end");
    asked
}

fn person(name: &str) -> UserResource {
    let Json::Object(attributes) = json!({ "userName": name, "active": true }) else { unreachable!("an object") };
    UserResource::from_stored(attributes)
}

async fn people(store: &Store, scope: &SourceScope, names: &[&str]) -> Vec<DirectoryUserId> {
    let mut ids = Vec::new();
    for name in names {
        ids.push(store.create_user(scope, person(name)).await.expect("a user").unannounced().id);
    }
    ids
}

/// Numbers of lists in the prepared statements of this kind.
async fn lists_of(store: &Store, kind: &str) -> Vec<usize> {
    #[derive(FromQueryResult)]
    struct Prepared {
        statement: String,
    }
    let tx = store.across(false).await.expect("a transaction");
    let sql = "SELECT statement FROM pg_prepared_statements WHERE position($1 IN statement) > 0";
    let found: Vec<Prepared> = tx.all(sql, [kind.into()]).await.expect("texts");
    let lists = |text: &str| (0..20).take_while(|number| text.contains(&format!("({number}, $"))).count();
    let mut lists: Vec<usize> = found.iter().map(|found| lists(&found.statement)).collect();
    lists.sort_unstable();
    lists
}

async fn name_of(store: Store, scope: SourceScope, id: DirectoryUserId) -> Option<String> {
    let found = store.user(&scope, id, true).await.expect("a look-up");
    found.map(|user: DirectoryUser| user.resource.user_name().to_owned())
}

#[test]
fn looks_that_wait_are_one_statement_and_each_has_its_own_answer() {
    on_one_connection(async |store| {
        let (scope, other) = (new_source(&store).await, new_source(&store).await);
        let ids = people(&store, &scope, &["a@x.de", "b@x.de", "c@x.de"]).await;
        let theirs = people(&store, &other, &["d@x.de"]).await;
        let nobody = store.clock.new_id();
        let asked = [ids[0], ids[1], nobody, ids[2], ids[1], theirs[0], ids[0], ids[2], nobody, ids[1]];
        let asking = asked.map(|id| name_of(store.clone(), scope, id));
        let asked = at_the_same_time(&store, asking).await;
        let mut found = Vec::new();
        for asked in asked {
            found.push(asked.await.expect("an answer"));
        }
        let name = |name: &str| Some(format!("{name}@x.de"));
        // Another tenant's user is not found.
        let expected = [name("a"), name("b"), None, name("c"), name("b"), None, name("a"), name("c"), None, name("b")];
        assert_eq!(found, expected);
        // The first one ran alone, then eight of the waiting ones in a batch, and the last one alone.
        assert_eq!(lists_of(&store, "directory_memberships dm").await, [0, 8]);
    });
}

#[test]
fn who_goes_away_takes_nobody_along_and_tenants_do_not_wait_for_each_other() {
    on_one_connection(async |store| {
        let (scope, other) = (new_source(&store).await, new_source(&store).await);
        let id = people(&store, &scope, &["a@x.de"]).await[0];
        let their = people(&store, &other, &["b@x.de"]).await[0];
        let holder = store.across(false).await.expect("the connection");
        let mut asked: Vec<_> = (0..4).map(|_| tokio::spawn(name_of(store.clone(), scope, id))).collect();
        let theirs = tokio::spawn(name_of(store.clone(), other, their));
        yield_now().await;
        // The one in flight, and one that waits.
        asked.remove(2).abort();
        asked.remove(0).abort();
        yield_now().await;
        holder.commit().await.expect("an end");
        for asked in asked {
            assert_eq!(asked.await.expect("an answer").as_deref(), Some("a@x.de"));
        }
        assert_eq!(theirs.await.expect("an answer").as_deref(), Some("b@x.de"));
        let Pools::Postgres { reads, .. } = &store.pools else { unreachable!("Postgres") };
        assert!(reads.rows.is_idle(), "nobody waits for a statement that is not on its way");
    });
}

#[test]
fn what_is_added_together_is_there_but_for_a_name_that_is_taken() {
    on_one_connection(async |store| {
        let scope = new_source(&store).await;
        people(&store, &scope, &["a@x.de"]).await;
        let names = ["b@x.de", "c@x.de", "d@x.de", "C@x.de", "e@x.de", "f@x.de", "g@x.de", "h@x.de", "i@x.de"];
        let asking = names.map(|name| {
            let store = store.clone();
            async move { store.create_user(&scope, person(name)).await.map(Committed::unannounced) }
        });
        let asked = at_the_same_time(&store, asking).await;
        let mut made = Vec::new();
        for asked in asked {
            made.push(asked.await.expect("an answer"));
        }
        let taken = |made: &Result<DirectoryUser, StoreError>| matches!(made, Err(StoreError::Taken("userName")));
        assert_eq!(made.iter().map(taken).collect::<Vec<_>>(), names.map(|name| name == "C@x.de"));
        // A batch of eight was tried.
        assert_eq!(lists_of(&store, "INSERT INTO directory_users").await, [1, 8]);
        for (name, made) in names.iter().zip(&made) {
            let Ok(made) = made else { continue };
            let found = name_of(store.clone(), scope, made.id).await;
            assert_eq!(found.as_deref(), Some(*name));
            assert_eq!(written(&store, made.id).await, (1, 1), "{name}: one change, one event");
        }
        // Then without the names that are taken.
        let asking = ["j@x.de", "k@x.de", "l@x.de"].map(|name| {
            let store = store.clone();
            async move { store.create_user(&scope, person(name)).await.map(Committed::unannounced) }
        });
        for asked in at_the_same_time(&store, asking).await {
            let made = asked.await.expect("an answer").expect("a user");
            assert_eq!(written(&store, made.id).await, (1, 1));
        }
        assert_eq!(lists_of(&store, "INSERT INTO directory_users").await, [1, 2, 8]);
    });
}

#[test]
fn changes_of_many_at_the_same_time_are_made_and_so_are_two_of_the_same_user() {
    on_one_connection(async |store| {
        let scope = new_source(&store).await;
        let ids = people(&store, &scope, &["a@x.de", "b@x.de", "c@x.de", "d@x.de"]).await;
        let changes = [
            (ids[0], "title", "Countess"),
            (ids[1], "title", "Duke"),
            (ids[2], "title", "Earl"),
            (ids[2], "nickName", "Ed"),
            (ids[3], "title", "Baron"),
        ];
        let asking = changes.map(|(id, attribute, value)| {
            let store = store.clone();
            async move {
                let edit = |user: &DirectoryUser| {
                    let mut attributes = user.resource.attributes().clone();
                    attributes.insert(attribute.into(), value.into());
                    Ok::<_, StoreError>(UserResource::from_stored(attributes))
                };
                store.change_user(&scope, id, edit).await.expect("a change").unannounced()
            }
        });
        for asked in at_the_same_time(&store, asking).await {
            assert!(asked.await.expect("an answer").changed);
        }
        for (id, attribute, value) in changes {
            let user = store.user(&scope, id, false).await.expect("a look-up").expect("a user");
            assert_eq!(user.resource.attributes().get(attribute), Some(&json!(value)));
            let changes = if id == ids[2] { 2 } else { 1 };
            assert_eq!((user.version, written(&store, id).await), (1 + changes, (1 + changes, 1 + changes)));
        }
    });
}

#[test]
fn changes_that_wait_are_one_statement_and_of_two_of_the_same_version_one_is_made() {
    on_one_connection(async |store| {
        let scope = new_source(&store).await;
        let ids = people(&store, &scope, &["a@x.de", "b@x.de", "c@x.de", "d@x.de"]).await;
        let asking = [ids[0], ids[1], ids[2], ids[2], ids[3]].map(|id| {
            let store = store.clone();
            async move {
                let write = store.single_write(&scope.scope);
                let set = vec![("display_name", "Countess".into()), ("version", 2_i64.into())];
                let then = vec![write.change(Some(scope.source()), Touched::User(id))];
                let change = RowChange { table: "directory_users", id: id.0, seen_version: 1, set, then };
                write.change_if(change).await.expect("an answer")
            }
        });
        let mut made = Vec::new();
        for asked in at_the_same_time(&store, asking).await {
            made.push(asked.await.expect("an answer"));
        }
        assert_eq!((made[0], made[1], made[2] ^ made[3], made[4]), (true, true, true, true), "{made:?}");
        for id in ids {
            let user = store.user(&scope, id, false).await.expect("a look-up").expect("a user");
            // One mark and one event are of the creation.
            assert_eq!((user.version, written(&store, id).await), (2, (2, 1)));
        }
        assert_eq!(lists_of(&store, "AS (UPDATE directory_users").await, [1, 4]);
    });
}

#[test]
fn all_who_wait_for_a_total_have_the_one_that_is_counted_then() {
    on_one_connection(async |store| {
        let (scope, other) = (new_source(&store).await, new_source(&store).await);
        people(&store, &scope, &["a@x.de", "b@x.de", "c@x.de"]).await;
        people(&store, &other, &["d@x.de"]).await;
        let asking = [scope, other, scope, scope, scope, other, other].map(|scope| {
            let store = store.clone();
            async move {
                let (kind, paging) = (ResourceKind::User, Paging::Index(1));
                let (filter, sort, count, with_related) = (None, None, 0, false);
                let budget = &Budget::unlimited(scope.tenant());
                let asked = ListRequest {
                    kind,
                    filter,
                    sort,
                    paging: &paging,
                    count,
                    with_related,
                    bytes_max: usize::MAX,
                    base: "",
                    budget,
                };
                store.list_users(&scope, &asked).await.expect("a page").total
            }
        });
        let mut totals = Vec::new();
        for asked in at_the_same_time(&store, asking).await {
            totals.push(asked.await.expect("an answer"));
        }
        assert_eq!(totals, [3, 1, 3, 3, 3, 1, 1].map(Some));
    });
}
