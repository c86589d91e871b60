use super::*;
use reqwest::dns::Resolve;
use std::io::{Read, Write};
use std::net::TcpListener;

fn client(private_addresses: bool) -> Outbound {
    rustls::crypto::ring::default_provider().install_default().ok();
    Outbound::new(OutboundRules { private_addresses, ports: vec![443, 8443] })
}

fn message(url: &str) -> Message<'_> {
    Message { url, id: Uuid::from_u128(7), timestamp: 1, body: b"{}".to_vec(), secrets: &[] }
}

/// Answers one connection with these bytes, and tells what came.
fn serve(answer: &'static [u8]) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut asked = vec![0; 4096];
        let read = stream.read(&mut asked).expect("a request");
        stream.write_all(answer).ok();
        asked.truncate(read);
        String::from_utf8_lossy(&asked).into_owned()
    });
    (url, served)
}

/// Private addresses in fifty spellings and more, and other addresses that are never called.
const NEVER_CALLED: &str = "127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.1 \
    0177.0.0.1 017700000001 0 0.0.0.0 127.0.0.1. 10.0.0.1 \
    10.1 0xa000001 012.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 \
    192.168.1 3232235521 169.254.169.254 2852039166 0xa9fea9fe 169.254.43518 \
    100.64.0.1 198.18.0.1 192.0.2.1 203.0.113.9 224.0.0.1 255.255.255.255 \
    240.0.0.1 [::] [::1] [0:0:0:0:0:0:0:1] [::127.0.0.1] [::ffff:127.0.0.1] \
    [::ffff:7f00:1] [::ffff:169.254.169.254] [64:ff9b::7f00:1] [2002:7f00:1::] [fc00::1] [fd00:ec2::254] \
    [fe80::1] [fec0::1] [ff02::1] [2001:db8::1] １２７.0.0.1 127。0。0。1 \
    %31%32%37.0.0.1 localhost LOCALHOST. localhost. hub.localhost postgres \
    printer.local metadata.google.internal nas.home.arpa.";

#[tokio::test(flavor = "multi_thread")]
async fn pe16_s_no_spelling_of_a_private_address_is_saved_or_called() {
    let client = client(false);
    let hosts: Vec<&str> = NEVER_CALLED.split(' ').collect();
    assert!(hosts.len() >= 40, "{}", hosts.len());
    for host in hosts {
        let url = format!("https://{host}/hook");
        assert!(client.check_name(&url).await.is_err(), "{url} is saved");
        let refused = client.send(message(&url)).await.expect_err("it is called");
        assert!(!matches!(refused, Unsent::Slow), "{url}: {refused}");
    }
    for url in [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "https://user:secret@hooks.example/",
        "https://user@hooks.example/",
        "https://hooks.example:22/",
        "https://hooks.example:6379/",
        "https://hooks.example/#x",
        "https:///",
        "hooks.example",
        "",
    ] {
        assert!(client.check(url).is_err(), "{url:?}");
    }
    for url in ["https://hooks.example/a?b=c", "https://hooks.example:8443/", "https://8.8.8.8/"] {
        client.check(url).unwrap_or_else(|why| panic!("{url}: {why}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pe16_a_name_with_a_private_address_is_refused_at_the_connection() {
    // The name may have been public when it was saved.
    let resolved = PublicNames.resolve("localhost".parse().expect("a name")).await;
    assert!(resolved.is_err_and(|why| why.to_string().contains("private address")));
    assert!(PublicNames.resolve("no-such-host.invalid".parse().expect("a name")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn pe16_a_redirect_is_an_answer_and_not_followed() {
    let (url, served) =
        serve(b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
    let answered = client(true).send(message(&url)).await.expect("an answer");
    assert_eq!(answered.status, 307);
    assert!(!answered.is_success());
    let asked = served.join().expect("a request");
    assert!(asked.starts_with("POST /hook HTTP/1.1\r\n") && asked.contains("webhook-id: 0"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pe16_an_answer_is_read_up_to_its_bound() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut asked = [0; 4096];
        let _ = stream.read(&mut asked).expect("a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\nretry-after: 7\r\n\r\n").ok();
        let mut sent = 0_usize;
        while sent < 64 << 20 && stream.write_all(&[b'x'; 65536]).is_ok() {
            sent += 65536;
        }
        sent
    });
    let answered = client(true).send(message(&url)).await.expect("an answer");
    assert_eq!((answered.status, answered.body.len()), (200, ANSWER_BYTES_MAX));
    assert_eq!(answered.retry_after, Some(Duration::from_secs(7)));
    assert!(served.join().expect("a server") < 64 << 20, "an answer without end is cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn pe16_a_closed_port_is_told() {
    let refused = client(true).send(message("http://127.0.0.1:1/")).await.expect_err("nobody listens");
    assert!(refused.to_string().contains("Connection refused"), "{refused}");
}
