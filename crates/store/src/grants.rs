//! Compares what each role may do in a migrated database with the list in the repository, `migrations/grants.txt`, so that a new
//! table or a new right is a decision. `ROLLCALL_WRITE_DOCS=1` writes the list.

use crate::directory::filter::tests::engines::on_each_engine;
use crate::engine::error::StoreError;
use crate::scope::TenantScope;
use rollcall_core::event::Actor;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use std::path::Path;

/// Rights on tables and columns, then row-level security, then policies, one line each.
const RIGHTS: &str = "SELECT format('%s %s: %s', c.relname, r.rolname, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)) \
    AS line FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee \
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v', 'm', 'S') AND r.oid <> c.relowner \
    GROUP BY c.relname, r.rolname \
    UNION ALL SELECT format('%s %s: %s of %s', c.relname, r.rolname, a.privilege_type, \
      string_agg(t.attname, ', ' ORDER BY t.attname)) FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid \
    CROSS JOIN LATERAL aclexplode(t.attacl) a JOIN pg_roles r ON r.oid = a.grantee \
    WHERE c.relnamespace = current_schema()::regnamespace GROUP BY c.relname, r.rolname, a.privilege_type \
    UNION ALL SELECT format('%s: row-level security %s', c.relname, CASE WHEN c.relforcerowsecurity THEN 'forced' \
      WHEN c.relrowsecurity THEN 'on' ELSE 'off' END) FROM pg_class c \
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' \
    UNION ALL SELECT format('%s: policy %s to %s using %s check %s', p.tablename, p.policyname, array_to_string(p.roles, ', '), \
      p.qual, coalesce(p.with_check, '-')) FROM pg_policies p WHERE p.schemaname = current_schema()";

#[test]
fn s7_roles_may_do_what_the_list_says_and_nothing_else() {
    on_each_engine(async |store, engine| {
        if engine == "SQLite" {
            return;
        }
        let statement = Statement::from_string(DbBackend::Postgres, RIGHTS);
        let rows = store.schema_of_test().query_all_raw(statement).await.expect("an answer");
        let line = |row: &sea_orm::QueryResult| row.try_get::<String>("", "line").expect("a line");
        let mut found: Vec<String> = rows.iter().map(line).collect();
        found.sort();
        let found = format!("{}\n", found.join("\n"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/grants.txt");
        if std::env::var_os("ROLLCALL_WRITE_DOCS").is_some() {
            std::fs::write(&path, &found).expect("the list is written");
        }
        let listed = std::fs::read_to_string(&path).expect("the list");
        let differs = |one: &str, other: &str| -> Vec<String> {
            one.lines().filter(|line| other.lines().all(|listed| listed != *line)).map(str::to_owned).collect()
        };
        let (new, gone) = (differs(&found, &listed), differs(&listed, &found));
        assert!(new.is_empty() && gone.is_empty(), "not in migrations/grants.txt: {new:#?}\nonly there: {gone:#?}");
        let protected = |line: &str| line.ends_with(": row-level security forced");
        let open = |line: &str| line.ends_with(": row-level security off");
        let (forced, open): (Vec<&str>, Vec<&str>) =
            (found.lines().filter(|line| protected(line)).collect(), found.lines().filter(|line| open(line)).collect());
        assert!(forced.len() >= 21, "{forced:?}");
        assert_eq!(open, ["schema_floor: row-level security off", "seaql_migrations: row-level security off"]);
    });
}

/// These were possible before, as the role of a tenant within its own rows.
#[test]
fn s7_the_tenants_role_rewrites_no_history_and_buys_no_seats() {
    on_each_engine(async |store, engine| {
        if engine == "SQLite" {
            return;
        }
        let source = crate::directory::filter::tests::engines::new_source(&store).await;
        let scope = TenantScope::new(source.tenant(), Actor::System);
        for sql in [
            "DELETE FROM audit_events",
            "UPDATE audit_events SET kind = kind",
            "TRUNCATE audit_events",
            "UPDATE tenants SET seats = seats + 1",
            "UPDATE tenants SET slug = slug",
            "DELETE FROM tenants",
            "INSERT INTO tenants SELECT * FROM tenants",
            "DELETE FROM members",
            "DELETE FROM directory_users",
            "SELECT secret FROM cache_key",
            "SELECT migration FROM schema_floor",
            "UPDATE credentials SET tenant_id = gen_random_uuid()",
        ] {
            let tx = store.write(&scope).await.expect("a transaction");
            let done = tx.tx.exec(sql, []).await;
            let refused = matches!(&done, Err(StoreError::Database(cause)) if cause.to_string().contains("permission denied")
                || cause.to_string().contains("row-level security"));
            assert!(refused, "{sql}: {done:?}");
        }
    });
}
