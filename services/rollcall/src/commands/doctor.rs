//! `rollcall doctor`: asks every dependency and names the remedy of what is wrong.

use crate::ports::{self, Backend};
use crate::settings::Settings;
use anyhow::{Result, bail};
use rollcall_runtime::Metrics;
use std::time::{Duration, Instant};

/// A broker or cache connects in the background; this is how long it may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn run(backend: &Backend, settings: &Settings) -> Result<()> {
    let database = match backend {
        Backend::Embedded(folder) => format!("SQLite under {}", folder.display()),
        Backend::Services => "Postgres (DATABASE_URL)".to_owned(),
    };
    let mut healthy = report(&database, check_store(backend, settings).await);
    if matches!(backend, Backend::Services) {
        let metrics = Metrics::new()?;
        let queue = match ports::open_queue(backend, settings, &metrics) {
            Ok(queue) => within(async || queue.check().await).await,
            Err(error) => Err(format!("{error:#}")),
        };
        healthy &= report("RabbitMQ (AMQP_URL)", queue);
        let cache = match ports::open_cache(backend, settings, &metrics) {
            Ok(cache) => within(async || cache.check().await).await,
            Err(error) => Err(format!("{error:#}")),
        };
        healthy &= report("Redis (REDIS_URL)", cache);
    }
    if healthy { Ok(()) } else { bail!("something is wrong; see above") }
}

async fn check_store(backend: &Backend, settings: &Settings) -> Result<(), String> {
    let store = ports::open_store(backend, settings).await.map_err(|e| format!("{e:#}"))?;
    store.check().await
}

/// Asks until the answer is good or the time is over.
async fn within(check: impl AsyncFn() -> Result<(), String>) -> Result<(), String> {
    let started = Instant::now();
    loop {
        match check().await {
            Err(_) if started.elapsed() < CONNECT_WITHIN => tokio::time::sleep(Duration::from_millis(50)).await,
            answer => return answer,
        }
    }
}

fn report(name: &str, answer: Result<(), String>) -> bool {
    match &answer {
        Ok(()) => println!("ok     {name}"),
        Err(why) => println!("FAILED {name}: {why}"),
    }
    answer.is_ok()
}
