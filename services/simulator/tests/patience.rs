//! The client against scripted answers: patience, lost answers, and that each departure from SCIM is named.
//!
//! The other end is a few lines of HTTP over a loopback socket: what matters here is one answer at a time, not a hub.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rollcall_simulator::{Chaos, Code, Idp, Options, Phase, Report, Severity};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const SCIM: &str = "application/scim+json";

#[derive(Clone)]
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Reply {
    fn scim(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), SCIM.to_owned())],
            body: body.to_string(),
        }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

struct Heard {
    method: String,
    target: String,
    headers: HashMap<String, String>,
    body: String,
}

type Script = dyn Fn(&Heard, usize) -> Reply + Send + Sync;

/// Answers every request by `script`, which also gets the number of requests before; returns the URL and what was heard.
async fn scripted(script: Box<Script>) -> (String, Arc<Mutex<Vec<Heard>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!(
        "http://{}/scim/v2/source?pasted=query",
        listener.local_addr().expect("bound")
    );
    let heard = Arc::new(Mutex::new(Vec::new()));
    let script: Arc<Script> = Arc::from(script);
    let all = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (script, all) = (Arc::clone(&script), Arc::clone(&all));
            tokio::spawn(async move { serve(socket, &*script, &all).await });
        }
    });
    (url, heard)
}

async fn serve(socket: TcpStream, script: &Script, all: &Mutex<Vec<Heard>>) {
    let mut stream = BufReader::new(socket);
    while let Some(request) = read_request(&mut stream).await {
        let reply = {
            let mut all = all.lock().expect("not poisoned");
            let before = all.len();
            let reply = script(&request, before);
            all.push(request);
            reply
        };
        let mut text = format!(
            "HTTP/1.1 {} X\r\ncontent-length: {}\r\n",
            reply.status,
            reply.body.len()
        );
        for (name, value) in &reply.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(&reply.body);
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Heard> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Heard {
        method,
        target,
        headers,
        body,
    })
}

fn list(resources: &[Value]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(), "startIndex": 1, "itemsPerPage": resources.len(), "Resources": resources,
    })
}

fn error(status: u16) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": "no" })
}

/// What was posted, with an id and a place.
fn created(heard: &Heard) -> Reply {
    let mut body: Value = serde_json::from_str(&heard.body).expect("a JSON body");
    let fields = body.as_object_mut().expect("an object");
    fields.remove("password");
    fields.insert("id".to_owned(), json!("u1"));
    fields.insert(
        "meta".to_owned(),
        json!({ "resourceType": "User", "location": "http://h/Users/u1" }),
    );
    Reply::scim(201, &body).header("location", "http://h/Users/u1")
}

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
    // Spawned: the run must be usable from any task of a caller.
    let run = tokio::spawn(async move {
        let mut progress = Vec::new();
        rollcall_simulator::run(options, &mut progress).await
    });
    run.await.expect("no panic").expect("a report")
}

#[tokio::test]
async fn dw4_a_429_is_waited_out_and_a_missing_retry_after_is_named() {
    let (url, heard) = scripted(Box::new(|heard, before| {
        match (heard.method.as_str(), before) {
            (_, 0) => Reply::scim(429, &error(429)).header("retry-after", "0"),
            (_, 1) => Reply::scim(429, &error(429)),
            ("GET", _) => Reply::scim(200, &list(&[])),
            _ => created(heard),
        }
    }))
    .await;
    let report = play(options(Idp::Okta, &url)).await;
    assert_eq!(report.retries.throttled, 2);
    assert!(report.expected.users[0].accepted, "{report}");
    let named = report
        .finding(Code::ThrottledWithoutRetryAfter)
        .expect("named");
    assert_eq!(named.count, 1);
    assert_eq!(report.defects().count(), 1, "{report}");
    let heard = heard.lock().expect("not poisoned");
    assert_eq!(heard.len(), 4);
    assert!(
        heard[0]
            .target
            .starts_with("/scim/v2/source/Users?filter=userName%20eq%20%22"),
        "{}",
        heard[0].target
    );
    assert!(
        heard[0].target.ends_with("%22&startIndex=1&count=100"),
        "{}",
        heard[0].target
    );
    assert_eq!(heard[0].headers["authorization"], "Bearer s3cret-token");
    assert_eq!(heard[0].headers["user-agent"], "Okta SCIM Client 1.0.0");
}

#[tokio::test]
async fn a_500_is_tried_again_a_bounded_number_of_times() {
    let (url, heard) = scripted(Box::new(|_, _| Reply::scim(503, &error(503)))).await;
    let report = play(options(Idp::Entra, &url)).await;
    assert_eq!(heard.lock().expect("not poisoned").len(), 4);
    assert_eq!(report.retries.server_errors, 4);
    assert_eq!(
        report.finding(Code::ServerError).expect("named").severity,
        Severity::Defect
    );
    assert_eq!(report.phases[0].failed, 1);
    assert!(!report.expected.users[0].accepted && report.expected.users[0].id.is_none());
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_meets_its_409_and_looks_up() {
    // The hub took the first POST; its answer never arrived, because chaos drops the first answers.
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
    options.chaos = Some(Chaos {
        duplicate: 0.0,
        drop_answers: 1.0,
        reorder: false,
        parallel_group_patches: false,
    });
    let report = play(options).await;
    assert_eq!(
        report.expected.users[0].id.as_deref(),
        Some("u1"),
        "{report}"
    );
    assert_eq!(report.defects().count(), 0, "{report}");
    assert!(report.retries.answers_dropped > 3);
    let heard = heard.lock().expect("not poisoned");
    let posts = heard
        .iter()
        .filter(|request| request.method == "POST")
        .count();
    assert!(posts > 1, "the lost create is sent again");
}

#[tokio::test]
async fn every_departure_from_scim_is_named() {
    let (url, _) = scripted(Box::new(|heard, _| {
        if heard.method == "GET" {
            return Reply {
                status: 200,
                headers: vec![("content-type".to_owned(), "text/html".to_owned())],
                body: json!({ "totalResults": "0", "itemsPerPage": 0, "startIndex": 1 })
                    .to_string(),
            };
        }
        Reply::scim(400, &json!({ "error": "bad" }))
    }))
    .await;
    let report = play(options(Idp::JumpCloud, &url)).await;
    for code in [
        Code::WrongContentType,
        Code::ListWithoutSchema,
        Code::ListCountNotInteger,
    ] {
        assert!(
            report.finding(code).is_some(),
            "{code:?} missing in {report}"
        );
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
        Reply {
            body: body.to_string(),
            ..reply
        }
    }))
    .await;
    let report = play(options(Idp::Ping, &url)).await;
    for code in [
        Code::ActiveNotBoolean,
        Code::PasswordReturned,
        Code::AttributeLost,
        Code::MissingLocation,
    ] {
        assert!(
            report.finding(code).is_some(),
            "{code:?} missing in {report}"
        );
    }

    let (url, _) = scripted(Box::new(|heard, _| {
        if heard.method == "GET" {
            return Reply::scim(200, &list(&[]));
        }
        Reply::scim(
            400,
            &json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": 400 }),
        )
    }))
    .await;
    let report = play(options(Idp::EntraFlag, &url)).await;
    for code in [
        Code::ErrorStatusNotString,
        Code::ErrorWithoutDetail,
        Code::UnexpectedStatus,
    ] {
        assert!(
            report.finding(code).is_some(),
            "{code:?} missing in {report}"
        );
    }
}

#[tokio::test]
async fn the_recording_has_every_exchange_and_no_secret() {
    let (url, heard) = scripted(Box::new(|heard, _| {
        if heard.method == "GET" {
            Reply::scim(200, &list(&[]))
        } else {
            created(heard)
        }
    }))
    .await;
    let path =
        std::env::temp_dir().join(format!("rollcall-recording-{}.ndjson", std::process::id()));
    let mut options = options(Idp::Okta, &url);
    options.record = Some(path.clone());
    options.users = 3;
    let report = play(options).await;
    let text = std::fs::read_to_string(&path).expect("a recording");
    std::fs::remove_file(&path).expect("removed");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON a line"))
        .collect();
    assert_eq!(lines.len() as u64, report.requests);
    assert_eq!(lines.len(), heard.lock().expect("not poisoned").len());
    assert!(!text.contains("s3cret-token"));
    let post = lines
        .iter()
        .find(|line| line["method"] == "POST")
        .expect("a create");
    assert_eq!(post["request"]["password"], "***");
    assert_eq!(post["status"], 201);
    assert_eq!(post["answer"]["id"], "u1");
}

#[tokio::test]
async fn the_entra_flag_is_in_the_query_of_every_request() {
    let (url, heard) = scripted(Box::new(|heard, _| {
        if heard.method == "GET" {
            Reply::scim(200, &list(&[]))
        } else {
            created(heard)
        }
    }))
    .await;
    let mut flagged = options(Idp::EntraFlag, &url);
    flagged.phases = vec![Phase::TestConnection, Phase::People];
    play(flagged).await;
    let heard = heard.lock().expect("not poisoned");
    assert!(heard.len() >= 4);
    for request in heard.iter() {
        assert!(
            request.target.contains("?aadOptscim062020"),
            "{}",
            request.target
        );
        assert!(!request.target.contains("pasted"), "{}", request.target);
    }
    assert!(
        heard[0].target.contains("&filter=userName+eq+%22"),
        "{}",
        heard[0].target
    );
}
