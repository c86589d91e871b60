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
        manager.get_connection().execute_unprepared(&sql).await?;
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

/// New members are many at once, so their words are one statement. The words of a text that Rollcall writes are distinct and short, so
/// that neither a sort nor a check for conflicts is needed. Few members change their words, and the condition of the trigger keeps
/// every other update of a member from paying for it.
fn postgres() -> String {
    let words =
        |text: &str| format!("SELECT left(w.word, 128) AS word FROM unnest(string_to_array({text}, ' ')) AS w(word)");
    let gone = format!("{} EXCEPT {}", words("OLD.search_text"), words("NEW.search_text"));
    let new = format!("{} EXCEPT {}", words("NEW.search_text"), words("OLD.search_text"));
    let add = "INSERT INTO member_words (tenant_id, word, member_id)";
    let function = |name: &str, body: &str| {
        format!("CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body}; RETURN NULL; END$$;")
    };
    [
        // The order of bytes, whatever the database's collation is, so that a range is a prefix.
        "CREATE TABLE member_words (tenant_id uuid NOT NULL, word text COLLATE \"C\" NOT NULL, member_id uuid NOT NULL, \
         PRIMARY KEY (tenant_id, word, member_id));
         ALTER TABLE member_words ALTER COLUMN tenant_id SET (n_distinct = 4);"
            .to_owned(),
        // The words are filled before there is a trigger: the engine's texts may hold a word twice.
        format!("{FILL}; {add} SELECT DISTINCT m.tenant_id, g.word, m.id FROM members m, LATERAL ({}) AS g WHERE g.word <> '';",
            words("m.search_text")),
        protected("member_words"),
        function(
            "member_words_added",
            &format!("{add} SELECT n.tenant_id, w.word, n.id FROM written n, unnest(string_to_array(n.search_text, ' ')) AS w(word) \
                WHERE w.word <> ''"),
        ),
        function(
            "member_words_changed",
            &format!(
                "DELETE FROM member_words d USING ({gone}) AS g \
                 WHERE d.tenant_id = OLD.tenant_id AND d.word = g.word AND d.member_id = OLD.id; \
                 {add} SELECT NEW.tenant_id, g.word, NEW.id FROM ({new}) AS g WHERE g.word <> ''"
            ),
        ),
        "CREATE TRIGGER member_words_added AFTER INSERT ON members REFERENCING NEW TABLE AS written \
         FOR EACH STATEMENT EXECUTE FUNCTION member_words_added(); \
         CREATE TRIGGER member_words_changed AFTER UPDATE OF search_text ON members \
         FOR EACH ROW WHEN (OLD.search_text <> NEW.search_text) EXECUTE FUNCTION member_words_changed(); \
         ANALYZE member_words"
            .to_owned(),
    ]
    .concat()
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
         WHEN NEW.search_text <> OLD.search_text BEGIN {drop} {add} END; \
         {FILL}"
    )
}
