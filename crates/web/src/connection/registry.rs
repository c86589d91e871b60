//! The open connections of a process. When there are too many, one that can best be spared is closed for the new one, so that a
//! probe or a caller with a good credential is always let in, whoever holds the others.

use super::{Connection, Phase};
use crate::peer::{Proxies, network_of};
use rollcall_core::ids::TenantId;
use rollcall_runtime::Metrics;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Limits of a process on its connections.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Connections at most.
    pub connections_max: usize,
    /// Connections of one address at most; a trusted proxy has no such limit.
    pub per_peer_max: usize,
    /// Longest time from the first byte of a request to the end of its head.
    pub head: Duration,
    /// Bytes that a client sends and reads on average, at least, once it has had [`ConnectionLimits::patience`].
    pub bytes_per_second_min: u64,
    /// Longest time for a body.
    pub body: Duration,
    /// Time before the least rate is asked for.
    pub patience: Duration,
}

/// The registry. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    limits: ConnectionLimits,
    proxies: Proxies,
    metrics: Metrics,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    /// The oldest first.
    open: BTreeMap<u64, Arc<Connection>>,
    per_peer: HashMap<IpAddr, usize>,
    /// By the tenant of the first valid credential on each.
    per_tenant: HashMap<TenantId, usize>,
}

/// A place in the registry, given back when dropped.
pub(super) struct Place {
    connections: Connections,
    number: u64,
    pub(super) connection: Arc<Connection>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.connections.table();
        table.open.remove(&self.number);
        if let Some(peer) = self.connection.peer {
            one_less(&mut table.per_peer, peer);
        }
        if let Some(tenant) = self.connection.holder() {
            one_less(&mut table.per_tenant, tenant);
        }
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

impl Connections {
    pub fn new(limits: ConnectionLimits, proxies: Proxies, metrics: Metrics) -> Self {
        Self(Arc::new(Shared { limits, proxies, metrics, table: Mutex::default() }))
    }

    pub fn limits(&self) -> &ConnectionLimits {
        &self.0.limits
    }

    pub(super) fn closed(&self, reason: &'static str) {
        self.0.metrics.connection_closed(reason);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a connection is held by this tenant, unless it is a proxy's.
    pub(super) fn know(&self, connection: &Connection, tenant: TenantId) {
        if connection.know(tenant) && connection.holder().is_some() {
            *self.table().per_tenant.entry(tenant).or_default() += 1;
        }
    }

    /// A place for a new connection, for which another one may have to go; `None` when every other one is in the middle of a
    /// request of a known caller, and no tenant holds more than half of them.
    pub(super) fn admit(&self, peer: Option<IpAddr>) -> Option<Place> {
        let of_proxy = peer.is_some_and(|peer| self.0.proxies.trusts(peer));
        let peer = peer.map(network_of).filter(|_| !of_proxy);
        let mut table = self.table();
        let of_peer = peer.map_or(0, |peer| table.per_peer.get(&peer).copied().unwrap_or(0));
        let ConnectionLimits { connections_max, per_peer_max, .. } = self.0.limits;
        let made_room = if of_peer >= per_peer_max {
            table.make_room("peer", per_peer_max, |other| other.peer == peer, &self.0.metrics)
        } else if table.open.len() >= connections_max {
            table.make_room("full", connections_max, |_| true, &self.0.metrics)
        } else {
            true
        };
        if !made_room {
            self.closed("refused");
            return None;
        }
        let connection = Arc::new(Connection::new(peer, of_proxy));
        let number = table.next;
        table.next += 1;
        table.open.insert(number, Arc::clone(&connection));
        if let Some(peer) = peer {
            *table.per_peer.entry(peer).or_default() += 1;
        }
        drop(table);
        Some(Place { connections: self.clone(), number, connection })
    }
}

impl Table {
    /// Ends the connection that can best be spared of those that `may_go`, `places` of which there may be; false when there is none.
    fn make_room(
        &mut self,
        reason: &'static str,
        places: usize,
        may_go: impl Fn(&Connection) -> bool,
        metrics: &Metrics,
    ) -> bool {
        // A tenant that opens connections with a good credential would push out all others before they can show theirs.
        let greedy = self.per_tenant.iter().find(|(_, held)| **held > places / 2).map(|(tenant, _)| *tenant);
        let is_its = |other: &Connection| may_go(other) && other.holder() == greedy;
        let chosen = greedy.and_then(|_| self.waiting(is_its)).or_else(|| self.waiting(&may_go));
        let Some(number) = chosen.or_else(|| self.of_the_greediest(may_go)) else { return false };
        // It leaves the table at once, and its socket as soon as its thread gets to it.
        if let Some(connection) = self.open.remove(&number) {
            connection.end();
            metrics.connection_closed(reason);
        }
        true
    }

    /// The oldest connection of a tenant that holds more than half of those that may go; its request is broken off. Without this a
    /// tenant whose requests all wait for something would keep everybody out.
    fn of_the_greediest(&self, may_go: impl Fn(&Connection) -> bool) -> Option<u64> {
        let mut held: HashMap<TenantId, (usize, u64)> = HashMap::new();
        let mut all = 0;
        for (number, connection) in self.open.iter().filter(|(_, connection)| may_go(connection)) {
            all += 1;
            if let Some(tenant) = connection.holder() {
                held.entry(tenant).or_insert((0, *number)).0 += 1;
            }
        }
        let (count, oldest) = held.into_values().max()?;
        (count * 2 > all).then_some(oldest)
    }

    /// The connection that can best be spared of those that `may_go` and are not in the middle of a known caller's request.
    fn waiting(&self, may_go: impl Fn(&Connection) -> bool) -> Option<u64> {
        let mut chosen: Option<(Rank, u64)> = None;
        for (number, connection) in &self.open {
            if !may_go(connection) {
                continue;
            }
            let Some(rank) = Rank::of(connection) else { continue };
            if chosen.as_ref().is_none_or(|(best, _)| rank < *best) {
                chosen = Some((rank, *number));
            }
            // The oldest stranger comes first, so nothing better follows.
            if matches!(rank, Rank(0, _)) {
                break;
            }
        }
        chosen.map(|(_, number)| number)
    }
}

/// How well a connection can be spared: the class first, then the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(u8, std::time::Instant);

impl Rank {
    fn of(connection: &Connection) -> Option<Self> {
        Some(match (connection.is_known(), connection.phase()) {
            // By age, whether they say nothing or a little now and then: a newcomer has a moment to show a credential.
            (false, Phase::Idle | Phase::Head | Phase::Body | Phase::Refused) => Self(0, connection.began),
            (false, Phase::Handler | Phase::Answer) => Self(1, connection.since()),
            (true, Phase::Idle | Phase::Head | Phase::Refused) => Self(2, connection.since()),
            // These wait for their client, and the longest wait is the most suspicious.
            (true, Phase::Body | Phase::Answer) => Self(3, connection.since()),
            (true, Phase::Handler) => return None,
        })
    }
}

#[cfg(test)]
mod tests;
