//! Each entity has the columns that the migrations made, on both engines: names, types, and nullability.

use super::*;
use crate::directory::filter::tests::engines::on_each_engine;
use crate::engine::connect::Store;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Schema};
use std::collections::BTreeSet;

/// A column as the engine itself describes it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, FromQueryResult)]
struct Column {
    name: String,
    kind: String,
    nullable: bool,
    key: bool,
}

/// Tables that only set-based statements of the reconcile read and write, and that have no entity.
const SET_BASED: [&str; 2] = ["group_losses", "removal_counts"];
/// The words of members, which triggers keep.
const BY_TRIGGERS: [&str; 1] = ["member_words"];
/// Tables of a few statements, which no other joins.
const BY_TEXT: [&str; 9] = [
    "agent_buckets",
    "agent_keys",
    "agent_nonces",
    "agent_parts",
    "agent_records",
    "agent_states",
    "agent_uploads",
    "idempotent_requests",
    "tenant_days",
];

/// Migrations' tables, without sea-orm's own.
async fn tables(store: &Store) -> BTreeSet<String> {
    let sql = if store.is_postgres() {
        "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public'"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    };
    let rows = store.schema_of_test().query_all_raw(statement(store, sql)).await.expect("an answer");
    let names = rows.iter().map(|row| row.try_get::<String>("", "name").expect("a name"));
    names.filter(|name| name != "seaql_migrations").collect()
}

fn statement(store: &Store, sql: impl Into<String>) -> sea_orm::Statement {
    sea_orm::Statement::from_string(backend(store), sql)
}

fn backend(store: &Store) -> DbBackend {
    if store.is_postgres() { DbBackend::Postgres } else { DbBackend::Sqlite }
}

async fn columns(store: &Store, table: &str) -> Vec<Column> {
    let sql = if store.is_postgres() {
        format!(
            "SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS kind, NOT a.attnotnull AS nullable, \
             a.attnum = ANY(i.indkey) AS key FROM pg_attribute a JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
             WHERE a.attrelid = '{table}'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname"
        )
    } else {
        format!(
            "SELECT name, type AS kind, \"notnull\" = 0 AS nullable, pk > 0 AS key FROM pragma_table_info('{table}') ORDER BY name"
        )
    };
    let rows = store.schema_of_test().query_all_raw(statement(store, sql)).await.expect("an answer");
    rows.iter().map(|row| Column::from_query_result(row, "").expect("a column")).collect()
}

/// Makes the table again under another name, from the entity alone, and compares the engine's descriptions of the two.
async fn check<E: TenantEntity>(store: &Store, engine: &str) -> String {
    let table = E::default().table_name();
    let copy = format!("copy_of_{table}");
    let mut create = Schema::new(backend(store)).create_table_from_entity(E::default());
    create.table(copy.clone());
    store.schema_of_test().execute(&create).await.expect("a table");
    let (migrated, described) = (columns(store, table).await, columns(store, &copy).await);
    assert_eq!(described, migrated, "the entity of {table} and its migrations, on {engine}");
    store.schema_of_test().execute_raw(statement(store, format!("DROP TABLE {copy}"))).await.expect("dropped");
    table.to_owned()
}

#[test]
fn each_table_has_an_entity_with_its_columns() {
    on_each_engine(async |store, engine| {
        macro_rules! check_all {
            ($($table:ident)*) => { BTreeSet::from([$(check::<$table::Entity>(&store, engine).await),*]) };
        }
        let checked = check_all!(
            audit_events credentials dialect_counts directory_changes directory_groups directory_memberships
            directory_users disputes domains identities logged_requests logout_tokens members rejected_requests run_items runs sharing_group_members
            sharing_groups sign_in_connections sources tenant_leases tenants webhook_deliveries webhook_endpoints webhook_replays
        );
        let mut tables = tables(&store).await;
        for without_entity in SET_BASED.iter().chain(&BY_TRIGGERS).chain(&BY_TEXT) {
            assert!(tables.remove(*without_entity), "{without_entity} on {engine}");
        }
        // Tables of no tenant: operators, keys, secrets and floors of the whole database, agents that nobody let in yet, the relay of
        // events, and the counter of positions.
        let of_nobody = [
            "cache_key",
            "device_authorizations",
            "event_relays",
            "operator_keys",
            "operator_sessions",
            "operators",
            "schema_floor",
            "upkeep_turns",
        ];
        for of_nobody in of_nobody {
            assert!(tables.remove(of_nobody), "{of_nobody} on {engine}");
        }
        assert_eq!(tables.remove("list_positions"), engine == "SQLite");
        assert_eq!(checked, tables, "on {engine}");
    });
}
