//! A product's endpoint: a small HTTP server that keeps what it gets and answers as a test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The answer of a receiver.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    Status(u16),
    Redirect(String),
    /// Takes the request, and says nothing.
    Hang,
    /// Sends a byte of its answer now and then, without end.
    Drip,
}

/// A message as it came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn id(&self) -> String {
        self.headers["webhook-id"].to_str().unwrap().to_owned()
    }

    pub(crate) fn sequence(&self) -> String {
        self.json()["sequence"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn signatures(&self) -> usize {
        self.headers["webhook-signature"].to_str().unwrap().split(' ').count()
    }
}

struct Shared {
    manner: Manner,
    got: Vec<Got>,
}

/// A running receiver; it ends when it is dropped.
pub(crate) struct Receiver {
    shared: Arc<Mutex<Shared>>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared { manner: Manner::Status(200), got: Vec::new() }));
        let of_connections = Arc::clone(&shared);
        let serving = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(converse(stream, Arc::clone(&of_connections)));
            }
        });
        Self { shared, address, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn answers(&self, manner: Manner) {
        lock(&self.shared).manner = manner;
    }

    /// Everything that came, in its order.
    pub(crate) fn got(&self) -> Vec<Got> {
        lock(&self.shared).got.clone()
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn converse(mut stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    let mut read = Vec::new();
    while let Some(got) = request(&mut stream, &mut read).await {
        let manner = {
            let mut shared = lock(&shared);
            shared.got.push(got);
            shared.manner.clone()
        };
        let head = match manner {
            Manner::Status(status) => {
                let body = format!("status {status}");
                format!("HTTP/1.1 {status} Told\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            }
            Manner::Redirect(ref to) => {
                format!("HTTP/1.1 307 Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
            }
            Manner::Hang => return std::future::pending().await,
            Manner::Drip => "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_owned(),
        };
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        let drips = matches!(manner, Manner::Drip);
        let mut open = drips;
        while open {
            tokio::time::sleep(Duration::from_millis(200)).await;
            open = stream.write_all(b"x").await.is_ok();
        }
        if drips {
            return;
        }
    }
}

/// The next request of a connection; none at its end.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Got> {
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let mut headers = HeaderMap::new();
    for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(": ")) {
        headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    let length: usize = headers.get("content-length").map_or(0, |length| length.to_str().unwrap().parse().unwrap());
    while read.len() < end + 4 + length {
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&read[end + 4..end + 4 + length]).into_owned();
    read.drain(..end + 4 + length);
    Some(Got { headers, body })
}
