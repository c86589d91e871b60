//! A database with data of an earlier program is brought up to date.

use crate::directory::filter::tests::engines::on_each_empty_database;
use crate::directory::tombstone::digest_of;
use rollcall_core::policy::Policy;
use rollcall_migrations::Migrator;
use sea_orm::{ConnectionTrait, FromQueryResult};
use sea_orm_migration::MigratorTrait;
use serde_json::{Value, json};

/// The first migrations that an earlier schema lacked.
const LACKED: [&str; 2] = ["m20261129_000030_list_positions", "m20261129_000080_cache_key"];

#[derive(Debug, FromQueryResult)]
struct Record {
    user_name: String,
    external_id: Option<String>,
    email: Option<String>,
    display_name: Option<String>,
    attributes: Value,
}

/// A tenant with a source, a user and a deleted one, as an earlier program left them.
fn left_behind(engine: &str) -> String {
    let id = |number: u32| match engine {
        "Postgres" => format!("'{number:032x}'::uuid"),
        _ => format!("x'{number:032x}'"),
    };
    let (tenant, source, at) = (id(1), id(2), "'2026-11-01T00:00:00.000000Z'");
    let policy = json!(Policy::default());
    let user = |number: u32, name: &str, deleted: &str| {
        format!(
            "INSERT INTO directory_users (tenant_id, id, source_id, user_name, user_name_folded, external_id, email, email_folded, \
             display_name, attributes, created_at, modified_at, deleted_at) VALUES ({tenant}, {}, {source}, '{name}@x.test', \
             '{name}@x.test', '{name}', '{name}@x.test', '{name}@x.test', '{name}', '{{\"userName\": \"{name}@x.test\"}}', {at}, {at}, \
             {deleted});",
            id(number)
        )
    };
    format!(
        "INSERT INTO tenants (id, slug, name, seats, policy, policy_version, created_at) \
         VALUES ({tenant}, 'early', 'Early', 5, '{policy}', 1, {at}); \
         INSERT INTO tenant_leases (tenant_id) VALUES ({tenant}); \
         INSERT INTO sources (tenant_id, id, kind, mode, name, created_at) VALUES ({tenant}, {source}, 'scim', 'live', 'idp', {at}); {}{}",
        user(3, "ann", "NULL"),
        user(4, "bob", at)
    )
}

#[test]
fn s6_an_upgrade_keeps_records_and_slims_tombstones() {
    for lacked in LACKED {
        on_each_empty_database(async |store, engine, _| {
            let steps = Migrator::migrations().iter().position(|migration| migration.name() == lacked);
            let steps = u32::try_from(steps.expect("a migration")).expect("few");
            let schema = store.schema_of_test();
            Migrator::up(&schema, Some(steps)).await.expect("an earlier schema");
            schema.execute_unprepared(&left_behind(engine)).await.expect("rows");
            assert!(store.check().await.is_err(), "{engine}: migrations are missing");
            store.migrate().await.expect("the schema");
            store.check().await.expect("the schema of this program");
            let tx = store.across(false).await.expect("a transaction");
            let sql = "SELECT user_name, external_id, email, display_name, attributes FROM directory_users ORDER BY id";
            let records: Vec<Record> = tx.all(sql, []).await.expect("the records");
            assert_eq!(records.len(), 2, "{engine}: {records:?}");
            let (ann, bob) = (&records[0], &records[1]);
            assert_eq!((ann.user_name.as_str(), ann.email.as_deref()), ("ann@x.test", Some("ann@x.test")), "{engine}");
            assert_eq!(ann.attributes, json!({ "userName": "ann@x.test" }), "{engine}");
            assert_eq!((bob.user_name.as_str(), &bob.email, &bob.display_name), ("", &None, &None), "{engine}");
            assert_eq!(bob.attributes, json!({}), "{engine}");
            // SQLite has no digest: its earlier tombstones have no external id any more.
            assert_eq!(bob.external_id, (engine == "Postgres").then(|| digest_of("bob")), "{engine}");
            drop(tx);
            let scope = store.operator_scope("early").await.expect("a scope");
            assert_eq!(store.usage(&scope).await.expect("an answer").usage.records, 2, "{engine}");
            assert_eq!(store.sources(&scope).await.expect("an answer").len(), 1, "{engine}");
        });
    }
}

#[derive(Debug, FromQueryResult)]
struct Counted {
    name: String,
    rows: f32,
}

/// An index that is made on an empty table counts its rows again and finds none; then the planner reads whole tenants where it could
/// look one row up, until autovacuum comes a minute later. A migration with an index on one of these tables ends with migration 96
/// once more.
#[test]
fn a_new_database_has_statistics_that_no_later_index_took_away() {
    on_each_empty_database(async |store, engine, _| {
        store.migrate().await.expect("a schema");
        if engine == "SQLite" {
            return;
        }
        let sql = "SELECT relname::text AS name, reltuples AS rows FROM pg_class WHERE relnamespace = current_schema()::regnamespace \
                   AND relname IN ('directory_users', 'directory_groups', 'directory_memberships', 'members', 'sharing_groups', \
                   'sharing_group_members', 'runs', 'run_items')";
        let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql);
        let tables = Counted::find_by_statement(statement).all(&store.schema_of_test()).await.expect("the tables");
        assert_eq!(tables.len(), 8, "{tables:?}");
        let without: Vec<&str> =
            tables.iter().filter(|table| table.rows <= 0.0).map(|table| table.name.as_str()).collect();
        assert!(without.is_empty(), "without statistics: {without:?}");
    });
}
