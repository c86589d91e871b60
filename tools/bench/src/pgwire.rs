//! Counts the conversation with PostgreSQL: a proxy on loopback that forwards bytes and parses the messages. Every
//! ReadyForQuery is one round trip; every Execute or simple query is one statement, whose text is kept. The database
//! needs no configuration, and pipelined messages are counted one by one.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

use crate::error::BenchError;

const SSL_REQUEST: u32 = 80_877_103;

/// Traffic since the last [`Counter::take`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Traffic {
    /// Number of times that the client waited for the server.
    pub(crate) round_trips: u64,
    /// Statements in the order of execution.
    pub(crate) statements: Vec<String>,
}

/// A running proxy.
pub(crate) struct Counter {
    /// The address that it listens on.
    pub(crate) address: SocketAddr,
    traffic: Arc<Mutex<Traffic>>,
}

impl Counter {
    /// Starts it on a free port of loopback, on the current runtime.
    pub(crate) async fn start(upstream: SocketAddr) -> Result<Self, BenchError> {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.map_err(BenchError::io("listening for the counting proxy"))?;
        let address = listener.local_addr().map_err(BenchError::io("listening for the counting proxy"))?;
        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let shared = Arc::clone(&traffic);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A connection that fails shows up as an error in the server under measurement.
                tokio::spawn(forward(client, upstream, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, traffic })
    }

    /// Returns the traffic so far, and starts counting again.
    pub(crate) fn take(&self) -> Traffic {
        std::mem::take(&mut *self.traffic.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn forward(mut client: TcpStream, upstream: SocketAddr, traffic: Arc<Mutex<Traffic>>) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let startup = startup_message(&mut client).await?;
    server.write_all(&startup).await?;
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let (to_server, to_client) = (Arc::clone(&traffic), traffic);
    let mut client_side = ClientSide::default();
    tokio::try_join!(
        pump(client_read, server_write, move |kind, payload| client_side.read(kind, payload, &to_server)),
        pump(server_read, client_write, move |kind, _| if kind == b'Z' {
            to_client.lock().unwrap_or_else(PoisonError::into_inner).round_trips += 1;
        }),
    )
    .map(drop)
}

/// The startup packet, after refusing a request for encryption.
async fn startup_message(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    loop {
        let length = client.read_u32().await?;
        let mut rest = vec![0; (length as usize).saturating_sub(4).min(10_000)];
        client.read_exact(&mut rest).await?;
        if rest.get(..4) == Some(&SSL_REQUEST.to_be_bytes()) {
            client.write_all(b"N").await?;
            continue;
        }
        let mut message = length.to_be_bytes().to_vec();
        message.extend(rest);
        return Ok(message);
    }
}

/// Forwards bytes at once and hands complete messages (type, payload) to `see`.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut see: impl FnMut(u8, &[u8])) -> io::Result<()> {
    let (mut chunk, mut pending) = (vec![0; 32 * 1024], Vec::new());
    loop {
        let count = from.read(&mut chunk).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&chunk[..count]).await?;
        pending.extend_from_slice(&chunk[..count]);
        let used = each_message(&pending, &mut see);
        pending.drain(..used);
    }
}

/// Calls `see` for every complete message; returns the number of bytes consumed.
fn each_message(bytes: &[u8], see: &mut impl FnMut(u8, &[u8])) -> usize {
    let mut used = 0;
    while let Some(&[kind, a, b, c, d]) = bytes.get(used..used + 5) {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let Some(payload) = bytes.get(used + 5..used + 1 + length) else {
            break;
        };
        see(kind, payload);
        used += 1 + length;
    }
    used
}

/// Prepared statements and bound portals of one connection.
#[derive(Default)]
struct ClientSide {
    prepared: HashMap<Vec<u8>, String>,
    bound: HashMap<Vec<u8>, Vec<u8>>,
}

impl ClientSide {
    fn read(&mut self, kind: u8, payload: &[u8], traffic: &Mutex<Traffic>) {
        let mut parts = payload.split(|&byte| byte == 0);
        let mut part = || parts.next().unwrap_or_default();
        let executed = match kind {
            b'P' => {
                let (name, text) = (part().to_vec(), one_line(part()));
                self.prepared.insert(name, text);
                return;
            }
            b'B' => {
                let (portal, statement) = (part().to_vec(), part().to_vec());
                self.bound.insert(portal, statement);
                return;
            }
            b'E' => self.bound.get(part()).and_then(|name| self.prepared.get(name)).cloned(),
            b'Q' => Some(one_line(part())),
            _ => return,
        };
        let text = executed.unwrap_or_else(|| "(unknown statement)".to_owned());
        traffic.lock().unwrap_or_else(PoisonError::into_inner).statements.push(text);
    }
}

fn one_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len() + 4).unwrap();
        [&[kind], &length.to_be_bytes()[..], payload].concat()
    }

    #[test]
    fn messages_split_over_reads_are_seen_once() {
        let stream = [message(b'Q', b"BEGIN\0"), message(b'Z', b"I")].concat();
        for cut in 0..stream.len() {
            let (mut seen, mut pending) = (Vec::new(), stream[..cut].to_vec());
            let used = each_message(&pending, &mut |kind, _| seen.push(kind));
            pending.drain(..used);
            pending.extend(&stream[cut..]);
            each_message(&pending, &mut |kind, _| seen.push(kind));
            assert_eq!(seen, b"QZ", "cut at {cut}");
        }
    }

    #[test]
    fn executed_statements_are_named_by_their_text() {
        let (mut side, traffic) = (ClientSide::default(), Mutex::default());
        side.read(b'P', b"s1\0SELECT\n  1\0\0\0", &traffic);
        for _ in 0..2 {
            side.read(b'B', b"\0s1\0\0\0", &traffic);
            side.read(b'E', b"\0\0\0\0\0", &traffic);
            side.read(b'S', b"", &traffic);
        }
        side.read(b'Q', b"COMMIT\0", &traffic);
        assert_eq!(traffic.into_inner().unwrap().statements, ["SELECT 1", "SELECT 1", "COMMIT"]);
    }
}
