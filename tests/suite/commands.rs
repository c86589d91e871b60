//! The command line: the behaviour that scripts rely on (docs/design.md#contract), and the answers to wrong settings.

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::deployment::{Combination, Deployment};
use crate::hub::{Hub, Ran};
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{email, person, within};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        commands_work_while_the_hub_is_stopped,
        migrating_twice_is_harmless,
        doctor_checks_every_dependency,
        help_config_lists_every_setting,
        a_wrong_setting_stops_at_start_and_names_key_and_remedy,
        a_taken_port_is_named,
        commands_refuse_what_they_cannot_mean,
        two_tenants_of_one_name_get_two_slugs,
        api_keys_are_listed_and_revoked_within_a_second,
        logs_and_stores_hold_no_token_and_logs_no_email,
    ];
    cases.extend(
        cases![doctor_names_a_dead_dependency_and_the_remedy, all_needs_its_services]
            .into_iter()
            .map(|case| case.only_on(Combination::Full)),
    );
    cases
}

async fn api_keys_are_listed_and_revoked_within_a_second(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let made = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member", "--name", "CI"]);
    let (key, id) = (made["key"].as_str().unwrap(), made["key_id"].as_str().unwrap());
    let ask =
        async || Answer::of(hub.http().get(format!("{}/api/v1/members", hub.people_url())).bearer_auth(key)).await;
    ask().await.expect(200);
    let listed = || hub.json_command(&["api-key", "list", "--tenant", &tenant.slug]);
    let row = |keys: &Value| keys["items"].as_array().unwrap().iter().find(|one| one["id"] == id).cloned().unwrap();
    // A list shows a row once no older transaction of the cluster is open.
    let before = within(Duration::from_secs(3), "both keys are listed", async || match listed() {
        keys if keys["items"].as_array().is_some_and(|keys| keys.len() == 2) => Ok(keys),
        keys => Err(keys.to_string()),
    })
    .await;
    assert_eq!((&row(&before)["name"], &row(&before)["role"]), (&json!("CI"), &json!("member")), "{before}");
    assert!(row(&before)["revoked_at"].is_null() && !before.to_string().contains(key), "{before}");
    for _ in 0..2 {
        let revoked = hub.json_command(&["api-key", "revoke", "--tenant", &tenant.slug, "--key-id", id]);
        assert_eq!(revoked, json!({ "key_id": id, "revoked": true }));
    }
    within(Duration::from_secs(3), "the key is refused", async || match ask().await {
        answer if answer.status == 401 => Ok(()),
        answer => Err(answer.describe()),
    })
    .await;
    assert!(row(&listed())["revoked_at"].is_string());
    // A token of a source is not an API key.
    let token = source.token_id.as_deref().unwrap();
    let arguments = ["api-key", "revoke", "--tenant", &tenant.slug, "--key-id", token];
    assert!(hub.run_command(&arguments).expect_failure().stderr.contains("API key"));
    source.get("/Users").await.expect(200);
}

async fn commands_work_while_the_hub_is_stopped(hub: Hub) {
    let hub = hub.another().start().await;
    hub.stop();
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    hub.start_again().await;
    source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
}

async fn migrating_twice_is_harmless(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    let before = tenant.everything(&source).await;
    hub.run_command(&["migrate"]).expect_success();
    hub.run_command(&["migrate"]).expect_success();
    assert_eq!(tenant.everything(&source).await, before);
}

async fn doctor_checks_every_dependency(hub: Hub) {
    let ran = hub.run_command(&["doctor"]).expect_success();
    let said = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
    let dependencies: &[&str] = match hub.combination() {
        Combination::Sqlite => &["sqlite"],
        Combination::Full => &["postgres", "rabbitmq", "redis"],
    };
    for dependency in dependencies {
        assert!(said.contains(dependency), "doctor says nothing of {dependency}: {said}");
    }
}

async fn doctor_names_a_dead_dependency_and_the_remedy(hub: Hub) {
    for (key, url, name) in [
        ("REDIS_URL", "redis://127.0.0.1:1/", "redis"),
        ("AMQP_URL", "amqp://guest:guest-secret@127.0.0.1:1/%2f", "rabbitmq"),
        ("DATABASE_URL", "postgres://nobody:nobody-secret@127.0.0.1:1/none", "postgres"),
    ] {
        let deployment = hub.another().setting(key, url).only_stored().await;
        let ran = run(&deployment, &["doctor"]).expect_failure();
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            said.to_lowercase().contains(name) && said.contains(key),
            "doctor does not name {name} and {key}: {said}"
        );
        assert!(!said.contains("secret"), "a password in the output: {said}");
    }
}

async fn all_needs_its_services(hub: Hub) {
    for key in ["DATABASE_URL", "AMQP_URL", "REDIS_URL"] {
        let deployment = hub.another().setting(key, "").only_stored().await;
        let ran = run(&deployment, &["all", "--listen", "127.0.0.1:0"]).expect_failure();
        assert!(ran.stderr.contains(key), "`all` without {key}: {}", ran.stderr);
    }
}

async fn help_config_lists_every_setting(hub: Hub) {
    let ran = hub.run_command(&["help", "config"]).expect_success();
    for name in ["ingest.rate_per_second", "ROLLCALL_INGEST_RATE_PER_SECOND", "DATABASE_URL", "AMQP_URL", "REDIS_URL"] {
        assert!(ran.stdout.contains(name), "{name} is missing in {}", ran.stdout);
    }
}

async fn a_wrong_setting_stops_at_start_and_names_key_and_remedy(hub: Hub) {
    // (variable, wrong value, the key that must be named, a word of the remedy)
    let wrong = [
        ("ROLLCALL_INGEST_RATE_PER_SECOND", "many", "ingest.rate_per_second", "number"),
        ("ROLLCALL_INGEST_RATE_PER_SECOND", "-5", "ingest.rate_per_second", "number"),
        ("ROLLCALL_METRICS_LISTEN", "nowhere", "metrics.listen", "127.0.0.1"),
        ("ROLLCALL_INGEST_RAET_PER_SECOND", "5", "ROLLCALL_INGEST_RAET_PER_SECOND", "help config"),
    ];
    for (variable, value, key, remedy) in wrong {
        let deployment = hub.another().setting(variable, value).only_stored().await;
        let ran = run(&deployment, &start_arguments(&hub)).expect_failure();
        assert!(ran.stderr.contains(key), "{variable}={value}: {key} is not named: {}", ran.stderr);
        assert!(ran.stderr.contains(remedy), "{variable}={value}: no remedy ({remedy}) in: {}", ran.stderr);
    }
}

async fn a_taken_port_is_named(hub: Hub) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let command = start_arguments(&hub)[0];
    let deployment = hub.another().only_stored().await;
    let ran = run(&deployment, &[command, "--listen", &address]).expect_failure();
    assert!(ran.stderr.contains(&address), "the address is not named: {}", ran.stderr);
}

fn start_arguments(hub: &Hub) -> Vec<&'static str> {
    match hub.combination() {
        Combination::Sqlite => vec!["up", "--listen", "127.0.0.1:0"],
        Combination::Full => vec!["all", "--listen", "127.0.0.1:0"],
    }
}

fn run(deployment: &Deployment, arguments: &[&str]) -> Ran {
    let output: Output = deployment.run_for_a_while(arguments);
    Ran::new(arguments, output)
}

async fn commands_refuse_what_they_cannot_mean(hub: Hub) {
    let tenant: Tenant = hub.tenant().create();
    let slug = tenant.slug.as_str();
    // (arguments, a word that names the mistake)
    let wrong: [(&[&str], &str); 8] = [
        (&["source", "create", "--tenant", "no-such-tenant", "--kind", "scim", "--json"], "no-such-tenant"),
        (&["api-key", "create", "--tenant", "no-such-tenant", "--role", "owner", "--json"], "no-such-tenant"),
        (&["source", "create", "--tenant", slug, "--kind", "carrier-pigeon", "--json"], "carrier-pigeon"),
        (&["source", "create", "--tenant", slug, "--kind", "scim", "--mode", "sometimes", "--json"], "sometimes"),
        (&["tenant", "create", "--name", "X", "--seats", "many", "--json"], "seats"),
        (&["tenant", "create", "--name", "X", "--seats", "5", "--policy", "no_such_knob=1", "--json"], "no_such_knob"),
        (&["tenant", "create", "--name", "X", "--seats", "5", "--owner", "nonsense", "--json"], "owner"),
        (&["tenant", "create", "--name", "   ", "--seats", "5", "--json"], "name"),
    ];
    for (arguments, named) in wrong {
        let ran = hub.run_command(arguments).expect_failure();
        assert!(ran.stderr.contains(named), "`{}` does not name {named}: {}", ran.line, ran.stderr);
        assert!(ran.stdout.is_empty(), "`{}` prints on stdout: {}", ran.line, ran.stdout);
    }
}

async fn two_tenants_of_one_name_get_two_slugs(hub: Hub) {
    let name = format!("Zwillinge & Söhne {}", crate::verbs::unknown_id().simple());
    let create = || hub.json_command(&["tenant", "create", "--name", &name, "--seats", "5"]);
    let (first, second) = (create(), create());
    assert_ne!(first["slug"], second["slug"]);
    assert_ne!(first["tenant_id"], second["tenant_id"]);
}

async fn logs_and_stores_hold_no_token_and_logs_no_email(hub: Hub) {
    let hub = hub.another().setting("ROLLCALL_TELEMETRY_LOG_FILTER", "debug").start().await;
    let tenant = hub.tenant().owner("boss@acme.example").create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    source.get(&format!("/Users?filter=userName+eq+%22{}%22", email("ann"))).await.expect(200);
    source.post("/Users", &person("ann")).await.expect(409);
    source
        .send_text(reqwest::Method::POST, "/Users", format!("{{\"userName\": \"{}\"", email("bea")))
        .await
        .expect(400);
    let altered = crate::verbs::ScimSource { token: format!("{}x", source.token), ..source.clone() };
    altered.get("/Users").await.expect(401);
    source.deactivate(&id).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    tenant.member(&email("ann")).await;
    hub.stop();
    for (path, text) in files_below(&hub.deployment().folder) {
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        for secret in [&source.token, &tenant.key] {
            assert!(!text.contains(secret.as_str()), "a credential in {}", path.display());
        }
        let line = text.lines().find(|line| line.contains("@acme.example"));
        assert!(!is_log || line.is_none(), "an email address in {}: {}", path.display(), line.unwrap_or_default());
    }
}

fn files_below(folder: &std::path::Path) -> Vec<(std::path::PathBuf, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
            files.push((path, text));
        }
    }
    assert!(!files.is_empty());
    files
}
