//! `rollcall doctor`: checks every dependency and prints the remedy of each problem. It changes nothing.

use crate::output::{line, told};
use crate::ports::{self, Backend};
use crate::settings::Settings;
use anyhow::{Result, bail};
use rollcall_runtime::reach::{self, Server};

pub(crate) async fn run(backend: &Backend, settings: &Settings) -> Result<()> {
    let store = check_store(backend, settings).await;
    let database = store.as_ref().ok().and_then(Option::clone);
    let mut healthy = report(&backend.database(settings), store.map(drop))?;
    if matches!(backend, Backend::Services) {
        for (server, name, variable, url) in [
            (Server::RabbitMq, "RabbitMQ", "AMQP_URL", &settings.queue.url),
            (Server::Redis, "Redis", "REDIS_URL", &settings.cache.url),
        ] {
            let answer = match url.is_empty() {
                true => Err(format!("{variable} is not set")),
                false => match reach::check(server, url).await {
                    Ok(()) if server == Server::RabbitMq => check_queues(settings, database.as_deref()).await,
                    checked => checked.map_err(|why| format!("{why}; check {variable}")),
                },
            };
            healthy &= report(&format!("{name} ({variable})"), answer)?;
        }
    }
    if healthy { Ok(()) } else { bail!("something is wrong; see above") }
}

/// The name of the database, if other databases may be confused with it.
async fn check_store(backend: &Backend, settings: &Settings) -> Result<Option<String>, String> {
    match backend {
        Backend::Embedded(folder) if !folder.has_database() => return Err(told(&ports::missing(folder))),
        Backend::Embedded(_) => {}
        Backend::Services if settings.database.url.is_empty() => return Err("DATABASE_URL is not set".to_owned()),
        Backend::Services => {
            let reached = reach::check(Server::Postgres, &settings.database.url).await;
            reached.map_err(|why| format!("{why}; check DATABASE_URL"))?;
        }
    }
    let store = ports::open_store(backend, settings).await.map_err(|e| without_source_line(&told(&e)).to_owned())?;
    if store.has_no_schema().await.map_err(|e| e.to_string())? {
        return Err("it has no schema of Rollcall yet; run `rollcall migrate`".to_owned());
    }
    store.check().await?;
    store.check_session().await?;
    Ok(store.database_name().await.unwrap_or_default())
}

async fn check_queues(settings: &Settings, database: Option<&str>) -> Result<(), String> {
    let (url, prefix) = (&settings.queue.url, &settings.queue.prefix);
    match database {
        Some(database) if reach::queues_are_shared(url, prefix, database).await => Err(format!(
            "another hub, with another database, uses the queues {prefix}push and {prefix}bulk, and each takes wake-ups of the other: \
             give one of them another queue.prefix (ROLLCALL_QUEUE_PREFIX)"
        )),
        _ => Ok(()),
    }
}

/// The driver ends a message with the line of the server's own source, as in `… does not exist at line 948`.
fn without_source_line(text: &str) -> &str {
    match text.rsplit_once(" at line ") {
        Some((before, line)) if line.chars().all(|c| c.is_ascii_digit()) => before,
        _ => text,
    }
}

fn report(name: &str, answer: Result<(), String>) -> Result<bool> {
    match &answer {
        Ok(()) => line(format_args!("ok     {name}"))?,
        Err(why) => line(format_args!("FAILED {name}: {why}"))?,
    }
    Ok(answer.is_ok())
}
