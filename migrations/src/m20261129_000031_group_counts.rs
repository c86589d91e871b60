//! The sizes of a sharing group are kept in its row (decision 0056), so that a page of groups costs the same however large they
//! are. `members_count` leaves out the removed, `entitled_count` also the suspended and the waiting. Triggers keep both, so that no
//! statement can forget them. Only the holder of the tenant's lease changes what they count.

use crate::SYSTEM_ROLE;
use crate::column::int;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// A member counts as one of the group.
const COUNTS: &str = "status <> 'removed'";
/// A member has access, or has it once the invitation is accepted.
const ENTITLED: &str = "status IN ('invited', 'active')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [int("members_count"), int("entitled_count")] {
            manager.alter_table(Table::alter().table("sharing_groups").add_column(column).to_owned()).await?;
        }
        let count = |what: &str| {
            format!(
                "(SELECT count(*) FROM sharing_group_members gm JOIN members m ON m.tenant_id = gm.tenant_id \
                 AND m.id = gm.member_id AND m.{what} \
                 WHERE gm.tenant_id = sharing_groups.tenant_id AND gm.group_id = sharing_groups.id)"
            )
        };
        let fill = format!(
            "UPDATE sharing_groups SET members_count = {}, entitled_count = {}",
            count(COUNTS),
            count(ENTITLED)
        );
        let sql = match manager.get_database_backend() {
            DbBackend::Postgres => format!("SET LOCAL ROLE {SYSTEM_ROLE}; {fill}; RESET ROLE; {}", postgres()),
            _ => format!("{fill}; {}", sqlite()),
        };
        manager.get_connection().execute_unprepared(&sql).await.map(drop)
    }

    /// Nothing is taken back: an older program works with the counts and does not read them.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("the counts of groups stay; an older Rollcall works with them".to_owned()))
    }
}

/// One update for each statement, however many rows it wrote.
fn postgres() -> String {
    let change = "UPDATE sharing_groups g SET members_count = g.members_count + c.members, \
                  entitled_count = g.entitled_count + c.entitled FROM";
    let of_group = "AS c WHERE g.tenant_id = c.tenant_id AND g.id = c.group_id";
    let function = |name: &str, body: &str| {
        format!("CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body}; RETURN NULL; END$$;")
    };
    let moved = |sign: &str| {
        format!(
            "{change} (SELECT w.tenant_id, w.group_id, {sign} count(*) FILTER (WHERE m.{COUNTS}) AS members, \
             {sign} count(*) FILTER (WHERE m.{ENTITLED}) AS entitled FROM written w \
             JOIN members m ON m.tenant_id = w.tenant_id AND m.id = w.member_id GROUP BY w.tenant_id, w.group_id) {of_group}"
        )
    };
    let difference = |what: &str| format!("sum((n.{what})::int - (o.{what})::int)");
    let changed = format!(
        "{change} (SELECT gm.tenant_id, gm.group_id, {} AS members, {} AS entitled FROM replaced o \
         JOIN written n ON n.tenant_id = o.tenant_id AND n.id = o.id AND n.status <> o.status \
         AND ((n.{COUNTS}) <> (o.{COUNTS}) OR (n.{ENTITLED}) <> (o.{ENTITLED})) \
         JOIN sharing_group_members gm ON gm.tenant_id = n.tenant_id AND gm.member_id = n.id \
         GROUP BY gm.tenant_id, gm.group_id) {of_group}",
        difference(COUNTS),
        difference(ENTITLED),
    );
    let trigger = |table: &str, event: &str, referencing: &str, function: &str| {
        format!(
            "CREATE TRIGGER {function} AFTER {event} ON {table} REFERENCING {referencing} \
             FOR EACH STATEMENT EXECUTE FUNCTION {function}();"
        )
    };
    [
        function("count_joined", &moved("")),
        function("count_left", &moved("-")),
        function("count_changed", &changed),
        trigger("sharing_group_members", "INSERT", "NEW TABLE AS written", "count_joined"),
        trigger("sharing_group_members", "DELETE", "OLD TABLE AS written", "count_left"),
        trigger("members", "UPDATE", "OLD TABLE AS replaced NEW TABLE AS written", "count_changed"),
    ]
    .concat()
}

/// One update for each row: the engine has no triggers for statements.
fn sqlite() -> String {
    let of_member = |what: &str, row: &str| {
        format!("coalesce((SELECT {what} FROM members WHERE tenant_id = {row}.tenant_id AND id = {row}.member_id), 0)")
    };
    let moved = |event: &str, sign: &str, row: &str| {
        format!(
            "CREATE TRIGGER sharing_group_members_{event}_counted AFTER {event} ON sharing_group_members BEGIN
               UPDATE sharing_groups SET members_count = members_count {sign} {},
                 entitled_count = entitled_count {sign} {} WHERE tenant_id = {row}.tenant_id AND id = {row}.group_id;
             END;",
            of_member(COUNTS, row),
            of_member(ENTITLED, row)
        )
    };
    let difference = |what: &str| format!("(NEW.{what}) - (OLD.{what})");
    let changed = format!(
        "CREATE TRIGGER members_status_counted AFTER UPDATE OF status ON members
         WHEN {members} <> 0 OR {entitled} <> 0 BEGIN
           UPDATE sharing_groups SET members_count = members_count + {members}, entitled_count = entitled_count + {entitled}
             WHERE tenant_id = NEW.tenant_id AND id IN (SELECT gm.group_id FROM sharing_group_members gm
               WHERE gm.tenant_id = NEW.tenant_id AND gm.member_id = NEW.id);
         END",
        members = difference(COUNTS),
        entitled = difference(ENTITLED),
    );
    moved("INSERT", "+", "NEW") + &moved("DELETE", "-", "OLD") + &changed
}
