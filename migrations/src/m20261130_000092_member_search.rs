//! Members are found by the words of their address and names (decision 0075). A member has the words in one text; triggers keep each
//! of them in `member_words`, whose key serves the search for the beginning of a word, so that no statement can forget it.

use crate::column::{index, text};
use crate::{SYSTEM_ROLE, TENANT_ROLE};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Until a member is written again, the engine's own lower case stands for the fold of the names, and words are cut at spaces alone.
const FILL: &str = "UPDATE members SET search_text = ' ' || replace(replace(email_folded || lower(coalesce(' ' || display_name, '') \
    || coalesce(' ' || given_name, '') || coalesce(' ' || family_name, '')), '\"', ' '), '\\', ' ')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let search_text = text("search_text").default("").to_owned();
        manager.alter_table(Table::alter().table("members").add_column(search_text).to_owned()).await?;
        let sql = match manager.get_database_backend() {
            DbBackend::Postgres => postgres(),
            _ => sqlite(),
        };
        manager.get_connection().execute_unprepared(&format!("{sql}; {FILL}")).await?;
        // The few who wait, in the order of the list.
        let waiting = index("members", "members_who_wait", &["waiting_for", "position", "id"])
            .and_where(Expr::col("waiting_for").is_not_null())
            .to_owned();
        manager.create_index(waiting).await?;
        // The few with authority, in the order of the list: SQLite has no statistics, and would read the list itself for them.
        let authority = Expr::col("role").ne("member").or(Expr::col("billing_contact").eq(true));
        let authority = index("members", "members_with_authority", &["position", "id"]).and_where(authority).to_owned();
        manager.create_index(authority).await
    }

    /// Nothing is taken back: SQLite cannot drop a column that a trigger names, and an older program works with all of this.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("the words of members stay; an older Rollcall works with them".to_owned()))
    }
}

/// One statement for each statement, however many rows it wrote.
fn postgres() -> String {
    let split = |row: &str| format!("unnest(string_to_array({row}.search_text, ' '))");
    let add = |rows: &str| {
        format!(
            "INSERT INTO member_words (tenant_id, word, member_id) SELECT DISTINCT n.tenant_id, left(w.word, 128), n.id \
             FROM {rows}, {} AS w(word) WHERE w.word <> '' ON CONFLICT DO NOTHING",
            split("n")
        )
    };
    let changed =
        "replaced o JOIN written n ON n.tenant_id = o.tenant_id AND n.id = o.id AND n.search_text <> o.search_text";
    let drop = format!(
        "DELETE FROM member_words d USING (SELECT o.tenant_id, left(w.word, 128) AS word, o.id FROM {changed}, {} AS w(word)) AS g \
         WHERE d.tenant_id = g.tenant_id AND d.word = g.word AND d.member_id = g.id",
        split("o")
    );
    let function = |name: &str, body: &str| {
        format!("CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body}; RETURN NULL; END$$;")
    };
    let trigger = |event: &str, referencing: &str, function: &str| {
        format!(
            "CREATE TRIGGER {function} AFTER {event} ON members REFERENCING {referencing} \
             FOR EACH STATEMENT EXECUTE FUNCTION {function}();"
        )
    };
    [
        // The order of bytes, whatever the database's collation is, so that a range is a prefix.
        "CREATE TABLE member_words (tenant_id uuid NOT NULL, word text COLLATE \"C\" NOT NULL, member_id uuid NOT NULL, \
         PRIMARY KEY (tenant_id, word, member_id));
         ALTER TABLE member_words ALTER COLUMN tenant_id SET (n_distinct = 4);"
            .to_owned(),
        protected("member_words"),
        function("member_words_added", &add("written n")),
        function("member_words_changed", &format!("{drop}; {}", add(changed))),
        trigger("INSERT", "NEW TABLE AS written", "member_words_added"),
        trigger("UPDATE", "OLD TABLE AS replaced NEW TABLE AS written", "member_words_changed"),
    ]
    .concat()
        + "ANALYZE member_words"
}

/// Row-level security. A tenant's role keeps the words of its own members, and changes none.
fn protected(table: &str) -> String {
    let own = "tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid";
    format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
         CREATE POLICY own_tenant ON {table} TO {TENANT_ROLE} USING ({own}) WITH CHECK ({own});
         CREATE POLICY all_tenants ON {table} TO {SYSTEM_ROLE} USING (true) WITH CHECK (true);
         GRANT SELECT, INSERT, DELETE ON {table} TO {TENANT_ROLE}; GRANT SELECT ON {table} TO {SYSTEM_ROLE};"
    )
}

/// One statement for each row: the engine has no triggers for statements. No word holds a quote, so the text splits as JSON.
fn sqlite() -> String {
    let words = |row: &str| format!("json_each('[\"' || replace(trim({row}.search_text), ' ', '\",\"') || '\"]') AS w");
    let drop = format!(
        "DELETE FROM member_words WHERE tenant_id = OLD.tenant_id AND member_id = OLD.id \
         AND word IN (SELECT substr(w.value, 1, 128) FROM {});",
        words("OLD")
    );
    let add = format!(
        "INSERT OR IGNORE INTO member_words (tenant_id, word, member_id) SELECT NEW.tenant_id, substr(w.value, 1, 128), NEW.id \
         FROM {} WHERE w.value <> '';",
        words("NEW")
    );
    format!(
        "CREATE TABLE member_words (tenant_id blob NOT NULL, word text NOT NULL, member_id blob NOT NULL, \
         PRIMARY KEY (tenant_id, word, member_id)) WITHOUT ROWID;
         CREATE TRIGGER members_words_added AFTER INSERT ON members BEGIN {add} END;
         CREATE TRIGGER members_words_changed AFTER UPDATE OF search_text ON members \
         WHEN NEW.search_text <> OLD.search_text BEGIN {drop} {add} END"
    )
}
