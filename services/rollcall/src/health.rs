//! Health probes of a process. They need no credential, so an answer is cheap and reveals little.

use crate::http::Process;
use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, web};
use rollcall_hub::Hub;
use rollcall_web::{Endpoint, Refusal, endpoints, resource, same_paths};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Time for which an answer of the dependencies is reused.
const FRESH: Duration = Duration::from_secs(1);
/// Longest wait for a dependency: less than probes wait, so that they are told which one fails.
const PATIENCE: Duration = Duration::from_secs(2);

/// The latest answers of the dependencies. Clones share them; concurrent callers share one check.
#[derive(Clone, Default)]
pub(crate) struct Health(Arc<Mutex<Option<Answers>>>);

#[derive(Clone)]
struct Answers {
    at: Instant,
    database: Result<(), String>,
    queue: Result<(), String>,
    cache: Result<(), String>,
}

impl Health {
    async fn of(&self, hub: &Hub) -> Answers {
        let mut last = self.0.lock().await;
        if let Some(answers) = last.as_ref().filter(|answers| answers.at.elapsed() < FRESH) {
            return answers.clone();
        }
        let (database, queue, cache) =
            tokio::join!(asked(database(hub)), asked(hub.queue.check()), asked(hub.cache.check()));
        let answers = Answers { at: Instant::now(), database, queue, cache };
        answers.report(last.as_ref());
        *last = Some(answers.clone());
        answers
    }
}

async fn database(hub: &Hub) -> Result<(), String> {
    let checked = hub.store.check().await;
    let behind = if checked.is_ok() { Some(0) } else { hub.store.migrations_behind().await.ok() };
    if let Some(behind) = behind {
        hub.metrics.set_schema_behind(behind);
    }
    checked
}

async fn asked(check: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    timeout(PATIENCE, check).await.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
}

impl Answers {
    /// The reasons hold addresses and driver errors, so they go to the log, once for each new one.
    fn report(&self, before: Option<&Self>) {
        let was = |of: fn(&Self) -> &Result<(), String>| before.map(of);
        for (dependency, now, was) in [
            ("database", &self.database, was(|answers| &answers.database)),
            ("queue", &self.queue, was(|answers| &answers.queue)),
            ("cache", &self.cache, was(|answers| &answers.cache)),
        ] {
            match now {
                Err(reason) if was != Some(now) => {
                    tracing::warn!(dependency, reason, "a dependency is not as it must be")
                }
                Ok(()) if was.is_some_and(Result::is_err) => tracing::info!(dependency, "a dependency is back"),
                _ => {}
            }
        }
    }
}

/// The probes, which need no credential.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    endpoints!["health"; GET "/healthz" => healthz, GET "/readyz" => readyz]
}

pub(crate) fn configure(app: &mut ServiceConfig) {
    for same_path in same_paths(&endpoints()) {
        app.service(resource::<Refusal>(same_path[0].path, same_path, |refusal| refusal));
    }
}

/// The process runs.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// The process can work: its database answers with the right schema. RabbitMQ and Redis are reported and do not fail
/// the probe, because the sweep and the database replace them.
async fn readyz(process: web::Data<Process>) -> HttpResponse {
    let answers = process.health.of(&process.hub).await;
    // Read each time, so that a stopping process answers so at once.
    let ready = process.readiness.is_ready() && answers.database.is_ok();
    let said = |answer: &Result<(), String>| if answer.is_ok() { "ok" } else { "failed" };
    let body = json!({
        "status": if ready { "ready" } else { "not ready" },
        "database": said(&answers.database),
        "queue": said(&answers.queue),
        "cache": said(&answers.cache),
    });
    if ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}
