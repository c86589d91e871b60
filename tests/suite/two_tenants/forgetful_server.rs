//! A server in front of Postgres that takes the tenant's condition out of each statement: `tenant_id = $1` becomes `$1 IS NOT NULL`.
//! Statements of the role that serves all tenants are sent as they are.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

/// How a client asks for TLS, in place of its first message.
const ASKS_FOR_TLS: [u8; 4] = [4, 210, 22, 47];
const CONDITION: &str = "tenant_id = ";

pub(super) struct ForgetfulServer {
    pub(super) port: u16,
    forgotten: Arc<AtomicUsize>,
    running: JoinHandle<()>,
}

impl ForgetfulServer {
    pub(super) async fn before(database: &str) -> Self {
        let database = Url::parse(database).unwrap();
        let there = (database.host_str().unwrap_or("127.0.0.1").to_owned(), database.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let forgotten = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&forgotten);
        let running = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(serve(near, there.clone(), Arc::clone(&counted)));
            }
        });
        Self { port, forgotten, running }
    }

    /// Conditions that were taken out.
    pub(super) fn forgotten(&self) -> usize {
        self.forgotten.load(Ordering::Relaxed)
    }
}

impl Drop for ForgetfulServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn serve(near: TcpStream, there: (String, u16), forgotten: Arc<AtomicUsize>) -> std::io::Result<()> {
    let far = TcpStream::connect(there).await?;
    // Small messages wait for no acknowledgement.
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (from_client, mut to_client) = near.into_split();
    let (mut from_server, to_server) = far.into_split();
    let mut client = Client { from: from_client, to: to_server, system: false, roles: HashMap::new(), forgotten };
    client.first_message(&mut to_client).await?;
    let answers = async { tokio::io::copy(&mut from_server, &mut to_client).await.map(drop) };
    tokio::select! {
        ended = client.messages() => ended,
        ended = answers => ended,
    }
}

/// The messages of a client.
struct Client {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    /// True while the transaction has the role that serves all tenants.
    system: bool,
    /// Prepared statements that change the role, by name: they are sent once, and bound many times.
    roles: HashMap<Vec<u8>, bool>,
    forgotten: Arc<AtomicUsize>,
}

impl Client {
    async fn first_message(&mut self, to_client: &mut OwnedWriteHalf) -> std::io::Result<()> {
        loop {
            let message = self.body().await?;
            if message != ASKS_FOR_TLS {
                return self.send(&[], &message).await;
            }
            to_client.write_all(b"N").await?;
        }
    }

    async fn messages(&mut self) -> std::io::Result<()> {
        loop {
            let kind = self.from.read_u8().await?;
            let mut message = self.body().await?;
            match kind {
                b'Q' => {
                    let text = text_of(&message);
                    self.note_role(&text);
                    message = [self.without_condition(&text).as_bytes(), &[0]].concat();
                }
                b'P' => {
                    let (name, rest) = split(&message);
                    let text = text_of(rest);
                    self.roles.remove(name);
                    if let Some(role) = role_of(&text) {
                        self.roles.insert(name.to_vec(), role);
                    }
                    let types = &rest[text.len()..];
                    message = [name, &[0], self.without_condition(&text).as_bytes(), types].concat();
                }
                b'B' => {
                    let (_, rest) = split(&message);
                    if let Some(role) = self.roles.get(split(rest).0) {
                        self.system = *role;
                    }
                }
                _ => {}
            }
            self.send(&[kind], &message).await?;
        }
    }

    /// A message without its length.
    async fn body(&mut self) -> std::io::Result<Vec<u8>> {
        let mut message = vec![0; self.from.read_u32().await? as usize - 4];
        self.from.read_exact(&mut message).await?;
        Ok(message)
    }

    async fn send(&mut self, kind: &[u8], message: &[u8]) -> std::io::Result<()> {
        let length = u32::try_from(message.len()).unwrap() + 4;
        self.to.write_all(&[kind, &length.to_be_bytes(), message].concat()).await
    }

    fn note_role(&mut self, text: &str) {
        self.system = role_of(text).unwrap_or(self.system && !text.contains("COMMIT") && !text.contains("ROLLBACK"));
    }

    fn without_condition(&self, text: &str) -> String {
        if self.system {
            return text.to_owned();
        }
        let text = text.replace("\"tenant_id\" = ", CONDITION);
        let mut parts = text.split(CONDITION);
        let mut changed = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let value = part.find(|c: char| !(c.is_alphanumeric() || "$._\"".contains(c))).unwrap_or(part.len());
            let (value, rest) = part.split_at(value);
            if !value.starts_with('$') && !value.starts_with("tenant.") {
                changed += &[CONDITION, value, rest].concat();
                continue;
            }
            // The column may have the name of its table before it.
            let column = changed.trim_end_matches(|c: char| c.is_alphanumeric() || "._\"".contains(c)).len();
            changed.truncate(column);
            changed += &format!("CAST({value} AS uuid) IS NOT NULL{rest}");
            self.forgotten.fetch_add(1, Ordering::Relaxed);
        }
        changed
    }
}

/// True for the role that serves all tenants, false for that of one; none for a statement that takes no role.
fn role_of(text: &str) -> Option<bool> {
    let takes = text.contains("set_config('role'") || text.contains("SET LOCAL ROLE") || text.contains("RESET ROLE");
    takes.then(|| text.contains("rollcall_system"))
}

fn split(message: &[u8]) -> (&[u8], &[u8]) {
    let end = message.iter().position(|byte| *byte == 0).unwrap_or(message.len());
    (&message[..end], message.get(end + 1..).unwrap_or_default())
}

fn text_of(message: &[u8]) -> String {
    String::from_utf8_lossy(split(message).0).into_owned()
}
