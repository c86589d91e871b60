//! Logins and sessions of the database: the services need a login that owns nothing, and sessions with their role (S7, D3).

use sea_orm::{ConnectionTrait, Database};
use url::Url;

use crate::broker::Relay;
use crate::deployment::{Combination, Deployment};
use crate::hub::{Hub, Ran};
use crate::registry::{Case, cases};
use crate::verbs::{email, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        rc22_s7_the_services_serve_with_a_login_that_owns_nothing,
        rc22_s7_d3_no_role_starts_behind_a_pooler_that_drops_the_options,
    ]
    .into_iter()
    .map(|case| case.only_on(Combination::Full))
    .collect()
}

fn run(deployment: &Deployment, arguments: &[&str]) -> Ran {
    Ran::new(arguments, deployment.run_for_a_while(arguments))
}

async fn migrated(hub: &Hub) -> Deployment {
    let deployment = hub.another().only_stored().await;
    run(&deployment, &["migrate"]).expect_success();
    deployment
}

async fn rc22_s7_the_services_serve_with_a_login_that_owns_nothing(hub: Hub) {
    let deployment = migrated(&hub).await;
    let owners = deployment.setting("DATABASE_URL").unwrap().to_owned();
    let owner = Database::connect(&owners).await.unwrap();
    let login = format!("serve_{}", unknown_id().simple());
    let make = format!(
        "CREATE ROLE {login} LOGIN PASSWORD 'secret' NOSUPERUSER NOCREATEDB NOCREATEROLE; \
         GRANT rollcall_tenant, rollcall_system TO {login}"
    );
    owner.execute_unprepared(&make).await.unwrap();
    let mut served = Url::parse(&owners).unwrap();
    served.set_username(&login).unwrap();
    served.set_password(Some("secret")).unwrap();
    let serving = hub.another().setting("DATABASE_URL", served.as_str()).start().await;
    // The work of the operator, a source and a worker.
    let tenant = serving.tenant().seats(1).policy("onboarding", "federated").create();
    serving.run_command(&["tenant", "set-seats", "--tenant", &tenant.slug, "--seats", "5"]).expect_success();
    serving.run_command(&["tenant", "rename", "--tenant", &tenant.slug, "--name", "Renamed"]).expect_success();
    serving.run_command(&["tenant", "set-quota", "--tenant", &tenant.slug, "--records", "50"]).expect_success();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    source.group("Pilots", &[&ids[0], &ids[1]]).await;
    tenant.eventually_group("Pilots", &[&email("ann"), &email("bea")]).await;
    source.delete(&format!("/Users/{}", ids[1])).await.expect(204);
    tenant.eventually_status(&email("bea"), "suspended").await;
    serving.run_command(&["doctor"]).expect_success();
    serving.run_command(&["migrate"]).expect_success();
    serving.stop();
    let login_is_gone = owner.execute_unprepared(&format!("DROP ROLE {login}")).await;
    owner.close().await.unwrap();
    login_is_gone.unwrap();
}

async fn rc22_s7_d3_no_role_starts_behind_a_pooler_that_drops_the_options(hub: Hub) {
    let mut deployment = migrated(&hub).await;
    let (_relay, port) = Relay::pooler_before(deployment.setting("DATABASE_URL").unwrap()).await;
    deployment.move_database(port);
    for role in ["all", "ingest", "worker", "admin", "doctor"] {
        let arguments: &[&str] = if role == "doctor" { &[role] } else { &[role, "--listen", "127.0.0.1:0"] };
        let ran = run(&deployment, arguments).expect_failure();
        let told = format!("{}{}", ran.stdout, ran.stderr);
        for said in ["the role none and not rollcall_tenant", "pooler", "docs/operations.md"] {
            assert!(told.contains(said), "`{}`: {told}", ran.line);
        }
    }
}
