//! Round trips of a write: starts a private `rollcall ingest` whose database connection goes through the counting
//! proxy, and sends single requests to it.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    error::BenchError,
    http::{Connection, Endpoint},
    hub::Hub,
    pgwire::{Counter, Traffic},
    shapes,
    tenant::{Tenant, send},
};

/// Measured requests of each kind, after as many to warm caches and prepared statements.
const REPEATS: usize = 24;
/// Time after an answer in which traffic is still counted.
const BEHIND_THE_ANSWER: Duration = Duration::from_millis(15);

/// Traffic of one kind of request, at the median.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Conversation {
    /// Round trips until the answer.
    pub(crate) round_trips: u64,
    /// Round trips after the answer: the end of a read's transaction, the pool's check of a returned connection.
    pub(crate) afterwards: u64,
    /// Statement texts of one typical request.
    pub(crate) statements: Vec<String>,
}

/// A child that does not outlive the measurement.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

/// Conversations by request: `POST /Users`, `PATCH /Users`, …
pub(crate) async fn count(
    hub: &Hub,
    database_url: &str,
    tenant: &Tenant,
) -> Result<BTreeMap<String, Conversation>, BenchError> {
    let counter = Counter::start(address_of(database_url)?).await?;
    let address = free_address()?;
    let mut command = Command::new(&hub.binary);
    command.args(["ingest", "--listen", &address.to_string()]);
    command.env("DATABASE_URL", through(database_url, counter.address)?);
    // No metrics, because the default port may be taken.
    command.env("ROLLCALL_METRICS_LISTEN", "").stdout(Stdio::null()).stderr(Stdio::null());
    let _server = Server(command.spawn().map_err(BenchError::io("starting rollcall ingest"))?);
    wait_until_ready(address).await?;

    let path = tenant.endpoint.find("/scim/").map_or("", |start| &tenant.endpoint[start..]);
    let mut scim = Connection::new(Endpoint::parse(&format!("http://{address}{path}"), &tenant.token)?);
    let mut play = Play { scim: &mut scim, counter: &counter, conversations: BTreeMap::new() };
    let mut users = Vec::new();
    for number in 0..REPEATS as u64 * 2 {
        let mut body = String::new();
        shapes::create_user(&tenant.series, 2_000_000 + number, &mut body);
        let answer = play.one("POST /Users", "POST", "/Users", &body).await?;
        users.push(created_id(&answer)?);
    }
    let mut body = String::new();
    shapes::create_group(&format!("{} statements", tenant.series), &mut body);
    let group = created_id(&play.one("POST /Groups", "POST", "/Groups", &body).await?)?;
    for user in &users {
        let path = format!("/Users/{user}");
        play.one("GET /Users/{id}", "GET", &path, "").await?;
        shapes::set_active(false, &mut body);
        play.one("PATCH /Users/{id} active", "PATCH", &path, &body).await?;
        shapes::add_members(std::slice::from_ref(user), &mut body);
        play.one("PATCH /Groups/{id} add one", "PATCH", &format!("/Groups/{group}"), &body).await?;
    }
    Ok(play.conversations.into_iter().map(|(request, traffic)| (request, typical(traffic))).collect())
}

/// Traffic of one request: until its answer, and after it.
type Parts = (Traffic, Traffic);

/// State of the requests so far.
struct Play<'a> {
    scim: &'a mut Connection,
    counter: &'a Counter,
    conversations: BTreeMap<String, Vec<Parts>>,
}

impl Play<'_> {
    async fn one(&mut self, what: &str, method: &str, path: &str, body: &str) -> Result<Vec<u8>, BenchError> {
        self.counter.take();
        send(self.scim, method, path, body).await?;
        let until_answer = self.counter.take();
        tokio::time::sleep(BEHIND_THE_ANSWER).await;
        self.conversations.entry(what.to_owned()).or_default().push((until_answer, self.counter.take()));
        Ok(self.scim.body().to_vec())
    }
}

fn created_id(answer: &[u8]) -> Result<String, BenchError> {
    serde_json::from_slice::<Created>(answer).map(|created| created.id).map_err(BenchError::json("a created resource"))
}

/// The median by round trips of the second half: caches are warm, and a background sweep does not count.
fn typical(traffic: Vec<Parts>) -> Conversation {
    let warm = traffic.len() / 2;
    let mut warm: Vec<Parts> = traffic.into_iter().skip(warm).collect();
    warm.sort_by_key(|(until_answer, _)| until_answer.round_trips);
    let middle = warm.len() / 2;
    let (until_answer, behind) = warm.into_iter().nth(middle).unwrap_or_default();
    let statements = until_answer.statements.into_iter().chain(behind.statements).collect();
    Conversation { round_trips: until_answer.round_trips, afterwards: behind.round_trips, statements }
}

async fn wait_until_ready(address: SocketAddr) -> Result<(), BenchError> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut connection = Connection::new(Endpoint::parse(&format!("http://{address}"), "")?);
    while Instant::now() < deadline {
        if matches!(connection.send("GET", "/readyz", b"").await, Ok(200)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(BenchError::setup("rollcall ingest behind the counting proxy was not ready within 30 s"))
}

fn free_address() -> Result<SocketAddr, BenchError> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(BenchError::io("finding a free port"))?;
    listener.local_addr().map_err(BenchError::io("finding a free port"))
}

/// `host:port` of a database URL, and the rest around it.
fn split(url: &str) -> Result<(&str, &str, &str), BenchError> {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
    let host = url[start..end].rfind('@').map_or(start, |at| start + at + 1);
    Ok((&url[..host], &url[host..end], &url[end..]))
}

fn address_of(url: &str) -> Result<SocketAddr, BenchError> {
    let host = split(url)?.1;
    let mut found = host.to_socket_addrs().map_err(BenchError::io("resolving the database's address"))?;
    found.next().ok_or_else(|| BenchError::setup("the database's address does not resolve"))
}

fn through(url: &str, proxy: SocketAddr) -> Result<String, BenchError> {
    let (before, _, after) = split(url)?;
    Ok(format!("{before}{proxy}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_takes_the_servers_place_in_the_url() {
        let proxy: SocketAddr = "127.0.0.1:9".parse().unwrap();
        assert_eq!(
            through("postgres://u:p@127.0.0.1:5432/db?x=1", proxy).unwrap(),
            "postgres://u:p@127.0.0.1:9/db?x=1"
        );
        assert_eq!(address_of("postgres://u@127.0.0.1:5432").unwrap().port(), 5432);
    }

    #[test]
    fn the_typical_conversation_is_the_warm_median() {
        let part = |round_trips| Traffic { round_trips, statements: vec![round_trips.to_string()] };
        let mut all: Vec<Parts> = (0..REPEATS).map(|_| (part(99), part(9))).collect();
        all.extend((0..REPEATS).map(|n| (part(if n == 0 { 40 } else { 3 }), part(1))));
        let typical = typical(all);
        assert_eq!((typical.round_trips, typical.afterwards), (3, 1));
        assert_eq!(typical.statements, ["3", "1"]);
    }
}
