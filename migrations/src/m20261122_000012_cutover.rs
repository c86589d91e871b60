//! Cut-over from one source to another (docs/design.md#the-idea): the open simulated run of a candidate source is found
//! by its source, and its items by member; a source can be detached with its people (PE7).

use crate::column::{flag, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let people_leave = Table::alter().table("sources").add_column(flag("people_leave")).to_owned();
        manager.alter_table(people_leave).await?;
        restart_simulations(manager).await?;
        // Planned rewinds are excluded, because a source may have any number of them.
        let planned = Expr::col("state").eq("planned").and(Expr::col("rewinds").is_null());
        let by_source = index("runs", "runs_planned", &["source_id"]).unique().and_where(planned).to_owned();
        manager.create_index(by_source).await?;
        let simulated = Expr::col("decision").eq("simulated");
        let by_object =
            index("run_items", "run_items_simulated", &["run_id", "object_id"]).and_where(simulated).to_owned();
        manager.create_index(by_object).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["run_items_simulated", "runs_planned"] {
            manager.drop_index(Index::drop().name(name).to_owned()).await?;
        }
        manager.alter_table(Table::alter().table("sources").drop_column("people_leave").to_owned()).await
    }
}

/// Earlier, each reconcile of a simulated source made a run of its own. Those runs are closed, and the sources are
/// planned again, into one run each.
async fn restart_simulations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    db.execute_unprepared("UPDATE runs SET state = 'withdrawn' WHERE state = 'planned' AND rewinds IS NULL").await?;
    let (id, now) = match manager.get_database_backend() {
        DbBackend::Postgres => ("gen_random_uuid()", "now()"),
        _ => ("randomblob(16)", "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')"),
    };
    for (table, column) in [("directory_users", "user_id"), ("directory_groups", "group_id")] {
        let sql = format!(
            "INSERT INTO directory_changes (tenant_id, id, lane, source_id, {column}, created_at) \
             SELECT d.tenant_id, {id}, 1, d.source_id, d.id, {now} FROM {table} d \
             JOIN sources s ON s.tenant_id = d.tenant_id AND s.id = d.source_id WHERE s.mode = 'simulate'"
        );
        db.execute_unprepared(&sql).await?;
    }
    Ok(())
}
