//! Attempts at a request, answers that are kept, and their end.

use super::*;
use crate::NewTenant;
use crate::directory::filter::tests::engines::on_each_engine;
use rollcall_core::policy::Policy;

async fn tenant(store: &Store) -> AdminScope {
    let new = NewTenant { name: "T".into(), seats: 9, policy: Policy::default(), owner_email: None };
    let (_, slug) = store.create_tenant(&new).await.expect("a tenant");
    store.operator_scope(&slug).await.expect("a scope")
}

fn request(key: u8, asks: u8) -> OnceOnly {
    OnceOnly { credential: Uuid::nil().into(), key: [key; 32], fingerprint: [asks; 32] }
}

async fn begin(store: &Store, scope: &AdminScope, once: OnceOnly) -> Once {
    store.begin_once(scope, once).await.expect("a standing")
}

async fn runs(store: &Store, scope: &AdminScope, once: OnceOnly) -> Attempt {
    match begin(store, scope, once).await {
        Once::Runs(attempt) => attempt,
        other => panic!("it does not run: {other:?}"),
    }
}

fn answer(body: &str) -> KeptAnswer {
    KeptAnswer { status: 201, body: body.to_owned() }
}

#[test]
fn a_late_first_attempt_neither_overwrites_nor_drops_what_the_second_did() {
    on_each_engine(async |store, engine| {
        let scope = tenant(&store).await;
        let first = runs(&store, &scope, request(1, 1)).await;
        store.clock.advance(LOST);
        assert!(matches!(begin(&store, &scope, request(1, 1)).await, Once::Running), "{engine}: not lost yet");
        store.clock.advance(TimeDelta::seconds(1));
        assert!(
            matches!(begin(&store, &scope, request(1, 2)).await, Once::Differs),
            "{engine}: it asks for something else"
        );
        let second = runs(&store, &scope, request(1, 1)).await;
        store.drop_once(&scope, &first).await.expect("an end");
        assert!(!store.keep_answer(&scope, &first, &answer("late")).await.expect("an end"), "{engine}");
        assert!(store.keep_answer(&scope, &second, &answer("second")).await.expect("an end"), "{engine}");
        assert!(!store.keep_answer(&scope, &first, &answer("later")).await.expect("an end"), "{engine}");
        let known = begin(&store, &scope, request(1, 1)).await;
        assert!(matches!(&known, Once::Answered(kept) if *kept == answer("second")), "{engine}: {known:?}");
    });
}

#[test]
fn an_answer_that_is_too_large_is_not_kept_and_its_request_does_not_run_again() {
    on_each_engine(async |store, engine| {
        let scope = tenant(&store).await;
        for (key, bytes) in [(1, ANSWER_BYTES_MAX), (2, ANSWER_BYTES_MAX + 1)] {
            let attempt = runs(&store, &scope, request(key, 1)).await;
            store.keep_answer(&scope, &attempt, &answer(&"x".repeat(bytes))).await.expect("an end");
        }
        assert!(matches!(begin(&store, &scope, request(1, 1)).await, Once::Answered(_)), "{engine}");
        store.clock.advance(LOST * 2);
        let large = begin(&store, &scope, request(2, 1)).await;
        assert!(matches!(large, Once::TooLarge(201)), "{engine}: {large:?}");
        assert!(matches!(begin(&store, &scope, request(2, 2)).await, Once::Differs), "{engine}");
    });
}

#[test]
fn an_answer_is_kept_for_a_day_and_then_forgotten_tenant_by_tenant() {
    on_each_engine(async |store, engine| {
        let (scope, other) = (tenant(&store).await, tenant(&store).await);
        for scope in [&scope, &other] {
            for key in [1, 2] {
                let attempt = runs(&store, scope, request(key, 1)).await;
                store.keep_answer(scope, &attempt, &answer("first")).await.expect("an end");
            }
        }
        store.clock.advance(KEPT);
        assert!(matches!(begin(&store, &scope, request(1, 1)).await, Once::Answered(_)), "{engine}");
        store.clock.advance(TimeDelta::seconds(1));
        // A worker may be late.
        let again = runs(&store, &scope, request(1, 2)).await;
        assert!(!store.forget_answers(scope.tenant()).await.expect("an end"), "{engine}: no more than a batch");
        store.keep_answer(&scope, &again, &answer("again")).await.expect("an end");
        assert!(matches!(begin(&store, &scope, request(1, 2)).await, Once::Answered(_)), "{engine}: it is young");
        let left = async |scope: &AdminScope| {
            let tx = store.read(&scope.scope).await.expect("a transaction");
            let rows: Vec<KnownRow> = tx
                .tx
                .all(
                    "SELECT fingerprint, status, body FROM idempotent_requests WHERE tenant_id = $1",
                    [scope.tenant().0.into()],
                )
                .await
                .expect("rows");
            rows.len()
        };
        assert_eq!((left(&scope).await, left(&other).await), (1, 2), "{engine}");
    });
}

/// A hundred thousand old rows would be one long transaction.
#[test]
fn a_batch_of_forgotten_requests_is_bounded() {
    on_each_engine(async |store, engine| {
        let scope = tenant(&store).await;
        let (digest, number) = match store.is_postgres() {
            true => ("decode(lpad(to_hex(i), 8, '0'), 'hex')", "generate_series(1, 1001) AS n(i)"),
            false => (
                "CAST(printf('%08x', i) AS BLOB)",
                "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001) SELECT i FROM n) AS n",
            ),
        };
        let sql = format!(
            "INSERT INTO idempotent_requests (tenant_id, credential_id, key_digest, fingerprint, attempt, started_at) \
             SELECT $1, $1, {digest}, {digest}, $1, $2 FROM {number}"
        );
        let tx = store.write(&scope.scope).await.expect("a transaction");
        tx.tx.exec(&sql, [scope.tenant().0.into(), store.clock.now().into()]).await.expect("rows");
        tx.commit().await.expect("committed");
        store.clock.advance(KEPT * 2);
        assert!(store.forget_answers(scope.tenant()).await.expect("an end"), "{engine}: a thousand at a time");
        assert!(!store.forget_answers(scope.tenant()).await.expect("an end"), "{engine}: and the rest");
    });
}

#[test]
fn one_worker_at_a_time_has_the_turn() {
    on_each_engine(async |store, engine| {
        let every = TimeDelta::hours(1);
        let take = async || store.take_upkeep_turn(every).await.expect("an answer");
        let first = take().await.expect("nobody has it");
        assert_eq!(take().await, None, "{engine}");
        store.give_upkeep_turn_back(first).await.expect("an end");
        let second = take().await.expect("it was given back");
        store.clock.advance(every);
        let third = take().await.expect("an hour is over");
        store.give_upkeep_turn_back(second).await.expect("an end");
        assert_eq!(take().await, None, "{engine}: the turn of another is not given back");
        assert_ne!(first, third);
    });
}
