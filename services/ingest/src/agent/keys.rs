//! `/agent/v1/keys`: an agent brings its key, with a token that serves once or signed with its former key (DA4, DX4).

use super::auth::AgentAuth;
use super::error::AgentError;
use super::wire::{EnrolledKey, NewKey};
use super::{Answer, BODY_BYTES_MAX};
use crate::Ingest;
use actix_web::{HttpRequest, HttpResponse, web};
use rollcall_snapshot::PublicKey;
use rollcall_store::NewAgentKey;
use rollcall_web::{Body, bearer_token, peer, request_id};

/// Enrols the key of an agent that holds a token. The key proves itself over the token.
pub(crate) async fn enrol(request: HttpRequest, ingest: web::Data<Ingest>, body: Body) -> Answer {
    let token = bearer_token(&request);
    let scope = ingest.hub.enrolment_caller(token, &peer(&request), &ingest.config.callers).await?;
    let scope = request_id(&request).map_or(scope, |id| scope.for_request(id));
    let bytes = body.read(BODY_BYTES_MAX).await?;
    let new: NewKey =
        serde_json::from_slice(&bytes).map_err(|error| AgentError::BadRequest(format!("the body: {error}")))?;
    let key = proven(&new, token.unwrap_or_default())?;
    let id = ingest.hub.enrol_agent(&scope, &parts_of(&new, key)).await?;
    Ok(enrolled(id.0, &key))
}

/// Takes the next key of an agent. The request is signed with the former key, over whose id the new one proves itself.
pub(crate) async fn next(auth: AgentAuth, body: Body) -> Answer {
    let new: NewKey = auth.json(body).await?;
    let key = proven(&new, &auth.scope.key().to_string())?;
    let id = auth.ingest.hub.store.next_agent_key(&auth.scope, &parts_of(&new, key)).await?;
    Ok(enrolled(id.0, &key))
}

fn proven(new: &NewKey, bound_to: &str) -> Result<PublicKey, AgentError> {
    let key = PublicKey::of_text(&new.public_key);
    let key = key.ok_or_else(|| AgentError::BadRequest("public_key is no Ed25519 key in base64url".into()))?;
    if key.is_proven(bound_to, &new.proof) { Ok(key) } else { Err(AgentError::NotProven) }
}

fn parts_of(new: &NewKey, public_key: PublicKey) -> NewAgentKey<'_> {
    NewAgentKey { public_key, name: &new.name, machine: &new.machine, program: &new.program }
}

fn enrolled(key_id: uuid::Uuid, key: &PublicKey) -> HttpResponse {
    let message = "the key is enrolled; an admin compares its fingerprint and verifies it";
    let fingerprint = key.fingerprint();
    HttpResponse::Created().json(EnrolledKey { code: 201, message, key_id, fingerprint, state: "pending" })
}
