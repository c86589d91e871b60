//! The command line for a new user (F2 to F15 of the requirements): the right address, the right database, messages that
//! name the cause, and nothing that happens in silence.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::deployment::{Combination, Deployment};
use crate::hub::{Hub, Ran};
use crate::process::Process;
use crate::registry::{Case, cases};
use crate::roster::Roster;
use crate::verbs::{email, eventually};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        f2_source_create_prints_the_address_that_is_served_or_what_it_assumes,
        f3_simulate_idp_stops_at_a_refused_token,
        f8_tenants_are_listed_shown_and_renamed,
        f8_sources_are_listed_renamed_and_deleted_while_they_never_sent_anything,
        f9_d6_d7_a_newer_schema_is_used_above_its_floor_only,
        f10_fewer_seats_than_are_in_use_are_refused_unless_meant,
        f10_slugs_are_recognisable_and_can_be_chosen,
        f10_an_agent_source_stands_in_nobodys_way,
        f12_leavers_make_a_held_run,
        f14_an_access_log_is_a_filter_away,
    ];
    let embedded = cases![
        f3_simulate_idp_stops_at_a_closed_port,
        f4_commands_name_the_database_and_make_none,
        f4_doctor_makes_nothing,
        f4_up_says_that_it_ignores_the_database_url,
        f4_migrate_says_when_it_made_the_database,
        f7_all_missing_addresses_are_told_before_anything_is_called,
        f8_help_version_completions_and_man_pages,
        f8_a_closed_pipe_is_no_panic,
        f10_seats_below_zero_are_named,
        f8_mistyped_words_are_corrected,
        f12_the_demo_holds_a_run,
        f14_a_second_hub_is_kept_out_of_the_folder,
        f14_a_host_name_is_an_address,
        f14_a_port_that_is_taken_leaves_no_database_behind,
        a_hub_whose_data_is_taken_away_writes_nothing,
    ];
    cases.extend(embedded.into_iter().map(|case| case.only_on(Combination::Sqlite)));
    let full = cases![f7_doctor_names_what_a_server_refuses];
    cases.extend(full.into_iter().map(|case| case.only_on(Combination::Full)));
    cases
}

/// An empty folder in which a user begins.
struct Empty {
    deployment: Deployment,
    folder: PathBuf,
}

impl Empty {
    async fn of(hub: &Hub) -> Self {
        let deployment = hub.another().only_stored().await;
        let folder = deployment.folder.join("empty");
        std::fs::create_dir_all(&folder).unwrap();
        Self { deployment, folder }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        Ran::new(arguments, self.deployment.run_bare(&self.folder, arguments, environment))
    }

    fn files(&self) -> Vec<PathBuf> {
        std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

fn log_of(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("everything.log")).unwrap_or_default()
}

async fn f2_source_create_prints_the_address_that_is_served_or_what_it_assumes(hub: Hub) {
    let tenant = hub.tenant().create();
    let create = ["source", "create", "--tenant", &tenant.slug, "--kind", "scim", "--mode", "off", "--json"];
    let ran = hub.run_command(&create).expect_success();
    let made: Value = serde_json::from_str(&ran.stdout).unwrap();
    let base = match hub.combination() {
        Combination::Sqlite => hub.machines_url(),
        // The roles may run anywhere, so the assumed address is printed.
        Combination::Full => "http://127.0.0.1:8080".to_owned(),
    };
    assert_eq!(made["scim_endpoint"], format!("{base}/scim/v2/{}", made["source_id"].as_str().unwrap()));
    let is_assumed = ran.stderr.contains("ROLLCALL_HTTP_PUBLIC_URL");
    assert_eq!(is_assumed, hub.combination() == Combination::Full, "{}", ran.stderr);
}

async fn f3_simulate_idp_stops_at_a_closed_port(hub: Hub) {
    let empty = Empty::of(&hub).await;
    let endpoint = "http://127.0.0.1:1/scim/v2/x";
    let ran = empty.run(&["simulate-idp", "okta", "--endpoint", endpoint, "--token", "t"]).expect_failure();
    let last = ran.stderr.lines().last().unwrap_or_default();
    assert!(
        last.starts_with(&format!("rollcall: nothing listens at {endpoint} (connection refused)")),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.is_empty() && !ran.stderr.contains("efect"), "{}{}", ran.stdout, ran.stderr);
}

async fn f3_simulate_idp_stops_at_a_refused_token(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let simulate = ["simulate-idp", "entra", "--endpoint", &source.base, "--token", "rcs_wrong"];
    let ran = hub.run_command(&simulate).expect_failure();
    assert!(ran.stderr.lines().last().unwrap_or_default().contains("refuses the token"), "{}", ran.stderr);
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
}

async fn f4_commands_name_the_database_and_make_none(hub: Hub) {
    let empty = Empty::of(&hub).await;
    let ran = empty.run(&["api-key", "list", "--tenant", "sync"]).expect_failure();
    assert!(ran.stderr.contains("no database under ./data") && ran.stderr.contains("ROLLCALL_DATA"), "{}", ran.stderr);
    assert_eq!(empty.files(), Vec::<PathBuf>::new());

    let made = empty.run_with(&["tenant", "create", "--name", "Acme", "--seats", "3"], &[("ROLLCALL_DATA", "./mine")]);
    let made = made.expect_success();
    assert!(made.stdout.contains("SQLite under ./mine, which was made just now"), "{}", made.stdout);
    let ran = empty.run(&["tenant", "list"]).expect_failure();
    assert!(ran.stderr.contains("here are ./mine"), "{}", ran.stderr);

    let more =
        empty.run(&["tenant", "create", "--name", "Second", "--seats", "3", "--data", "./mine"]).expect_success();
    assert!(more.stdout.contains("SQLite under ./mine.") && !more.stdout.contains("just now"), "{}", more.stdout);
    let ran = empty.run(&["tenant", "show", "--tenant", "acmee", "--data", "./mine"]).expect_failure();
    for said in ["no tenant \"acmee\" in SQLite under ./mine", "Did you mean \"acme\"?", "tenant list"] {
        assert!(ran.stderr.contains(said), "{said} is missing in {}", ran.stderr);
    }
}

async fn f4_doctor_makes_nothing(hub: Hub) {
    let empty = Empty::of(&hub).await;
    let ran = empty.run(&["doctor"]).expect_failure();
    assert!(ran.stdout.contains("FAILED SQLite under ./data: there is no database"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(empty.files(), Vec::<PathBuf>::new());
}

async fn f4_up_says_that_it_ignores_the_database_url(hub: Hub) {
    let url = "postgres://someone:hunter2@127.0.0.1:1/none";
    let other = hub.another().setting("DATABASE_URL", url).start().await;
    let log = log_of(&other.deployment().folder);
    assert!(log.contains("DATABASE_URL is set and not used") && !log.contains("hunter2"), "{log}");
}

async fn f4_migrate_says_when_it_made_the_database(hub: Hub) {
    let empty = Empty::of(&hub).await;
    let ran = empty.run(&["migrate"]).expect_success();
    assert!(ran.stdout.contains("SQLite under ./data is made just now"), "{}", ran.stdout);
    let ran = empty.run(&["migrate"]).expect_success();
    assert!(ran.stdout.contains("SQLite under ./data is up to date"), "{}", ran.stdout);
}

async fn f7_all_missing_addresses_are_told_before_anything_is_called(hub: Hub) {
    let empty = Empty::of(&hub).await;
    for role in ["all", "ingest", "worker", "admin"] {
        let ran = empty.run(&[role]).expect_failure();
        for variable in ["DATABASE_URL", "AMQP_URL", "REDIS_URL"] {
            assert!(ran.stderr.contains(variable), "{role}: {variable} is missing in {}", ran.stderr);
        }
        // A queue that is set is not called either: its client would report from its own thread.
        let ran = empty.run_with(&[role], &[("AMQP_URL", "amqp://127.0.0.1:1/%2f")]).expect_failure();
        assert!(!ran.stderr.contains("AMQP_URL") && !ran.stderr.contains("panic"), "{role}: {}", ran.stderr);
    }
}

async fn f10_seats_below_zero_are_named(hub: Hub) {
    let ran = Empty::of(&hub).await.run(&["tenant", "create", "--name", "Acme", "--seats", "-5"]).expect_failure();
    assert!(ran.stderr.contains("'-5'") && ran.stderr.contains("--seats"), "{}", ran.stderr);
}

async fn f7_doctor_names_what_a_server_refuses(hub: Hub) {
    let changed = |name: &str, change: &dyn Fn(&mut url::Url)| {
        let mut url = url::Url::parse(hub.deployment().setting(name).unwrap()).unwrap();
        change(&mut url);
        url.to_string()
    };
    let no_database = changed("DATABASE_URL", &|url| url.set_path("/nope"));
    let wrong_password = changed("REDIS_URL", &|url| url.set_password(Some("wrong-secret")).unwrap());
    let no_host = changed("AMQP_URL", &|url| url.set_path("/nope"));
    for (name, url, cause) in [
        ("DATABASE_URL", no_database, "database \"nope\" does not exist"),
        ("REDIS_URL", wrong_password, "answers, but refuses"),
        ("AMQP_URL", no_host, "answers, but refuses"),
    ] {
        let mut deployment = hub.another().only_stored().await;
        deployment.run(&["migrate"]);
        deployment.set(name, &url);
        let ran = Ran::new(&["doctor"], deployment.run_for_a_while(&["doctor"])).expect_failure();
        let failed: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("FAILED")).collect();
        let [failed] = failed.as_slice() else { panic!("{}{}", ran.stdout, ran.stderr) };
        let at = url::Url::parse(&url).unwrap();
        let at = format!("{}:", at.host_str().unwrap());
        for said in [cause, &at, name] {
            assert!(failed.contains(said), "{said} is missing in {failed}");
        }
        for riddle in ["at line", "wrong-secret", "in the background"] {
            assert!(!failed.contains(riddle), "{failed}");
        }
    }
}

async fn f8_help_version_completions_and_man_pages(hub: Hub) {
    let empty = Empty::of(&hub).await;
    let says = |arguments: &[&str], texts: &[&str]| {
        let ran = empty.run(arguments).expect_success();
        for text in texts {
            assert!(ran.stdout.contains(text), "`{}` does not say {text}: {}", ran.line, ran.stdout);
        }
    };
    says(&["help"], &["tenant", "simulate-idp"]);
    says(&["help", "tenant", "create"], &["rollcall tenant create", "--seats", "removal_limit.count", "--data"]);
    says(&["help", "up"], &["rollcall up", "--data", "--listen"]);
    says(&["version"], &[concat!("rollcall ", env!("CARGO_PKG_VERSION"))]);
    says(&["completions", "bash"], &["simulate-idp", "set-seats"]);
    says(&["man"], &[".TH rollcall", "simulate"]);
    says(&["man", "tenant", "create"], &["removal_limit"]);
    empty.run(&["man", "--dir", "pages"]).expect_success();
    assert!(empty.folder.join("pages/rollcall-tenant-create.1").is_file(), "{:?}", empty.files());
}

async fn f8_a_closed_pipe_is_no_panic(hub: Hub) {
    let empty = Empty::of(&hub).await;
    empty.run(&["tenant", "create", "--name", "Acme", "--seats", "3"]).expect_success();
    let commands: [&[&str]; 8] = [
        &["routes"],
        &["routes", "--json"],
        &["help"],
        &["help", "config"],
        &["completions", "zsh"],
        &["man"],
        &["tenant", "list"],
        &["doctor"],
    ];
    for arguments in commands {
        let mut command = empty.deployment.bare(&empty.folder, arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{arguments:?}: {} {stderr}", output.status);
    }
}

async fn f8_mistyped_words_are_corrected(hub: Hub) {
    let empty = Empty::of(&hub).await;
    let ran = empty.run_with(&["doctor"], &[("ROLLCALL_LISTEN", "127.0.0.1:1")]).expect_failure();
    assert!(ran.stderr.contains("Did you mean ROLLCALL_HTTP_LISTEN"), "{}", ran.stderr);
    let wrong = ["tenant", "create", "--name", "X", "--seats", "3", "--policy", "onboading=invite"];
    let ran = empty.run(&wrong).expect_failure();
    assert!(ran.stderr.contains("Did you mean \"onboarding\"?"), "{}", ran.stderr);
    assert_eq!(empty.files(), Vec::<PathBuf>::new(), "a wrong policy makes no database");
    let ran = empty.run(&["help", "tenat"]).expect_failure();
    assert!(ran.stderr.contains("Did you mean \"tenant\"?"), "{}", ran.stderr);
}

async fn f8_tenants_are_listed_shown_and_renamed(hub: Hub) {
    let tenant = hub.tenant().seats(7).owner("boss@acme.example").create();
    let source = tenant.scim_source();
    let row = |listed: &Value, slug: &str| {
        listed["items"].as_array().unwrap().iter().find(|row| row["slug"] == slug).cloned()
    };
    let listed = row(&hub.json_command(&["tenant", "list"]), &tenant.slug).unwrap();
    assert_eq!((&listed["seats"], &listed["seats_used"]), (&json!(7), &json!(1)), "{listed}");
    let shown = hub.json_command(&["tenant", "show", "--tenant", &tenant.slug]);
    assert_eq!(shown["sources"][0]["source_id"], source.id, "{shown}");

    let slug = format!("renamed-{}", &crate::verbs::unknown_id().simple().to_string()[16..]);
    let rename = ["tenant", "rename", "--tenant", &tenant.slug, "--name", "Renamed", "--slug", &slug];
    assert_eq!(hub.json_command(&rename)["slug"], slug);
    let listed = hub.json_command(&["tenant", "list"]);
    assert!(row(&listed, &tenant.slug).is_none());
    assert_eq!(row(&listed, &slug).unwrap()["name"], "Renamed");
    source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    let events = tenant.get("/api/v1/audit-events?kind=tenant.renamed&order=desc").await.expect(200);
    assert_eq!(events.at("/items/0/detail/after/slug"), &json!(slug), "{}", events.describe());

    let taken = hub.tenant().create();
    let rename = ["tenant", "rename", "--tenant", &slug, "--name", "Renamed", "--slug", &taken.slug];
    let ran = hub.run_command(&rename).expect_failure();
    assert!(ran.stderr.contains("slug is already in use"), "{}", ran.stderr);
}

async fn f8_sources_are_listed_renamed_and_deleted_while_they_never_sent_anything(hub: Hub) {
    let tenant = hub.tenant().create();
    let (used, unused) = (tenant.scim_source(), tenant.new_source().argument("--mode").argument("off").create());
    used.user("ann").await;
    let slug = tenant.slug.as_str();
    hub.json_command(&["source", "rename", "--tenant", slug, "--source", &unused.id, "--name", "Typo"]);
    let listed = hub.json_command(&["source", "list", "--tenant", slug]);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!(listed["items"][1]["name"], "Typo", "{listed}");

    hub.json_command(&["source", "delete", "--tenant", slug, "--source", &unused.id]);
    let ran = hub.run_command(&["source", "delete", "--tenant", slug, "--source", &used.id]).expect_failure();
    assert!(ran.stderr.contains("source detach"), "{}", ran.stderr);
    let listed = hub.json_command(&["source", "list", "--tenant", slug]);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    unused.get("/Users").await.expect(401);
    used.get("/Users").await.expect(200);
    let events = tenant.get("/api/v1/audit-events?kind=source.deleted&order=desc").await.expect(200);
    assert_eq!(events.at("/items/0/subject/id"), &json!(unused.id), "{}", events.describe());
}

async fn f9_d6_d7_a_newer_schema_is_used_above_its_floor_only(hub: Hub) {
    let deployment = hub.another().only_stored().await;
    let run = |arguments: &[&str]| Ran::new(arguments, deployment.run_for_a_while(arguments));
    run(&["migrate"]).expect_success();
    let insert = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_later', 0)";
    deployment.change(insert).await;
    // An image that was put back meets the schema of its successor: it changes nothing and serves.
    let ran = run(&["migrate"]).expect_success();
    let said = "made by a newer Rollcall: it has the migration m20991231_000001_later";
    assert!(ran.stdout.contains(said), "`{}`: {}", ran.line, ran.stdout);
    run(&["doctor"]).expect_success();
    // Above the floor, no program may serve that does not know the migration which raised it.
    let raise = "UPDATE schema_floor SET migration = 'm20991231_000001_later', version = '99.1.0'";
    deployment.change(raise).await;
    let start = if hub.combination() == Combination::Sqlite { "up" } else { "all" };
    for arguments in [&["migrate"] as &[&str], &[start, "--listen", "127.0.0.1:0"], &["doctor"]] {
        let ran = run(arguments).expect_failure();
        let told = format!("{}{}", ran.stdout, ran.stderr);
        for said in ["made by a newer Rollcall", "m20991231_000001_later", "no version before 99.1.0"] {
            assert!(told.contains(said), "`{}`: {told}", ran.line);
        }
    }
}

async fn f10_fewer_seats_than_are_in_use_are_refused_unless_meant(hub: Hub) {
    let tenant = hub.tenant().seats(3).create();
    let source = tenant.scim_source();
    source.users(&["ann", "bea", "cem"]).await;
    tenant.eventually("all are in", |members| members.with_status("invited").len() == 3).await;
    let set = ["tenant", "set-seats", "--tenant", &tenant.slug, "--seats", "1"];
    let ran = hub.run_command(&set).expect_failure();
    for said in ["3 seats in use", "nobody would be removed", "--force"] {
        assert!(ran.stderr.contains(said), "{said} is missing in {}", ran.stderr);
    }
    let forced = hub.json_command(&["tenant", "set-seats", "--tenant", &tenant.slug, "--seats", "1", "--force"]);
    assert_eq!((&forced["seats"], &forced["seats_used"]), (&json!(1), &json!(3)), "{forced}");
    source.user("dan").await;
    tenant.eventually_status(&email("dan"), "pending").await;
    assert_eq!(tenant.members().await.iter().filter(|member| member.status == "invited").count(), 3);
}

async fn f10_slugs_are_recognisable_and_can_be_chosen(hub: Hub) {
    let number = crate::verbs::unknown_id().simple().to_string();
    let create = |more: &[&str]| {
        let arguments = [&["tenant", "create", "--seats", "3"], more].concat();
        hub.json_command(&arguments)["slug"].as_str().unwrap().to_owned()
    };
    let slug = create(&["--name", &format!("Straße & Söhne {number}")]);
    assert!(slug.starts_with("strasse-sohne-"), "{slug}");
    let chosen = format!("chosen-{}", &number[16..]);
    assert_eq!(create(&["--name", "Acme", "--slug", &chosen]), chosen);
    for (slug, said) in [(chosen.as_str(), "already in use"), ("Not A Slug", "e.g. \"not-a-slug\"")] {
        let arguments = ["tenant", "create", "--name", "Acme", "--seats", "3", "--slug", slug];
        let ran = hub.run_command(&arguments).expect_failure();
        assert!(ran.stderr.contains(said), "{slug}: {}", ran.stderr);
    }
}

async fn f10_an_agent_source_stands_in_nobodys_way(hub: Hub) {
    let tenant = hub.tenant().create();
    let create = ["source", "create", "--tenant", &tenant.slug, "--kind", "agent"];
    let ran = hub.run_command(&[&create[..], &["--mode", "off"]].concat()).expect_success();
    assert!(ran.stdout.contains("rollcall-agent setup --hub"), "{}", ran.stdout);
    let source = tenant.scim_source();
    // Two sources never feed one tenant by accident (DS2).
    let ran = hub.run_command(&create).expect_failure();
    assert!(ran.stderr.contains("is live"), "{}", ran.stderr);
    source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
}

async fn f12_leavers_make_a_held_run(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let simulate = |more: &[&str]| {
        let common = ["simulate-idp", "okta", "--endpoint", &source.base, "--token", &source.token, "--users", "30"];
        hub.run_command(&[&common[..], more].concat()).expect_success()
    };
    simulate(&["--phases", "people"]);
    tenant.eventually("all are in", |members| members.with_status("active").len() == 30).await;
    simulate(&["--phases", "all", "--leave", "15"]);
    eventually("a run is held", async || {
        let held = tenant.get("/api/v1/runs?state=held").await.expect(200);
        if held.at("/items/0/id").is_string() { Ok(()) } else { Err(held.describe()) }
    })
    .await;
    tenant.eventually("15 have left", |members| members.with_status("suspended").len() == 15).await;
    // Fewer people than before are no fault of the hub.
    let common = ["simulate-idp", "okta", "--endpoint", &source.base, "--token", &source.token];
    let ran = hub.run_command(&[&common[..], &["--users", "12"]].concat()).expect_success();
    assert!(!ran.stdout.contains("defect"), "{}", ran.stdout);
}

async fn f12_the_demo_holds_a_run(hub: Hub) {
    let deployment = hub.another().setting("ROLLCALL_METRICS_LISTEN", "").only_stored().await;
    let log = deployment.folder.join("demo.log");
    let mut demo = Process::spawn(deployment.server(&["demo", "--listen", "127.0.0.1:0"]), &log).unwrap();
    let text = crate::verbs::within(Duration::from_secs(120), "the demo is told", async || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        match demo.ended() {
            Some(status) => panic!("the demo ended with {status}: {text}"),
            None if text.contains("Rollcall stays up") => Ok(text),
            None => Err(text),
        }
    })
    .await;
    let acme = text.split("== Globex").next().unwrap_or_default();
    assert!(acme.contains("held run"), "{text}");
}

async fn f14_a_second_hub_is_kept_out_of_the_folder(hub: Hub) {
    let other = hub.another().start().await;
    let second = ["up", "--listen", "127.0.0.1:0"];
    let ran = Ran::new(&second, other.deployment().run_for_a_while(&second)).expect_failure();
    assert!(ran.stderr.contains("another hub serves") && ran.stderr.contains(&other.machines_url()), "{}", ran.stderr);
    // The lock dies with its process, however that ends.
    other.crash_worker().await;
}

async fn f14_a_host_name_is_an_address(hub: Hub) {
    let port = hub.another().start().await.machines_url();
    let port = port.rsplit(':').next().unwrap().to_owned();
    let deployment = hub.another().setting("ROLLCALL_METRICS_LISTEN", "").only_stored().await;
    let log = deployment.folder.join("everything.log");
    let _up = Process::spawn(deployment.server(&["up", "--listen", &format!("localhost:{port}")]), &log).unwrap();
    eventually("the hub is up", async || {
        let text = log_of(&deployment.folder);
        // Version, database, roles and address stand in the log too.
        let said = ["Rollcall is up at http://", "version", "SQLite under", "ingest, admin, worker"];
        if said.iter().all(|said| text.contains(said)) { Ok(()) } else { Err(text) }
    })
    .await;
}

async fn f14_a_port_that_is_taken_leaves_no_database_behind(hub: Hub) {
    let empty = Empty::of(&hub).await;
    let taken = hub.machines_url().trim_start_matches("http://").to_owned();
    let ran = empty.run(&["up", "--listen", &taken]).expect_failure();
    assert!(ran.stderr.contains("--listen") && ran.stderr.contains("cannot be bound"), "{}", ran.stderr);
    assert_eq!(empty.files(), Vec::<PathBuf>::new());
}

/// SQLite would go on writing into a file without a name, which is gone with the process.
async fn a_hub_whose_data_is_taken_away_writes_nothing(hub: Hub) {
    let other = hub.another().start().await;
    let tenant = other.tenant().create();
    let source = tenant.scim_source();
    let (file, aside) = ("data/rollcall.db", "aside.db");
    let folder = other.deployment().folder.clone();
    std::fs::rename(folder.join(file), folder.join(aside)).unwrap();
    let refused = tenant.post("/api/v1/sources", &json!({ "mode": "off" })).await;
    assert_eq!(refused.status, 503, "{}", refused.describe());
    let refused = source.post("/Users", &crate::verbs::person("ann")).await;
    assert_eq!(refused.status, 503, "{}", refused.describe());
    eventually("the hub is not ready", async || {
        let answer = other.get(&format!("{}/readyz", other.machines_url())).await;
        if answer.status == 503 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    std::fs::rename(folder.join(aside), folder.join(file)).unwrap();
    source.post("/Users", &crate::verbs::person("ann")).await.expect(201);
}

async fn f14_an_access_log_is_a_filter_away(hub: Hub) {
    let filter = "info,rollcall::access=debug";
    let other = hub.another().setting("ROLLCALL_TELEMETRY_LOG_FILTER", filter).start().await;
    let source = other.tenant().create().scim_source();
    let nobody = format!("/Users?filter=userName+eq+%22{}%22", email("ann"));
    source.get(&nobody).await.expect(200);
    let log = eventually("the request is logged", async || {
        let log = log_of(&other.deployment().folder);
        let line =
            log.lines().find(|line| line.contains("rollcall::access") && line.contains("/Users")).map(str::to_owned);
        line.ok_or(log)
    })
    .await;
    for said in ["GET", "/scim/v2/{source_id}/Users", "200", "took_ms", "request_id"] {
        assert!(log.contains(said), "{said} is missing in {log}");
    }
    assert!(!log.contains("acme.example"), "{log}");
}
