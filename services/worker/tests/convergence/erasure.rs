//! Traces that a deleted person leaves in the database (S6): every table is searched, so that a new one is a
//! decision.

use crate::desk::{Desk, attributes};
use crate::engine;
use rollcall_core::policy::{OnDeleted, Onboarding, Policy};
use rollcall_store::Store;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::json;
use std::collections::BTreeSet;

/// Part of the names, addresses and other attributes of the person.
const MARK: &str = "zzyx";

async fn texts(database: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.expect("an answer");
    rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
}

/// The tables with a row that has the mark anywhere.
async fn tables_that_know(url: &str) -> BTreeSet<String> {
    let database = Database::connect(url).await.expect("a database");
    let is_postgres = database.get_database_backend() == DbBackend::Postgres;
    let tables = match is_postgres {
        true => "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()",
        false => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    let mut knowing = BTreeSet::new();
    for table in texts(&database, tables).await {
        let has_mark = if is_postgres {
            format!("lower(CAST(r AS text)) LIKE '%{MARK}%'")
        } else {
            // Column by column: an id is a blob, and a text ends at its first zero.
            let columns = texts(&database, &format!("SELECT name FROM pragma_table_info('{table}')")).await;
            let columns = columns.iter().map(|column| format!("lower(CAST(\"{column}\" AS text)) LIKE '%{MARK}%'"));
            columns.collect::<Vec<_>>().join(" OR ")
        };
        let sql = format!("SELECT 'found' FROM {table} AS r WHERE {has_mark} LIMIT 1");
        if !texts(&database, &sql).await.is_empty() {
            knowing.insert(table);
        }
    }
    database.close().await.expect("an end");
    knowing
}

#[test]
fn s6_a_deleted_person_is_known_where_the_page_on_security_says() {
    engine::on_each_database(async |store: Store, engine, url| {
        let policy = Policy { onboarding: Onboarding::Federated, on_deleted: OnDeleted::Remove, ..Policy::default() };
        let desk = Desk::open(&store, "erasure", policy).await;
        let user = desk.hire(MARK).await;
        let title = json!({
            "title": format!("{MARK} of the house"), "displayName": "Zzyx Doe", "name": { "familyName": "Zzyxson" },
            "emails": [{ "value": format!("{MARK}@x.test") }, { "value": format!("{MARK}@home.test") }],
        });
        desk.set(user, title).await;
        desk.group("Crew", &[user]).await;
        desk.work().await;
        let known = tables_that_know(url).await;
        assert!(known.contains("directory_users") && known.contains("members"), "{engine}: {known:?}");
        // A second person with the same address is a dispute, which must not keep it either.
        let same = json!({ "userName": "other", "active": true, "emails": [{ "value": format!("{MARK}@x.test") }] });
        let other = desk.record(attributes(same)).await;
        desk.work().await;
        desk.fire(user).await;
        desk.fire(other).await;
        desk.work().await;
        let left = desk.members().await;
        assert!(left.iter().all(|member| member.status == "removed" || !member.email.contains(MARK)), "{left:?}");
        let known: Vec<String> = tables_that_know(url).await.into_iter().collect();
        assert_eq!(known, ["audit_events", "member_words", "members", "run_items"], "{engine}");
    });
}
