//! `/agent/v1/uploads`: begin, parts, commit, and the wait for the outcome; or all of it in one request for a small directory.

use super::auth::AgentAuth;
use super::error::AgentError;
use super::wire::{Begin, Commit, Parts, Shown, StoredPart};
use super::{Answer, PART_BYTES_MAX, PART_LIMITS};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollcall_core::ids::UploadId;
use rollcall_core::upload::UploadRefusal;
use rollcall_snapshot::bucket::unhex;
use rollcall_snapshot::manifest::part_digest;
use rollcall_snapshot::{PartHeader, read_part};
use rollcall_store::{NewPart, PARTS_MAX, StoreError};
use rollcall_web::Body;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for an outcome in one request.
const WAIT_SECONDS_MAX: u64 = 50;
/// Longest wait for a turn at reading a part.
const TURN: Duration = Duration::from_secs(10);

/// The terms of an upload in one request, as JSON in base64url: they are in the query, which is signed.
#[derive(Deserialize)]
pub(crate) struct Terms {
    terms: String,
}

#[derive(Deserialize)]
pub(crate) struct Wait {
    #[serde(default)]
    wait: u64,
}

pub(crate) async fn begin(auth: AgentAuth, body: Body) -> Answer {
    let begin: Begin = auth.json(body).await?;
    auth.may_upload(&begin.machine)?;
    let upload = auth.ingest.hub.store.begin_upload(&auth.scope, &begin.terms()?).await?;
    Ok(HttpResponse::Created().json(Shown::of(upload, None)))
}

pub(crate) async fn put_part(request: HttpRequest, auth: AgentAuth, body: Body) -> Answer {
    let id = upload_id(&request)?;
    let number = request.match_info().get("number").and_then(|number| number.parse().ok());
    let number = number.filter(|number| (1..=PARTS_MAX).contains(number));
    let number = number.ok_or_else(|| AgentError::BadRequest(format!("parts have numbers from 1 to {PARTS_MAX}")))?;
    let content = auth.bytes(body, PART_BYTES_MAX).await?;
    // Bytes that no worker could read are not kept.
    let (header, content) = checked(&auth, content).await?;
    if header.upload != id.to_string() || header.number != number {
        return Err(UploadRefusal::PartForeign.into());
    }
    let is_new = auth.ingest.hub.store.put_part(&auth.scope, id, &new_part(&auth, number, &content)).await?;
    let message = if is_new { "OK" } else { "the part was here before" };
    Ok(HttpResponse::Ok().json(StoredPart { code: 200, message, number }))
}

pub(crate) async fn part_numbers(request: HttpRequest, auth: AgentAuth) -> Answer {
    let id = upload_id(&request)?;
    auth.ingest.hub.store.upload(&auth.scope, id).await?;
    let numbers = auth.ingest.hub.store.part_numbers(&auth.scope, id).await?;
    Ok(HttpResponse::Ok().json(Parts { code: 200, message: "OK", numbers }))
}

pub(crate) async fn commit(request: HttpRequest, auth: AgentAuth, body: Body) -> Answer {
    let id = upload_id(&request)?;
    let Commit { parts, manifest } = auth.json(body).await?;
    let manifest = unhex(&manifest).filter(|_| (1..=PARTS_MAX).contains(&parts));
    let manifest = manifest.ok_or_else(|| {
        AgentError::BadRequest(format!(
            "parts is a number from 1 to {PARTS_MAX}, and manifest has 64 hexadecimal digits"
        ))
    })?;
    let upload = auth.ingest.hub.commit_upload(&auth.scope, id, parts, &manifest).await?;
    Ok(HttpResponse::Accepted().json(Shown::of(upload, None)))
}

pub(crate) async fn whole(auth: AgentAuth, terms: web::Query<Terms>, body: Body) -> Answer {
    let terms = URL_SAFE_NO_PAD.decode(&terms.terms).ok().and_then(|json| serde_json::from_slice::<Begin>(&json).ok());
    let begin = terms.ok_or_else(|| AgentError::BadRequest("terms are no terms of an upload in base64url".into()))?;
    auth.may_upload(&begin.machine)?;
    let new = begin.terms()?;
    let content = auth.bytes(body, PART_BYTES_MAX).await?;
    let (header, content) = checked(&auth, content).await?;
    if header.upload != new.id.to_string() || header.number != 1 {
        return Err(UploadRefusal::PartForeign.into());
    }
    let upload = auth.ingest.hub.upload_whole(&auth.scope, &new, &new_part(&auth, 1, &content)).await?;
    Ok(HttpResponse::Accepted().json(Shown::of(upload, None)))
}

/// The upload as it stands, or after a wait for its outcome.
pub(crate) async fn outcome(request: HttpRequest, auth: AgentAuth, wait: web::Query<Wait>) -> Answer {
    let patience = Duration::from_secs(wait.wait.min(WAIT_SECONDS_MAX));
    let (upload, settled) = auth.ingest.hub.await_upload(&auth.scope, upload_id(&request)?, patience).await?;
    Ok(HttpResponse::Ok().json(Shown::of(upload, settled)))
}

pub(crate) async fn give_up(request: HttpRequest, auth: AgentAuth) -> Answer {
    auth.ingest.hub.store.give_upload_up(&auth.scope, upload_id(&request)?).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}

fn new_part<'b>(auth: &AgentAuth, number: u32, content: &'b [u8]) -> NewPart<'b> {
    let stored_bytes_max = auth.ingest.config.upload_bytes_max;
    NewPart { number, digest: part_digest(content), content, stored_bytes_max }
}

/// Reads a part within its limits, on a thread for such work; few parts are read at a time, so memory stays bounded.
async fn checked(auth: &AgentAuth, content: Vec<u8>) -> Result<(PartHeader, Vec<u8>), AgentError> {
    let turn = timeout(TURN, auth.ingest.config.part_turns.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else { return Err(AgentError::Busy) };
    let read = web::block(move || {
        let _turn = turn;
        read_part(&content, &PART_LIMITS).map(|part| (part.header, content))
    });
    Ok(read.await.map_err(|_| AgentError::Busy)??)
}

fn upload_id(request: &HttpRequest) -> Result<UploadId, AgentError> {
    let id = request.match_info().get("id").and_then(|id| id.parse().ok());
    id.ok_or(AgentError::from(StoreError::NotFound("upload")))
}
