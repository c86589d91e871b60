//! Clients that hold connections: slow heads, slow and refused bodies, readers that do not read, and many sockets. Each is cut off,
//! and others are served meanwhile.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::answer::Answer;
use crate::hub::{Hub, HubBuilder};
use crate::large_answers::large_events;
use crate::registry::{Case, cases};
use crate::verbs::{ScimSource, eventually, person, with, within};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        rc22_s3_the_rest_of_a_refused_body_is_not_read,
        rc22_s3_a_head_that_does_not_end_is_cut_off_on_a_kept_connection_too,
        rc22_s3_a_large_head_is_cut_off_before_it_ends,
        rc22_s3_a_body_that_does_not_end_is_refused_in_the_services_own_format,
        rc22_s3_strangers_make_room_for_probes_and_good_tokens,
        rc22_s3_one_address_cannot_take_every_connection,
        rc22_s2_answers_that_nobody_reads_count_against_their_tenant_alone,
        rc22_s2_a_reader_that_does_not_read_is_cut_off,
        rc22_s2_unread_answers_of_the_rest_api_count_too,
        rc22_s2_requests_in_a_row_whose_answers_nobody_reads_are_cut_off,
        rc22_s3_http_2_is_not_served_so_its_streams_are_no_way_around,
        rc22_s3_the_limit_of_failed_logins_is_the_clients_behind_a_trusted_proxy,
    ]
}

/// Longest wait for the hub to let go of a connection, on a busy machine.
const LET_GO: Duration = Duration::from_secs(20);
/// A caller is served in this time whatever others do. The bound of a debug build beside other tests; `make abuse` asks for less.
const SERVED: Duration = Duration::from_secs(5);

async fn connect(hub: &Hub) -> TcpStream {
    TcpStream::connect(address(hub)).await.unwrap()
}

fn address(hub: &Hub) -> String {
    hub.machines_url().trim_start_matches("http://").to_owned()
}

/// The bytes until the hub closes the connection.
async fn read_to_the_end(stream: &mut TcpStream, limit: Duration) -> String {
    let mut bytes = Vec::new();
    let ended = timeout(limit, stream.read_to_end(&mut bytes)).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // A reset is an end too.
    assert!(ended.is_ok(), "the connection is open after {limit:?}; it said {text:?}");
    text
}

async fn rc22_s3_the_rest_of_a_refused_body_is_not_read(hub: Hub) {
    let mut stream = connect(&hub).await;
    let head = "POST /scim/v2/x/Users HTTP/1.1\r\nhost: hub\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut answers, mut body) = stream.into_split();
    // The client goes on sending: a byte at each poll, as long as the hub takes them.
    let sent = async {
        within(LET_GO, "the hub takes no more of the body", async || match body.write_all(b"1\r\n \r\n").await {
            Ok(()) => Err("it takes more".to_owned()),
            Err(_) => Ok(()),
        })
        .await;
    };
    let answered = async {
        let mut text = Vec::new();
        answers.read_to_end(&mut text).await.ok();
        String::from_utf8_lossy(&text).into_owned()
    };
    let ((), text) = tokio::join!(sent, answered);
    assert!(text.starts_with("HTTP/1.1 401") && text.contains("connection: close"), "{text}");
}

async fn rc22_s3_a_head_that_does_not_end_is_cut_off_on_a_kept_connection_too(hub: Hub) {
    let hub = hub.another().setting("ROLLCALL_HTTP_REQUEST_TIMEOUT_SECONDS", "1").start().await;
    let mut fresh = connect(&hub).await;
    fresh.write_all(b"GET /heal").await.unwrap();
    assert!(read_to_the_end(&mut fresh, LET_GO).await.starts_with("HTTP/1.1 408"));
    // actix-web's own deadline ends with the first head of a connection.
    let mut kept = connect(&hub).await;
    kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: hub\r\n\r\n").await.unwrap();
    let mut first = [0; 4096];
    let read = kept.read(&mut first).await.unwrap();
    assert!(String::from_utf8_lossy(&first[..read]).starts_with("HTTP/1.1 200"));
    let (mut answers, mut head) = kept.into_split();
    let dripped = async {
        within(LET_GO, "the hub takes no more of the head", async || match head.write_all(b"G").await {
            Ok(()) => Err("it takes more".to_owned()),
            Err(_) => Ok(()),
        })
        .await;
    };
    let mut rest = Vec::new();
    let ended = timeout(LET_GO, answers.read_to_end(&mut rest));
    assert!(tokio::join!(dripped, ended).1.is_ok(), "the connection is open");
}

async fn rc22_s3_a_large_head_is_cut_off_before_it_ends(hub: Hub) {
    for bytes in [30_000, 100_000] {
        let mut stream = connect(&hub).await;
        let head = format!("GET /healthz HTTP/1.1\r\nhost: hub\r\nx-long: {}", "x".repeat(bytes));
        stream.write_all(head.as_bytes()).await.unwrap();
        if bytes > 32 * 1024 {
            assert_eq!(read_to_the_end(&mut stream, Duration::from_secs(10)).await, "", "long before its deadline");
            continue;
        }
        // The largest filter, percent-encoded, fits; and so does a body that comes together with its head.
        stream.write_all(b"\r\nconnection: close\r\n\r\n").await.unwrap();
        assert!(read_to_the_end(&mut stream, LET_GO).await.starts_with("HTTP/1.1 200"));
    }
    let source = hub.tenant().create().scim_source();
    source.post("/Users", &large_person(1)).await.expect(201);
}

async fn rc22_s3_a_body_that_does_not_end_is_refused_in_the_services_own_format(hub: Hub) {
    let hub = hub.another().setting("ROLLCALL_HTTP_BODY_TIMEOUT_SECONDS", "1").start().await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for (path, token, format) in [
        (format!("/scim/v2/{}/Users", source.id), &source.token, "application/scim+json"),
        ("/api/v1/policy/mapping/preview".to_owned(), &tenant.key, "application/problem+json"),
    ] {
        let mut stream = connect(&hub).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: 100\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let text = read_to_the_end(&mut stream, LET_GO).await;
        assert!(text.starts_with("HTTP/1.1 408") && text.contains(format), "{text}");
        assert!(text.contains("8192 bytes a second"), "{text}");
    }
    source.user("ann").await;
}

/// Opens sockets that say nothing, until `count` are open or were closed by the hub.
async fn idle_sockets(hub: &Hub, count: usize) -> Vec<TcpStream> {
    let mut sockets = Vec::new();
    for _ in 0..count {
        sockets.push(connect(hub).await);
    }
    sockets
}

async fn answered_in_time(hub: &Hub, source: &ScimSource) {
    let begun = Instant::now();
    let fresh = reqwest::Client::builder().no_proxy().build().unwrap();
    Answer::of(fresh.get(format!("{}/healthz", hub.machines_url()))).await.expect(200);
    let users = fresh.get(format!("{}/Users?count=1", source.base)).bearer_auth(&source.token);
    Answer::of(users).await.expect(200);
    assert!(begun.elapsed() < SERVED, "they took {:?}", begun.elapsed());
}

async fn rc22_s3_strangers_make_room_for_probes_and_good_tokens(hub: Hub) {
    let limits = hub.another().setting("ROLLCALL_HTTP_CONNECTIONS_MAX", "24");
    let hub = limits.setting("ROLLCALL_HTTP_CONNECTIONS_PER_PEER_MAX", "1000").start().await;
    let source = hub.tenant().create().scim_source();
    // A connection of a known caller outlives the flood, although it is idle.
    let mut known = connect(&hub).await;
    let ask = get(&format!("/scim/v2/{}/Schemas", source.id), &source.token);
    let mut asks_again = async || {
        known.write_all(ask.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut text = String::new();
        let mut buffer = [0; 8192];
        while !text.contains("\"totalResults\"") {
            match known.read(&mut buffer).await {
                Ok(read) if read > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..read])),
                ended => return Err(format!("{ended:?} after {text:?}")),
            }
        }
        Ok(())
    };
    asks_again().await.unwrap();
    let _held = idle_sockets(&hub, 120).await;
    answered_in_time(&hub, &source).await;
    asks_again().await.unwrap();
    let metrics = hub.get(&hub.metrics_url()).await.expect(200).text;
    let closed = metrics.lines().find(|line| line.starts_with("rollcall_connections_closed_total{reason=\"full\"}"));
    let closed: u64 = closed.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap();
    assert!(closed >= 90, "{closed} were closed");
}

async fn rc22_s3_one_address_cannot_take_every_connection(hub: Hub) {
    let hub = hub.another().setting("ROLLCALL_HTTP_CONNECTIONS_PER_PEER_MAX", "8").start().await;
    let mut first = connect(&hub).await;
    let _held = idle_sockets(&hub, 30).await;
    assert_eq!(read_to_the_end(&mut first, LET_GO).await, "", "the oldest goes");
    let source = hub.tenant().create().scim_source();
    answered_in_time(&hub, &source).await;
}

/// A person of some 60 KB.
fn large_person(number: usize) -> serde_json::Value {
    with(person(&format!("p{number}")), json!({ "urn:acme:1.0:User": { "notes": "x".repeat(60_000) } }))
}

async fn hub_with_large_people(settings: HubBuilder, people: usize) -> (Hub, ScimSource) {
    let hub = settings.start().await;
    let source = hub.tenant().create().scim_source();
    for number in 0..people {
        source.post("/Users", &large_person(number)).await.expect(201);
    }
    (hub, source)
}

/// A client that asks for everybody and reads nothing.
async fn unread(hub: &Hub, source: &ScimSource) -> TcpStream {
    let mut stream = narrow(hub).await;
    let ask = get(&format!("/scim/v2/{}/Users?count=100", source.id), &source.token);
    stream.write_all(ask.as_bytes()).await.unwrap();
    stream
}

/// A connection whose client has room for a few KiB.
async fn narrow(hub: &Hub) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address(hub).parse().unwrap()).await.unwrap()
}

fn get(path: &str, secret: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {secret}\r\n\r\n")
}

async fn rc22_s2_answers_that_nobody_reads_count_against_their_tenant_alone(hub: Hub) {
    // A share of 3 MB: an answer of 2 MB fits, and a second one does not.
    let settings = hub.another().setting("ROLLCALL_HTTP_ANSWER_BYTES_UNREAD_MAX", "12000000");
    let (hub, greedy) = hub_with_large_people(settings, 34).await;
    let other = hub.tenant().create().scim_source();
    other.user("ann").await;
    let mut held = vec![unread(&hub, &greedy).await];
    eventually("the tenant's share is used up", async || {
        held.push(unread(&hub, &greedy).await);
        let answer = greedy.get("/Users?count=100").await;
        answer.check_scim_error(429, None)?;
        assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{}", answer.describe());
        assert!(answer.text.contains("smaller pages"), "{}", answer.describe());
        Ok(())
    })
    .await;
    // Small answers of the same tenant are given, and every answer of others.
    greedy.get("/ServiceProviderConfig").await.expect(200);
    other.get("/Users?count=100").await.expect(200);
    drop(held);
    eventually("a share is free again once the readers are gone", async || {
        let answer = greedy.get("/Users?count=100").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
}

async fn rc22_s2_a_reader_that_does_not_read_is_cut_off(hub: Hub) {
    let (hub, source) = hub_with_large_people(hub.another(), 34).await;
    let _held = unread(&hub, &source).await;
    within(Duration::from_secs(40), "the reader is cut off and its bytes are free", async || {
        let metrics = hub.get(&hub.metrics_url()).await.expect(200).text;
        let shows = |line: &str| metrics.lines().any(|shown| shown == line);
        let freed = shows("rollcall_answer_bytes_unread 0");
        let counted = shows("rollcall_connections_closed_total{reason=\"slow_reader\"} 1");
        if freed && counted { Ok(()) } else { Err(format!("freed {freed}, counted {counted}")) }
    })
    .await;
}

async fn rc22_s2_unread_answers_of_the_rest_api_count_too(hub: Hub) {
    // A share of 3 MB, as above.
    let hub = hub.another().setting("ROLLCALL_HTTP_ANSWER_BYTES_UNREAD_MAX", "12000000").start().await;
    let (greedy, other) = (hub.tenant().create(), hub.tenant().create());
    large_events(&greedy, 8).await;
    let list = "/api/v1/audit-events?kind=policy.changed&limit=200";
    let mut held = Vec::new();
    eventually("the tenant's share is used up", async || {
        let mut stream = narrow(&hub).await;
        stream.write_all(get(list, &greedy.key).as_bytes()).await.unwrap();
        held.push(stream);
        let answer = greedy.get(list).await;
        answer.check_problem(429)?;
        assert_eq!(answer.at("/code"), "answers_unread", "{}", answer.describe());
        Ok(())
    })
    .await;
    greedy.get("/api/v1/sources").await.expect(200);
    large_events(&other, 1).await;
    other.get(list).await.expect(200);
}

async fn rc22_s2_requests_in_a_row_whose_answers_nobody_reads_are_cut_off(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let mut stream = narrow(&hub).await;
    let ask = get(&format!("/scim/v2/{}/Schemas", source.id), &source.token).repeat(16);
    // Each answer is small, and none is read: the hub reads no further requests, and then gives up.
    let asked = async { while stream.write_all(ask.as_bytes()).await.is_ok() {} };
    assert!(timeout(Duration::from_secs(40), asked).await.is_ok(), "the connection is open");
    source.get("/Users").await.expect(200);
}

async fn rc22_s3_http_2_is_not_served_so_its_streams_are_no_way_around(hub: Hub) {
    // With prior knowledge: the preface and empty SETTINGS.
    let mut stream = connect(&hub).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let text = read_to_the_end(&mut stream, LET_GO).await;
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 400"), "{text}");
    // By an upgrade.
    let mut stream = connect(&hub).await;
    let upgrade = "GET /healthz HTTP/1.1\r\nhost: hub\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
                   http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&first), "HTTP/1.1 200");
}

async fn rc22_s3_the_limit_of_failed_logins_is_the_clients_behind_a_trusted_proxy(hub: Hub) {
    let limits = hub.another().setting("ROLLCALL_INGEST_FAILED_AUTH_PER_SECOND", "0.001");
    let limits = limits.setting("ROLLCALL_INGEST_FAILED_AUTH_BURST", "3");
    let hub = limits.setting("ROLLCALL_HTTP_TRUSTED_PROXIES", "127.0.0.1").start().await;
    let url = format!("{}/api/v1/members", hub.people_url());
    let guess = async |client: &str| {
        let request = hub.http().get(&url).header("x-forwarded-for", client).bearer_auth("rck_wrong");
        Answer::of(request).await.status
    };
    for _ in 0..3 {
        assert_eq!(guess("203.0.113.9").await, 401);
    }
    assert_eq!(guess("203.0.113.9").await, 429);
    assert_eq!(guess("198.51.100.7").await, 401, "another client of the same proxy");
    assert_eq!(guess("198.51.100.8, 203.0.113.9").await, 429, "the client's own word is not believed");
}
