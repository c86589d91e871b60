//! The client against scripted answers: retries, lost answers, and a named finding for each departure from SCIM.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::scripted::{Reply, created, error, list, scripted};
use rollcall_simulator::{Chaos, Code, Idp, Options, Phase, Report, Severity};
use serde_json::{Value, json};

fn options(idp: Idp, url: &str) -> Options {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = Options::new(idp, url, "s3cret-token");
    options.users = 1;
    options.groups = Some(0);
    options.phases = vec![Phase::People];
    options.retries.first_wait = Duration::from_millis(1);
    options.retries.longest_wait = Duration::from_millis(20);
    options.retries.attempts = 4;
    options
}

async fn play(options: Options) -> Report {
    // Spawned, because the run must be usable from any task of a caller.
    let run = tokio::spawn(async move {
        let mut progress = Vec::new();
        rollcall_simulator::run(options, &mut progress).await
    });
    run.await.expect("no panic").expect("a report")
}

#[tokio::test]
async fn dw4_a_429_is_waited_out_and_a_missing_retry_after_is_named() {
    let (url, heard) = scripted(Box::new(|heard, before| match (heard.method.as_str(), before) {
        (_, 0) => Reply::scim(429, &error(429)).header("retry-after", "0"),
        (_, 1) => Reply::scim(429, &error(429)),
        ("GET", _) => Reply::scim(200, &list(&[])),
        _ => created(heard),
    }))
    .await;
    let report = play(options(Idp::Okta, &url)).await;
    assert_eq!(report.retries.throttled, 2);
    assert!(report.expected.users[0].accepted, "{report}");
    let named = report.finding(Code::ThrottledWithoutRetryAfter).expect("named");
    assert_eq!(named.count, 1);
    assert_eq!(report.defects().count(), 1, "{report}");
    let heard = heard.lock().expect("not poisoned");
    assert_eq!(heard.len(), 5, "two 429, a look-up for an earlier session, the look-up, the create");
    assert!(heard[0].target.starts_with("/scim/v2/source/Users?filter=userName%20eq%20%22"), "{}", heard[0].target);
    assert!(heard[0].target.ends_with("%22&startIndex=1&count=100"), "{}", heard[0].target);
    assert_eq!(heard[0].headers["authorization"], "Bearer s3cret-token");
    assert_eq!(heard[0].headers["user-agent"], "Okta SCIM Client 1.0.0");
}

#[tokio::test]
async fn a_500_is_tried_again_a_bounded_number_of_times() {
    let (url, heard) = scripted(Box::new(|_, _| Reply::scim(503, &error(503)))).await;
    let report = play(options(Idp::Entra, &url)).await;
    // Two look-ups, for an earlier session and for the person, four attempts each.
    assert_eq!(heard.lock().expect("not poisoned").len(), 8);
    assert_eq!(report.retries.server_errors, 8);
    assert_eq!(report.finding(Code::ServerError).expect("named").severity, Severity::Defect);
    let people = report.phases.iter().find(|phase| phase.phase == "people").expect("played");
    assert_eq!(people.failed, 1);
    assert!(!report.expected.users[0].accepted && report.expected.users[0].id.is_none());
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_meets_its_409_and_looks_up() {
    // The hub accepted the first POST; its answer never arrived, because chaos drops the first answers.
    let stored: Arc<Mutex<Option<Value>>> = Arc::default();
    let store = Arc::clone(&stored);
    let (url, heard) = scripted(Box::new(move |heard, _| {
        let mut stored = store.lock().expect("not poisoned");
        match (heard.method.as_str(), stored.as_ref()) {
            ("GET", None) => Reply::scim(200, &list(&[])),
            ("GET", Some(user)) if heard.target.contains("filter=") => {
                Reply::scim(200, &list(std::slice::from_ref(user)))
            }
            ("GET" | "PUT", Some(user)) => Reply::scim(200, user),
            (_, Some(_)) => Reply::scim(409, &error(409)),
            (_, None) => {
                let reply = created(heard);
                *stored = serde_json::from_str(&reply.body).ok();
                reply
            }
        }
    }))
    .await;
    let mut options = options(Idp::OneLogin, &url);
    options.chaos = Some(Chaos { duplicate: 0.0, drop_answers: 1.0, reorder: false, parallel_group_patches: false });
    let report = play(options).await;
    assert_eq!(report.expected.users[0].id.as_deref(), Some("u1"), "{report}");
    assert_eq!(report.defects().count(), 0, "{report}");
    assert!(report.retries.answers_dropped > 3);
    let heard = heard.lock().expect("not poisoned");
    let posts = heard.iter().filter(|request| request.method == "POST").count();
    assert!(posts > 1, "the lost create is sent again");
}

#[tokio::test]
async fn every_departure_from_scim_is_named() {
    let (url, _) = scripted(Box::new(|heard, _| {
        if heard.method == "GET" {
            return Reply {
                status: 200,
                headers: vec![("content-type".to_owned(), "text/html".to_owned())],
                body: json!({ "totalResults": "0", "itemsPerPage": 0, "startIndex": 1 }).to_string(),
            };
        }
        Reply::scim(400, &json!({ "error": "bad" }))
    }))
    .await;
    let report = play(options(Idp::JumpCloud, &url)).await;
    for code in [Code::WrongContentType, Code::ListWithoutSchema, Code::ListCountNotInteger] {
        assert!(report.finding(code).is_some(), "{code:?} missing in {report}");
    }

    let (url, _) = scripted(Box::new(|heard, _| {
        if heard.method == "GET" {
            return Reply::scim(200, &list(&[]));
        }
        let mut reply = created(heard);
        let mut body: Value = serde_json::from_str(&reply.body).expect("JSON");
        body["active"] = json!("True");
        body["password"] = json!("shown");
        body["name"]["familyName"] = json!("ASCII only");
        reply.headers.truncate(1);
        Reply { body: body.to_string(), ..reply }
    }))
    .await;
    let report = play(options(Idp::Ping, &url)).await;
    for code in [Code::ActiveNotBoolean, Code::PasswordReturned, Code::AttributeLost, Code::MissingLocation] {
        assert!(report.finding(code).is_some(), "{code:?} missing in {report}");
    }

    let (url, _) = scripted(Box::new(|heard, _| {
        if heard.method == "GET" {
            return Reply::scim(200, &list(&[]));
        }
        Reply::scim(400, &json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": 400 }))
    }))
    .await;
    let report = play(options(Idp::EntraFlag, &url)).await;
    for code in [Code::ErrorStatusNotString, Code::ErrorWithoutDetail, Code::UnexpectedStatus] {
        assert!(report.finding(code).is_some(), "{code:?} missing in {report}");
    }
}

#[tokio::test]
async fn the_recording_has_every_exchange_and_no_secret() {
    let (url, heard) =
        scripted(Box::new(
            |heard, _| {
                if heard.method == "GET" { Reply::scim(200, &list(&[])) } else { created(heard) }
            },
        ))
        .await;
    let path = std::env::temp_dir().join(format!("rollcall-recording-{}.ndjson", std::process::id()));
    let mut options = options(Idp::Okta, &url);
    options.record = Some(path.clone());
    options.users = 3;
    let report = play(options).await;
    let text = std::fs::read_to_string(&path).expect("a recording");
    std::fs::remove_file(&path).expect("removed");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("one JSON a line")).collect();
    assert_eq!(lines.len() as u64, report.requests);
    assert_eq!(lines.len(), heard.lock().expect("not poisoned").len());
    assert!(!text.contains("s3cret-token"));
    let post = lines.iter().find(|line| line["method"] == "POST").expect("a create");
    assert_eq!(post["request"]["password"], "***");
    assert_eq!(post["status"], 201);
    assert_eq!(post["answer"]["id"], "u1");
}

#[tokio::test]
async fn the_entra_flag_is_in_the_query_of_every_request() {
    let (url, heard) =
        scripted(Box::new(
            |heard, _| {
                if heard.method == "GET" { Reply::scim(200, &list(&[])) } else { created(heard) }
            },
        ))
        .await;
    let mut flagged = options(Idp::EntraFlag, &url);
    flagged.phases = vec![Phase::TestConnection, Phase::People];
    play(flagged).await;
    let heard = heard.lock().expect("not poisoned");
    assert!(heard.len() >= 4);
    for request in heard.iter() {
        assert!(request.target.contains("?aadOptscim062020"), "{}", request.target);
        assert!(!request.target.contains("pasted"), "{}", request.target);
    }
    assert!(heard[0].target.contains("&filter=userName+eq+%22"), "{}", heard[0].target);
}

async fn refusal(options: Options) -> String {
    let run = tokio::spawn(async move { rollcall_simulator::run(options, &mut Vec::new()).await });
    run.await.expect("no panic").expect_err("a refusal").to_string()
}

#[tokio::test]
async fn f3_a_closed_port_ends_the_run_at_once_in_one_sentence() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let mut options = options(Idp::Okta, &format!("http://{address}/scim/v2/source"));
    // So long would the first retry wait.
    options.retries.first_wait = Duration::from_secs(600);
    options.phases = Phase::LIFECYCLE.to_vec();
    let why = refusal(options).await;
    assert!(
        why.starts_with(&format!("nothing listens at http://{address}/scim/v2/source (connection refused)")),
        "{why}"
    );
}

#[tokio::test]
async fn f3_a_server_that_speaks_no_http_ends_the_run_at_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut caller, _)) = listener.accept().await {
            tokio::io::AsyncWriteExt::write_all(&mut caller, b"E\0\0\0\x0bSFATAL\0").await.ok();
        }
    });
    let mut options = options(Idp::Okta, &format!("http://{address}/scim/v2/source"));
    options.retries.first_wait = Duration::from_secs(600);
    options.phases = Phase::LIFECYCLE.to_vec();
    let why = refusal(options).await;
    assert!(why.starts_with(&format!("what listens at http://{address}/scim/v2/source does not speak HTTP")), "{why}");
}

#[tokio::test]
async fn f3_a_refused_token_ends_the_run_after_one_request() {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "401", "detail": "unknown token" });
    let (url, heard) = scripted(Box::new(move |_, _| Reply::scim(401, &body))).await;
    for idp in Idp::ALL {
        let before = heard.lock().expect("not poisoned").len();
        let why = refusal(options(idp, &url)).await;
        assert!(why.contains("refuses the token (unknown token)"), "{idp}: {why}");
        assert_eq!(heard.lock().expect("not poisoned").len(), before + 1, "{idp}");
    }
}

#[tokio::test]
async fn f3_an_address_without_scim_ends_the_run() {
    let (url, heard) = scripted(Box::new(|_, _| Reply::scim(404, &error(404)))).await;
    let why = refusal(options(Idp::Entra, &url)).await;
    assert!(why.starts_with("there is no SCIM endpoint at http://127.0.0.1:"), "{why}");
    assert_eq!(heard.lock().expect("not poisoned").len(), 1);
}
