//! A hub as operators deploy it: probes, a balancer that drains, a database in fail-over, files of its own, traces of intrusion.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use serde_json::json;

use crate::answer::Answer;
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{TIME_LIMIT, email, eventually, person, with, within};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        d8_a_balancer_that_notices_late_loses_no_request,
        d10_healthcheck_says_whether_the_hub_is_ready,
        doctor_ends_quietly_when_its_reader_has_gone,
        s8_refused_credentials_leave_a_trace_without_the_secret,
        s8_the_access_log_names_key_and_route,
        s8_a_key_that_has_expired_opens_nothing_and_its_last_use_is_listed,
        s10_forwarded_headers_of_strangers_change_no_address,
        s10_a_malformed_request_of_nobody_is_no_error_of_the_hub,
        s10_the_last_counts_of_the_dialect_are_written_at_a_stop,
        d1_service_links_of_kubernetes_do_not_stop_a_command,
        a_hub_without_certificates_serves_and_tells_what_is_missing,
    ];
    cases.extend(
        cases![s9_the_files_of_an_embedded_hub_are_its_users_alone]
            .into_iter()
            .map(|case| case.only_on(Combination::Sqlite)),
    );
    cases.extend(
        cases![
            d5_a_database_that_takes_no_writes_is_an_outage_and_not_a_failure,
            d2_an_address_file_holds_the_database
        ]
        .into_iter()
        .map(|case| case.only_on(Combination::Full)),
    );
    cases
}

fn log_of(hub: &Hub) -> String {
    std::fs::read_to_string(hub.deployment().folder.join("everything.log")).unwrap_or_default()
}

/// Requests under way at once while the hub drains, and how many there are at least.
const CALLERS: usize = 8;
const REQUESTS: usize = 1000;
/// The interval of a balancer's probes.
const PROBED_EVERY: Duration = Duration::from_secs(1);

async fn d8_a_balancer_that_notices_late_loses_no_request(hub: Hub) {
    let hub = hub.another().setting("ROLLCALL_HTTP_DRAIN_DELAY_SECONDS", "6");
    let hub = hub.setting("ROLLCALL_INGEST_RATE_BURST", "100000").start().await;
    let source = hub.tenant().create().scim_source();
    let ready_url = format!("{}/readyz", hub.machines_url());
    let (sent, failed, noticed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    // A connection of its own for each request, as a balancer without kept connections makes them.
    let fresh = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let caller = async || {
        while !noticed.load(Ordering::Relaxed) {
            let asked = fresh.get(format!("{}/ServiceProviderConfig", source.base)).bearer_auth(&source.token);
            let answered = asked.send().await.is_ok_and(|answer| answer.status() == 200);
            failed.fetch_add(usize::from(!answered), Ordering::Relaxed);
            sent.fetch_add(1, Ordering::Relaxed);
        }
    };
    let (stopping, begun) = (hub.clone(), Instant::now());
    let stopped = async {
        within(TIME_LIMIT * 2, "enough requests", async || match sent.load(Ordering::Relaxed) {
            few if few < REQUESTS => Err(format!("{few} requests")),
            _ => Ok(()),
        })
        .await;
        tokio::task::spawn_blocking(move || (stopping.stop(), Instant::now())).await.unwrap()
    };
    let balancer = async {
        // A balancer takes an instance out after its second failed probe.
        for _ in 0..2 {
            within(TIME_LIMIT, "the hub is unready and serves", async || {
                tokio::time::sleep(PROBED_EVERY).await;
                let answer = hub.get(&ready_url).await;
                if answer.status == 503 { Ok(()) } else { Err(answer.describe()) }
            })
            .await;
        }
        noticed.store(true, Ordering::Relaxed);
    };
    let ((statuses, ended), (), _) = tokio::join!(stopped, balancer, join_all((0..CALLERS).map(|_| caller())));
    assert!(statuses.iter().all(|status| status.is_some_and(|status| status.success())), "{statuses:?}");
    assert!(ended - begun >= Duration::from_secs(6), "it stopped after {:?}", ended - begun);
    let (sent, failed) = (sent.into_inner(), failed.into_inner());
    assert!(failed == 0 && sent >= REQUESTS, "{failed} of {sent} requests failed");
}

async fn d10_healthcheck_says_whether_the_hub_is_ready(hub: Hub) {
    let hub = hub.another().start().await;
    let listen = hub.machines_url().replace("http://", "");
    let ready = hub.run_command(&["healthcheck", "--listen", &listen]).expect_success();
    assert!(ready.stdout.contains("/readyz answers 200"), "{}", ready.stdout);
    hub.run_command(&["healthcheck", "--live", "--listen", &listen]).expect_success();
    hub.stop();
    let gone = hub.run_command(&["healthcheck", "--listen", &listen]).expect_failure();
    assert!(gone.stderr.contains("does not answer"), "{}", gone.stderr);
}

async fn doctor_ends_quietly_when_its_reader_has_gone(hub: Hub) {
    let mut command: Command = hub.deployment().server(&["doctor"]);
    let mut doctor = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(doctor.stdout.take());
    let ended = doctor.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && !said.contains("panicked"), "{}: {said}", ended.status);
}

async fn s8_refused_credentials_leave_a_trace_without_the_secret(hub: Hub) {
    let hub = hub.another().start().await;
    let url = format!("{}/api/v1/members", hub.people_url());
    let secret = format!("rck_{}", "q7".repeat(22));
    Answer::of(hub.http().get(&url).bearer_auth(&secret[..47])).await.expect_problem(401);
    hub.get(&url).await.expect_problem(401);
    eventually("the log names the peer", async || {
        let log = log_of(&hub);
        assert!(!log.contains("q7q7"), "the log holds a secret");
        let traced = log.lines().filter(|line| line.contains("auth.refused") && line.contains("127.0.0.1")).count();
        if traced >= 2 { Ok(()) } else { Err(log) }
    })
    .await;
    let metrics = hub.get(&hub.metrics_url()).await.expect(200).text;
    for line in [
        "rollcall_auth_refused_total{reason=\"missing\",service=\"admin\"} 1",
        "rollcall_auth_refused_total{reason=\"unknown\",service=\"admin\"} 1",
    ] {
        assert!(metrics.contains(line), "missing {line}");
    }
}

async fn s8_the_access_log_names_key_and_route(hub: Hub) {
    let hub = hub.another().setting("ROLLCALL_TELEMETRY_LOG_FILTER", "info,rollcall::access=debug").start().await;
    let tenant = hub.tenant().create();
    tenant.get("/api/v1/runs").await.expect(200);
    let keys = hub.json_command(&["api-key", "list", "--tenant", &tenant.slug]);
    let key = keys["items"][0]["id"].as_str().unwrap().to_owned();
    eventually("the line names the key and the route", async || {
        let log = log_of(&hub);
        let named = log.lines().any(|line| line.contains("/api/v1/runs") && line.contains(&key));
        if named { Ok(()) } else { Err(log) }
    })
    .await;
}

async fn s8_a_key_that_has_expired_opens_nothing_and_its_last_use_is_listed(hub: Hub) {
    let tenant = hub.tenant().create();
    let listed = || hub.json_command(&["api-key", "list", "--tenant", &tenant.slug])["items"].clone();
    assert!(listed()[0]["last_used_at"].is_null());
    tenant.get("/api/v1/members").await.expect(200);
    eventually("the use is listed", async || {
        if listed()[0]["last_used_at"].is_string() { Ok(()) } else { Err(listed().to_string()) }
    })
    .await;
    let made = ["api-key", "create", "--tenant", &tenant.slug, "--role", "member", "--expires-in", "1s"];
    let made = hub.json_command(&made);
    assert_eq!(made["expires_at"], listed()[1]["expires_at"], "{made}");
    let url = format!("{}/api/v1/members", hub.people_url());
    eventually("the key opens nothing", async || {
        Answer::of(hub.http().get(&url).bearer_auth(made["key"].as_str().unwrap())).await.check_problem(401)
    })
    .await;
}

async fn s10_forwarded_headers_of_strangers_change_no_address(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let request = source.request(reqwest::Method::POST, "/Users").body(person("ann").to_string());
    let forwarded = request.header("x-forwarded-host", "evil.example").header("x-forwarded-proto", "https");
    let forwarded = forwarded.header("forwarded", "host=evil.example;proto=https");
    let made = Answer::of(forwarded).await.expect(201);
    assert!(made.text_at("/meta/location").starts_with(&source.base), "{}", made.describe());
    assert!(made.header("location").starts_with(&source.base), "{}", made.describe());
    let hub = hub.another().setting("ROLLCALL_HTTP_TRUSTED_PROXIES", "127.0.0.0/8").start().await;
    let source = hub.tenant().create().scim_source();
    let request = source.request(reqwest::Method::POST, "/Users").body(person("ann").to_string());
    let forwarded = request.header("x-forwarded-host", "hub.example").header("x-forwarded-proto", "https");
    let made = Answer::of(forwarded).await.expect(201);
    assert!(made.text_at("/meta/location").starts_with("https://hub.example/scim/v2/"), "{}", made.describe());
}

async fn s10_a_malformed_request_of_nobody_is_no_error_of_the_hub(hub: Hub) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let hub = hub.another().start().await;
    let address = hub.machines_url().replace("http://", "");
    for malformed in ["GET / HTTP/9.9\r\n\r\n", "\u{1}\u{2}\r\n\r\n", "GET /\u{7f} HTTP/1.1\r\nhost: \u{1}\r\n\r\n"] {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(malformed.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
    }
    hub.get(&format!("{}/healthz", hub.machines_url())).await.expect(200);
    hub.stop();
    let errors: Vec<String> = log_of(&hub).lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

async fn s10_the_last_counts_of_the_dialect_are_written_at_a_stop(hub: Hub) {
    let hub = hub.another().start().await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for name in ["ann", "bea", "cem"] {
        source.user(name).await;
    }
    hub.stop();
    let log = log_of(&hub);
    assert!(!log.contains("written later") && !log.contains("are missing from the log"), "{log}");
    hub.start_again().await;
    let path = format!("/api/v1/request-log?source_id={}", source.id);
    let lines = tenant.get(&path).await.expect(200);
    let posts = lines.at("/items").as_array().unwrap().iter().filter(|line| line["method"] == "POST").count();
    assert_eq!(posts, 3, "{}", lines.describe());
}

async fn d1_service_links_of_kubernetes_do_not_stop_a_command(hub: Hub) {
    let links = hub.another().setting("ROLLCALL_SERVICE_HOST", "10.96.12.7").setting("ROLLCALL_SERVICE_PORT", "8080");
    let stored = links.setting("ROLLCALL_PORT", "tcp://10.96.12.7:8080").only_stored().await;
    let ran = crate::hub::Ran::new(&["migrate"], stored.run(&["migrate"]));
    ran.expect_success();
}

async fn s9_the_files_of_an_embedded_hub_are_its_users_alone(hub: Hub) {
    let hub = hub.another().start().await;
    hub.tenant().create().scim_source().user("ann").await;
    let data = hub.deployment().folder.join("data");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let mut files = 0;
    for file in std::fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert!(files >= 4, "the database, its log, the lock and the address: {files} files");
}

async fn on_the_database(url: &str, statements: &[String]) {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await.unwrap();
    for statement in statements {
        connection.execute_unprepared(statement).await.unwrap();
    }
    connection.close().await.unwrap();
}

async fn d5_a_database_that_takes_no_writes_is_an_outage_and_not_a_failure(hub: Hub) {
    let hub = hub.another().start().await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("ann").await;
    let url = hub.deployment().setting("DATABASE_URL").unwrap().to_owned();
    let name = url.rsplit('/').next().unwrap().to_owned();
    // As a standby is until its promotion; every session begins anew, as in a fail-over.
    let turned = |read_only: &str| {
        vec![
            // It holds from the next transaction on; this one has begun.
            "SET default_transaction_read_only = off".to_owned(),
            format!("ALTER DATABASE {name} SET default_transaction_read_only = {read_only}"),
            format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid() \
                 AND backend_type = 'client backend'"
            ),
        ]
    };
    on_the_database(&url, &turned("on")).await;
    eventually("writes are told to come later", async || {
        let answer = source.post("/Users", &person("bea")).await;
        answer.check_scim_error(503, None)?;
        if answer.header("retry-after").is_empty() { Err(answer.describe()) } else { Ok(()) }
    })
    .await;
    let written = tenant
        .send(reqwest::Method::PATCH, "/api/v1/policy", Some(&json!({ "policy": { "auto_deprovision": true } })))
        .await;
    written.expect_problem(503);
    eventually("the hub is unready", async || {
        let answer = hub.get(&format!("{}/readyz", hub.machines_url())).await;
        if answer.status == 503 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    let doctor = hub.run_command(&["doctor"]).expect_failure();
    assert!(doctor.stdout.contains("takes no writes"), "{}", doctor.stdout);
    on_the_database(&url, &turned("off")).await;
    eventually("the hub is ready, and writes go on", async || {
        let answer = source.post("/Users", &with(person("bea"), json!({}))).await;
        if answer.status == 201 || answer.status == 409 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    tenant.eventually_status(&email("bea"), "invited").await;
}

async fn d2_an_address_file_holds_the_database(hub: Hub) {
    let stored = hub.another().only_stored().await;
    let file = stored.folder.join("database-url");
    std::fs::write(&file, format!("{}\n", stored.setting("DATABASE_URL").unwrap())).unwrap();
    let folder = stored.folder.clone();
    let ran = stored.run_bare(&folder, &["migrate"], &[("ROLLCALL_DATABASE_URL_FILE", file.to_str().unwrap())]);
    crate::hub::Ran::new(&["migrate"], ran).expect_success();
}

/// An image may have no certificates to trust. Only sign-in by a provider needs them.
async fn a_hub_without_certificates_serves_and_tells_what_is_missing(hub: Hub) {
    let bare = hub.another().setting("SSL_CERT_FILE", "/dev/null").setting("SSL_CERT_DIR", "/nonexistent");
    // Only an embedded hub makes a sealing key of its own.
    let bare = bare.setting("ROLLCALL_SEALING_KEYS", &format!("{}=", "A".repeat(43))).start().await;
    let tenant = bare.tenant().create();
    tenant.scim_source().user("ann").await;
    let provider = json!({ "issuer": "https://idp.example", "client_id": "rollcall" });
    let refused = tenant.post("/api/v1/sign-in-connections", &provider).await.expect_problem(400);
    assert!(refused.text_at("/detail").contains("ca-certificates"), "{}", refused.describe());
}
