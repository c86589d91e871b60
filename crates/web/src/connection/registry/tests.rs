//! Which connection goes for a new one.

use super::*;
use rollcall_core::clock::Clock;

fn registry(connections_max: usize, per_peer_max: usize) -> Connections {
    let limits = ConnectionLimits {
        connections_max,
        per_peer_max,
        head: Duration::from_secs(20),
        bytes_per_second_min: 1,
        body: Duration::from_secs(60),
        patience: Duration::from_secs(10),
    };
    let proxies = "10.0.0.0/8".parse().expect("a network");
    Connections::new(limits, proxies, Metrics::new().expect("metrics"))
}

fn admitted(connections: &Connections, peer: &str) -> Place {
    connections.admit(peer.parse().ok()).expect("there is room")
}

/// The numbers of the places that were ended.
fn ended(places: &[Place]) -> Vec<usize> {
    places.iter().enumerate().filter(|(_, place)| place.connection.has_ended()).map(|(number, _)| number).collect()
}

#[test]
fn s3_strangers_go_before_known_callers_and_the_oldest_first() {
    let connections = registry(4, 100);
    let places: Vec<Place> = (0..4).map(|_| admitted(&connections, "192.0.2.1")).collect();
    connections.know(&places[0].connection, Clock::System.new_id());
    places[0].connection.answered();
    places[1].connection.handles(false);
    let mut later = vec![admitted(&connections, "192.0.2.2")];
    assert_eq!(ended(&places), [2], "the first is known, and the second is being served");
    later.push(admitted(&connections, "192.0.2.2"));
    assert_eq!(ended(&places), [2, 3]);
}

#[test]
fn s3_half_a_head_is_no_better_than_silence() {
    let connections = registry(3, 100);
    let places: Vec<Place> = (0..3).map(|_| admitted(&connections, "192.0.2.1")).collect();
    for place in &places {
        place.connection.enter(Phase::Head);
    }
    let newcomers = [admitted(&connections, "192.0.2.2"), admitted(&connections, "192.0.2.3")];
    assert_eq!((ended(&places), ended(&newcomers)), (vec![0, 1], vec![]));
}

#[test]
fn s3_nobody_is_let_in_while_known_callers_are_being_served() {
    let connections = registry(2, 100);
    let places: Vec<Place> = (0..2).map(|_| admitted(&connections, "192.0.2.1")).collect();
    for place in &places {
        connections.know(&place.connection, Clock::System.new_id());
        place.connection.handles(false);
    }
    assert!(connections.admit("192.0.2.2".parse().ok()).is_none());
    // A known caller that reads its answer slowly can be spared.
    places[1].connection.answers();
    assert!(connections.admit("192.0.2.2".parse().ok()).is_some());
    assert_eq!(ended(&places), [1]);
}

#[test]
fn s3_a_tenant_whose_requests_take_every_connection_loses_the_oldest() {
    let connections = registry(5, 100);
    let (greedy, modest) = (Clock::System.new_id(), Clock::System.new_id());
    let places: Vec<Place> = (0..5).map(|_| admitted(&connections, "192.0.2.1")).collect();
    for (place, tenant) in places.iter().zip([modest, greedy, greedy, greedy, modest]) {
        connections.know(&place.connection, tenant);
        place.connection.handles(false);
    }
    let probe = admitted(&connections, "192.0.2.2");
    assert_eq!(ended(&places), [1]);
    probe.connection.handles(false);
    drop(probe);
}

#[test]
fn s3_a_tenant_with_more_than_half_makes_room_before_strangers() {
    let connections = registry(4, 100);
    let (greedy, modest) = (Clock::System.new_id(), Clock::System.new_id());
    let places: Vec<Place> = (0..4).map(|_| admitted(&connections, "192.0.2.1")).collect();
    for (place, tenant) in places.iter().zip([modest, greedy, greedy, greedy]) {
        connections.know(&place.connection, tenant);
        connections.know(&place.connection, modest);
        place.connection.awaits_body();
    }
    let mut later = vec![admitted(&connections, "192.0.2.2")];
    assert_eq!(ended(&places), [1], "the longest wait of the greedy one");
    // Once it has half of them, strangers go first again.
    drop(places);
    for place in &later {
        connections.know(&place.connection, greedy);
    }
    later.extend((0..3).map(|_| admitted(&connections, "192.0.2.3")));
    let last = admitted(&connections, "192.0.2.4");
    assert_eq!(ended(&later), [1]);
    drop((later, last));
    assert!(connections.table().per_tenant.is_empty());
}

#[test]
fn s3_an_address_over_its_limit_loses_its_own_connection_and_a_proxy_has_none() {
    let connections = registry(100, 2);
    let other = [admitted(&connections, "192.0.2.9")];
    let places: Vec<Place> = (0..3).map(|_| admitted(&connections, "2001:db8::7")).collect();
    let network = [admitted(&connections, "2001:db8::8")];
    assert_eq!((ended(&places), ended(&other)), (vec![0, 1], vec![]), "a /64 network is one caller");
    let proxied: Vec<Place> = (0..5).map(|_| admitted(&connections, "10.0.0.1")).collect();
    assert!(ended(&proxied).is_empty());
    drop((places, network, other, proxied));
    let table = connections.table();
    assert!(table.open.is_empty() && table.per_peer.is_empty(), "a place is given back");
}

#[test]
fn s3_a_refused_body_closes_its_connection_and_a_read_one_does_not() {
    let connections = registry(4, 4);
    let place = admitted(&connections, "192.0.2.1");
    let connection = &place.connection;
    connection.handles(true);
    assert!(connection.answers(), "the body is unread");
    connection.handles(true);
    connection.awaits_body();
    connection.has_body();
    assert!(!connection.answers());
    connection.answered();
    assert_eq!(connection.phase(), Phase::Idle);
}
