//! `rollcall doctor`: checks every dependency and prints the remedy of each problem. It changes nothing.

use crate::output::{line, told};
use crate::ports::{self, Backend};
use crate::settings::Settings;
use anyhow::{Result, bail};
use rollcall_runtime::reach::{self, Server};

pub(crate) async fn run(backend: &Backend, settings: &Settings) -> Result<()> {
    let mut healthy = report(&backend.database(settings), check_store(backend, settings).await)?;
    if matches!(backend, Backend::Services) {
        for (server, name, variable, url) in [
            (Server::RabbitMq, "RabbitMQ", "AMQP_URL", &settings.queue.url),
            (Server::Redis, "Redis", "REDIS_URL", &settings.cache.url),
        ] {
            let answer = match url.is_empty() {
                true => Err(format!("{variable} is not set")),
                false => reach::check(server, url).await.map_err(|why| format!("{why}; check {variable}")),
            };
            healthy &= report(&format!("{name} ({variable})"), answer)?;
        }
    }
    if healthy { Ok(()) } else { bail!("something is wrong; see above") }
}

async fn check_store(backend: &Backend, settings: &Settings) -> Result<(), String> {
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
    store.check_session().await
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
