//! Triggers on members that cost less.
//!
//! The address of a member is no row of `member_words` any more: its index finds the beginnings of addresses too (decision 0075).
//!
//! The counts of groups (migration 31) compared each old row with each new one of a statement, because the plan that PL/pgSQL keeps is
//! made for the first statement, of one row: 300 suspensions in one statement cost 37 ms. They are summed by member now, which is
//! one pass whatever the plan.

use crate::m20261122_000023_first_statistics::analyse;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if manager.get_database_backend() != DbBackend::Postgres {
            db.execute_unprepared(&sqlite()).await?;
            return Ok(());
        }
        db.execute_unprepared(&postgres()).await?;
        // A new index counts no rows (migration 23).
        analyse(manager, None).await
    }

    /// Nothing is taken back: an older Rollcall works with all of this, and finds members by their names alone until it is replaced.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("the words of members stay; an older Rollcall works with them".to_owned()))
    }
}

/// Rows of addresses that exist are dropped when their members change: the search finds a member once, whatever names it.
fn postgres() -> String {
    let words = |row: &str| {
        format!("SELECT left(w.word, 128) AS word FROM unnest(string_to_array({row}.search_text, ' ')) AS w(word)")
    };
    let gone = format!("{} EXCEPT {}", words("OLD"), words("NEW"));
    let new = format!("{} EXCEPT {}", words("NEW"), words("OLD"));
    let add = "INSERT INTO member_words (tenant_id, word, member_id)";
    let function = |name: &str, body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body}; RETURN NULL; END$$;"
        )
    };
    let counted = |sign: &str, rows: &str| {
        format!(
            "SELECT tenant_id, id, {sign}(status <> 'removed')::int AS members, \
             {sign}(status IN ('invited', 'active'))::int AS entitled FROM {rows}"
        )
    };
    let counts = format!(
        "UPDATE sharing_groups g SET members_count = g.members_count + c.members, entitled_count = g.entitled_count + c.entitled FROM \
         (SELECT gm.tenant_id, gm.group_id, sum(m.members) AS members, sum(m.entitled) AS entitled FROM \
         (SELECT tenant_id, id, sum(members) AS members, sum(entitled) AS entitled FROM ({} UNION ALL {}) AS changes \
         GROUP BY tenant_id, id HAVING sum(members) <> 0 OR sum(entitled) <> 0) AS m \
         JOIN sharing_group_members gm ON gm.tenant_id = m.tenant_id AND gm.member_id = m.id \
         GROUP BY gm.tenant_id, gm.group_id) AS c WHERE g.tenant_id = c.tenant_id AND g.id = c.group_id",
        counted("-", "replaced"),
        counted("", "written"),
    );
    [
        // In the order of bytes, whatever the database's collation is, so that a range is a prefix.
        "DROP INDEX members_by_email; \
         CREATE INDEX members_by_email ON members (tenant_id, email_folded text_pattern_ops, position, id);"
            .to_owned(),
        function("count_changed", &counts),
        function(
            "member_words_added",
            &format!("{add} SELECT n.tenant_id, w.word, n.id FROM written n, unnest(string_to_array(n.search_text, ' ')) AS w(word) \
                WHERE w.word <> '' AND w.word <> n.email_folded"),
        ),
        function(
            "member_words_changed",
            &format!(
                "DELETE FROM member_words d USING ({gone}) AS g \
                 WHERE d.tenant_id = OLD.tenant_id AND d.word = g.word AND d.member_id = OLD.id; \
                 {add} SELECT NEW.tenant_id, g.word, NEW.id FROM ({new}) AS g WHERE g.word <> '' AND g.word <> NEW.email_folded"
            ),
        ),
    ]
    .concat()
}

fn sqlite() -> String {
    let words = |row: &str| format!("json_each('[\"' || replace(trim({row}.search_text), ' ', '\",\"') || '\"]') AS w");
    let drop = format!(
        "DELETE FROM member_words WHERE tenant_id = OLD.tenant_id AND member_id = OLD.id \
         AND word IN (SELECT substr(w.value, 1, 128) FROM {});",
        words("OLD")
    );
    let add = format!(
        "INSERT OR IGNORE INTO member_words (tenant_id, word, member_id) SELECT NEW.tenant_id, substr(w.value, 1, 128), NEW.id \
         FROM {} WHERE w.value <> '' AND w.value <> NEW.email_folded;",
        words("NEW")
    );
    format!(
        "DROP TRIGGER members_words_added; DROP TRIGGER members_words_changed;
         CREATE TRIGGER members_words_added AFTER INSERT ON members BEGIN {add} END;
         CREATE TRIGGER members_words_changed AFTER UPDATE OF search_text ON members \
         WHEN NEW.search_text <> OLD.search_text BEGIN {drop} {add} END;"
    )
}
