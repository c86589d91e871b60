//! `/agent/v1/state`: what the hub has of the agent's directory, as digests, so that an agent sends what differs and nothing else.

use super::Answer;
use super::auth::AgentAuth;
use super::error::AgentError;
use super::wire::{Node, Nodes, State};
use super::{PART_BYTES_MAX, PART_LIMITS};
use actix_web::{HttpResponse, web};
use rollcall_snapshot::NODES;
use rollcall_snapshot::bucket::hex;
use serde::Deserialize;

pub(crate) async fn state(auth: AgentAuth) -> Answer {
    let store = &auth.ingest.hub.store;
    let (state, tree) = store.agent_tree(&auth.scope).await?;
    Ok(HttpResponse::Ok().json(State {
        code: 200,
        message: "OK",
        source_id: auth.scope.of_source().source().0,
        provisioning: !auth.caller.key.source_is_off(),
        users_only: auth.scope.of_source().users_only(),
        key_state: auth.caller.key.state.clone(),
        fingerprint: auth.caller.key.fingerprint.clone(),
        sequence: state.sequence,
        cursor: state.cursor,
        applied_at: state.applied_at,
        now: store.clock.now(),
        root: hex(&tree.root()),
        nodes: tree.nodes().iter().map(|node| hex(node)).collect(),
        part_bytes_max: PART_BYTES_MAX,
        part_inflated_bytes_max: PART_LIMITS.bytes_max,
        part_entries_max: PART_LIMITS.entries_max,
    }))
}

#[derive(Deserialize)]
pub(crate) struct Which {
    nodes: String,
}

/// The digests of the buckets below the nodes that are named.
pub(crate) async fn nodes(auth: AgentAuth, which: web::Query<Which>) -> Answer {
    let wanted: Option<Vec<u16>> = which.nodes.split(',').map(|node| node.parse().ok()).collect();
    let wanted = wanted.filter(|nodes| nodes.len() <= usize::from(NODES) && nodes.iter().all(|node| *node < NODES));
    let wanted = wanted.ok_or_else(|| AgentError::BadRequest(format!("nodes are numbers below {NODES}")))?;
    let (state, tree) = auth.ingest.hub.store.agent_tree(&auth.scope).await?;
    let node = |node: u16| Node { node, buckets: tree.below(node).iter().map(|bucket| hex(bucket)).collect() };
    let nodes = wanted.into_iter().map(node).collect();
    Ok(HttpResponse::Ok().json(Nodes { code: 200, message: "OK", sequence: state.sequence, nodes }))
}
