//! The Postgres, RabbitMQ and Redis of a run, and the removal of a hub's data from them.

use anyhow::{Context, Result, bail};
use lapin::options::QueueDeleteOptions;
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use url::Url;

/// Queues the hub declares, without the prefix; dead letters included.
const QUEUES: [&str; 3] = ["push", "bulk", "dead"];

/// Addresses of the three services, from the environment.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) database: Url,
    pub(crate) amqp: String,
    pub(crate) redis: String,
}

impl Services {
    /// None when nothing is set. A partial setting is an error: a run that meant to test `full` must not pass by
    /// testing less.
    pub(crate) fn from_environment() -> Result<Option<Self>> {
        let names = ["DATABASE_URL", "AMQP_URL", "REDIS_URL"];
        let values: Vec<Option<String>> =
            names.iter().map(|name| std::env::var(name).ok().filter(|value| !value.is_empty())).collect();
        match values.as_slice() {
            [Some(database), Some(amqp), Some(redis)] => Ok(Some(Self {
                database: Url::parse(database).context("DATABASE_URL is not a URL")?,
                amqp: amqp.clone(),
                redis: redis.clone(),
            })),
            [None, None, None] => Ok(None),
            _ => bail!("set all of {} or none of them", names.join(", ")),
        }
    }

    /// Creates a database of its own in the cluster and returns its URL.
    pub(crate) async fn create_database(&self, name: &str) -> Result<Url> {
        self.in_cluster(&format!("CREATE DATABASE {name}")).await?;
        let mut url = self.database.clone();
        url.set_path(name);
        Ok(url)
    }

    /// Its hub has ended. Without force, because a forced drop fails while autovacuum, another role's process, is in the
    /// database; a plain one ends autovacuum and waits some seconds for ending sessions.
    pub(crate) async fn drop_database(&self, name: &str) -> Result<()> {
        self.in_cluster(&format!("DROP DATABASE IF EXISTS {name}")).await
    }

    /// Removes every Redis key that begins with `prefix`.
    pub(crate) async fn drop_keys(&self, prefix: &str) -> Result<()> {
        let client = redis::Client::open(self.redis.as_str())?;
        let mut connection = client.get_multiplexed_async_connection().await.context("cannot reach Redis")?;
        let mut cursor = 0_u64;
        loop {
            let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(format!("{prefix}*"))
                .arg("COUNT")
                .arg(1_000)
                .query_async(&mut connection)
                .await?;
            if !keys.is_empty() {
                let _: u64 = redis::cmd("DEL").arg(&keys).query_async(&mut connection).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Deletes the queues that a hub declared under `prefix`.
    pub(crate) async fn drop_queues(&self, prefix: &str) -> Result<()> {
        let connection = lapin::Connection::connect(&self.amqp, lapin::ConnectionProperties::default())
            .await
            .context("cannot reach RabbitMQ")?;
        let channel = connection.create_channel().await?;
        for queue in QUEUES {
            channel.queue_delete(format!("{prefix}{queue}").into(), QueueDeleteOptions::default()).await?;
        }
        connection.close(200, "done".into()).await?;
        Ok(())
    }

    async fn in_cluster(&self, statement: &str) -> Result<()> {
        let mut options = ConnectOptions::new(self.database.as_str());
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.context("cannot reach DATABASE_URL")?;
        connection.execute_unprepared(statement).await?;
        connection.close().await?;
        Ok(())
    }
}
