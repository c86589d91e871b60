//! The place of a row in its list is given in commit order (decision 0054), so a reader who goes on from a cursor misses no row.
//!
//! On Postgres `list_position()` is the number of the writing transaction, and `list_end()` the number of the oldest one that is
//! still open: rows below it are complete. Both are inlined, so they cost no call. On SQLite, which has one writer at a time, each
//! write transaction raises the counter `list_positions`. Statements take the position from there; in the tables that are not written
//! for each request, a trigger gives it to a row that is inserted without one.

use crate::column::{
    index, int, json_null, table, text, text_null, time, time_null, to_row, to_tenant, uuid, uuid_null,
};
use crate::{SYSTEM_ROLE, TENANT_ROLE};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;
use sea_orm_migration::sea_query::{IndexCreateStatement, TableCreateStatement};

/// Tables that get the column. The other listed ones, which SQLite makes anew, are in [`made_anew`].
const ALTERED: [&str; 7] =
    ["members", "sharing_groups", "runs", "disputes", "rejected_requests", "sources", "credentials"];
const MADE_ANEW: [&str; 3] = ["audit_events", "logged_requests", "sharing_group_members"];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        match manager.get_database_backend() {
            DbBackend::Postgres => db.execute_unprepared(&postgres()).await.map(drop)?,
            _ => sqlite(manager).await?,
        }
        for name in [
            "audit_events_subject",
            "logged_requests_source",
            "logged_requests_subject",
            "sharing_group_members_member",
        ] {
            db.execute_unprepared(&format!("DROP INDEX IF EXISTS {name}")).await?;
        }
        for name in ["rejected_requests_source", "members_status", "members_by_email"] {
            db.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    /// Nothing is taken back: SQLite cannot drop a column that an index names, and an older program works with all of this.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("the positions of lists stay; an older Rollcall works with them".to_owned()))
    }
}

fn indexes() -> Vec<IndexCreateStatement> {
    let of_somebody = Expr::col("subject_id").is_not_null();
    vec![
        index("audit_events", "audit_events_subject", &["subject_id", "position", "id"]),
        index("logged_requests", "logged_requests_source", &["source_id", "position", "id"]),
        index("logged_requests", "logged_requests_subject", &["subject_id", "position", "id"])
            .and_where(of_somebody)
            .to_owned(),
        index("rejected_requests", "rejected_requests_source", &["source_id", "position", "id"]),
        // The primary key finds the groups of a member, and one membership.
        index("sharing_group_members", "sharing_group_members_list", &["group_id", "position", "member_id"]),
        index("members", "members_list", &["position", "id"]),
        // With the order of the list, or SQLite, which has no statistics, would look for an address in the list itself.
        index("members", "members_by_email", &["email_folded", "position", "id"]),
        index("members", "members_status", &["status", "position", "id"]),
        index("sharing_groups", "sharing_groups_list", &["position", "id"]),
        index("runs", "runs_list", &["position", "id"]),
        index("disputes", "disputes_list", &["position", "subject_id"]),
    ]
}

/// Rows that exist keep position 0, and their order by id: numbering them would write every one of them.
fn postgres() -> String {
    // A function is inlined only for a role that may call it.
    let function = |name: &str, number: &str| {
        format!(
            "CREATE FUNCTION {name}() RETURNS bigint LANGUAGE sql STABLE AS $$SELECT CAST(CAST({number} AS text) AS bigint) + 0$$;
             GRANT EXECUTE ON FUNCTION {name}() TO {TENANT_ROLE}, {SYSTEM_ROLE};"
        )
    };
    let mut sql = function("list_position", "pg_current_xact_id()");
    sql += &function("list_end", "pg_snapshot_xmin(pg_current_snapshot())");
    for table in ALTERED.iter().chain(&MADE_ANEW) {
        // Two steps: a constant default adds the column without writing the rows.
        sql += &format!(
            "ALTER TABLE {table} ADD COLUMN position bigint NOT NULL DEFAULT 0;
             ALTER TABLE {table} ALTER COLUMN position SET DEFAULT list_position();"
        );
    }
    for table in ["audit_events", "logged_requests"] {
        sql += &primary_key(table, "position, id");
    }
    sql += &primary_key("sharing_group_members", "member_id, group_id");
    sql + "ALTER TABLE sharing_group_members ADD COLUMN joined_at timestamptz"
}

fn primary_key(table: &str, columns: &str) -> String {
    format!("ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD PRIMARY KEY (tenant_id, {columns});")
}

async fn sqlite(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    for name in ALTERED {
        // The rows of a table are numbered in the order of their commits, and no two writers write at once.
        let sql = format!(
            "ALTER TABLE {name} ADD COLUMN position INTEGER NOT NULL DEFAULT 0; UPDATE {name} SET position = rowid"
        );
        db.execute_unprepared(&sql).await?;
    }
    for (name, mut new) in MADE_ANEW.into_iter().zip(made_anew()) {
        let old = format!("old_{name}");
        db.execute_unprepared(&format!("ALTER TABLE {name} RENAME TO {old}")).await?;
        manager.create_table(new.take()).await?;
        let columns: Vec<String> = column_names(manager, &old).await?;
        let columns = columns.join(", ");
        let sql =
            format!("INSERT INTO {name} ({columns}, position) SELECT {columns}, rowid FROM {old}; DROP TABLE {old}");
        db.execute_unprepared(&sql).await?;
    }
    // It went with the old table.
    let by_age = Index::create().name("logged_requests_age").table("logged_requests").col("at").to_owned();
    manager.create_index(by_age).await?;
    let counter = table("list_positions")
        .col(ColumnDef::new("id").integer().not_null().primary_key().check(Expr::col("id").eq(1)))
        .col(int("position"))
        .to_owned();
    manager.create_table(counter).await?;
    let last = ALTERED.iter().chain(&MADE_ANEW).map(|name| format!("SELECT max(position) AS position FROM {name}"));
    let last = last.collect::<Vec<_>>().join(" UNION ALL ");
    db.execute_unprepared(&format!(
        "INSERT INTO list_positions SELECT 1, coalesce(max(position), 0) + 1 FROM ({last})"
    ))
    .await?;
    // The tables that are made anew have no default, so a statement without a position fails.
    for name in ALTERED {
        let sql = format!(
            "CREATE TRIGGER {name}_position AFTER INSERT ON {name} WHEN NEW.position = 0 BEGIN
               UPDATE {name} SET position = (SELECT position FROM list_positions) WHERE rowid = NEW.rowid;
             END"
        );
        db.execute_unprepared(&sql).await?;
    }
    Ok(())
}

async fn column_names(manager: &SchemaManager<'_>, table: &str) -> Result<Vec<String>, DbErr> {
    let sql = format!("SELECT name FROM pragma_table_info('{table}')");
    let sql = sea_orm_migration::sea_orm::Statement::from_string(DbBackend::Sqlite, sql);
    let rows = manager.get_connection().query_all_raw(sql).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

fn position() -> ColumnDef {
    ColumnDef::new("position").big_integer().not_null().to_owned()
}

/// The tables of which the primary key changes, in the order of [`MADE_ANEW`].
fn made_anew() -> [TableCreateStatement; 3] {
    let events = table("audit_events")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(time("at"))
        .col(text("kind"))
        .col(text("actor"))
        .col(text("subject_kind"))
        .col(uuid("subject_id"))
        .col(uuid_null("request_id"))
        .col(uuid_null("run_id"))
        .col(json_null("detail"))
        .col(position())
        .primary_key(Index::create().col("tenant_id").col("position").col("id"))
        .foreign_key(&mut to_tenant())
        .to_owned();
    let lines = table("logged_requests")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(time("at"))
        .col(uuid("source_id"))
        .col(uuid_null("subject_id"))
        .col(uuid_null("request_id"))
        .col(text("method"))
        .col(text("path"))
        .col(int("status"))
        .col(text_null("scim_type"))
        .col(position())
        .primary_key(Index::create().col("tenant_id").col("position").col("id"))
        .foreign_key(&mut to_row("source_id", "sources"))
        .to_owned();
    let group_members = table("sharing_group_members")
        .col(uuid("tenant_id"))
        .col(uuid("group_id"))
        .col(uuid("member_id"))
        .col(position())
        .col(time_null("joined_at"))
        .primary_key(Index::create().col("tenant_id").col("member_id").col("group_id"))
        .foreign_key(&mut to_row("group_id", "sharing_groups"))
        .foreign_key(&mut to_row("member_id", "members"))
        .to_owned();
    [events, lines, group_members]
}
