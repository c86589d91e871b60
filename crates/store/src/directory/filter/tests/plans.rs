//! Look-ups that identity providers make for every user use an index: on SQLite, whose planner goes by the shape of a
//! statement, and on a Postgres that was never analysed. Plans for a large tenant are in docs/queries.md.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rollcall_scim::ResourceKind;
use sea_orm::{DbErr, FromQueryResult, QueryResult};
use uuid::Uuid;

use super::engines::on_each_engine;
use super::world::{BASE, World};
use super::{Target, parse};
use crate::engine::engine_kind::EngineKind;

struct Step {
    detail: String,
}

impl FromQueryResult for Step {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let detail = row.try_get(prefix, "detail").or_else(|_| row.try_get(prefix, "QUERY PLAN"))?;
        Ok(Self { detail })
    }
}

#[test]
fn lookups_of_identity_providers_use_an_index() {
    on_each_engine(async |store, engine| {
        let world = World::random(store, engine, &mut StdRng::seed_from_u64(3)).await;
        let some_id = Uuid::nil();
        for (kind, text, indexes) in [
            (ResourceKind::User, r#"userName eq "a""#.to_owned(), &["directory_users_user_name"][..]),
            (ResourceKind::User, r#"externalId eq "a""#.to_owned(), &["directory_users_external_id"]),
            (ResourceKind::User, r#"emails eq "a""#.to_owned(), EMAILS),
            (ResourceKind::User, r#"emails[type eq "work"].value eq "a""#.to_owned(), EMAILS),
            (ResourceKind::User, r#"userName eq "a" or emails eq "b""#.to_owned(), &[]),
            (ResourceKind::User, format!(r#"id eq "{some_id}""#), &["(tenant_id=? AND id=?)"]),
            (ResourceKind::User, format!(r#"groups eq "{some_id}""#), &["(tenant_id=? AND group_id=?)"]),
            (ResourceKind::Group, r#"displayName eq "a""#.to_owned(), &["directory_groups_name"]),
            (ResourceKind::Group, r#"externalId eq "a""#.to_owned(), &["directory_groups_external_id"]),
            (ResourceKind::Group, format!(r#"members eq "{some_id}""#), &["directory_memberships_user"]),
            (
                ResourceKind::Group,
                format!(r#"id eq "{some_id}" and members eq "{some_id}""#),
                &["(tenant_id=? AND id=?)", "directory_memberships_user"],
            ),
        ] {
            let plan = plan(&world, kind, &text).await;
            // Postgres names the use of a primary key differently, and scans a table this small in any way.
            for index in indexes.iter().filter(|index| engine == "SQLite" || index.starts_with("directory_users")) {
                assert!(plan.contains(index), "{engine}: {text}\n{plan}");
            }
            assert!(!plan.contains("SCAN u") && !plan.contains("SCAN g"), "{text}\n{plan}");
        }
    });
}

const EMAILS: &[&str] = &["directory_users_email", "directory_users_second_email", "directory_users_more_emails"];

/// The plan of a page, with the statement of `list.rs`.
async fn plan(world: &World, kind: ResourceKind, text: &str) -> String {
    let (table, alias) = match kind {
        ResourceKind::User => ("directory_users", "u"),
        ResourceKind::Group => ("directory_groups", "g"),
    };
    let filter = parse(kind, text).expect(text);
    let tx = world.store.read(&world.scope.scope).await.expect("a transaction");
    let mut values = vec![tx.tenant.0.into(), world.scope.source().0.into()];
    let (engine, explain, by_id) = match world.engine {
        "SQLite" => (EngineKind::Sqlite, "EXPLAIN QUERY PLAN", "+"),
        _ => (EngineKind::Postgres, "EXPLAIN", ""),
    };
    let condition = Target { kind, engine, alias, base: BASE }.condition(&filter, &mut values);
    let condition = condition.numbered();
    let sql = format!(
        "{explain} SELECT {alias}.id FROM {table} {alias} WHERE {alias}.tenant_id = $1 AND {alias}.source_id = $2 \
         AND {alias}.deleted_at IS NULL AND {condition} ORDER BY {by_id}{alias}.id LIMIT 100"
    );
    let steps: Vec<Step> = tx.tx.all(&sql, values).await.expect(&sql);
    steps.into_iter().map(|step| step.detail + "\n").collect()
}
