//! The queues: two lanes and the dead letters, all durable quorum queues.
//!
//! Dead-lettering is at least once, which RabbitMQ grants only together with `reject-publish` as the overflow; without
//! both it silently falls back to at most once. Dead letters go through the default exchange straight to their queue.

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ErrorKind};

use super::super::{Lane, QueueError, QueueLimits};

/// AMQP reply code for a declaration whose arguments differ from the queue's.
const PRECONDITION_FAILED: u16 = 406;
/// Longest prefix, in bytes: names are AMQP short strings of at most 255.
const PREFIX_LIMIT: usize = 200;

/// Names of the queues.
pub(super) struct QueueNames {
    push: ShortString,
    bulk: ShortString,
    dead: ShortString,
}

impl QueueNames {
    pub(super) fn new(prefix: &str) -> Result<Self, QueueError> {
        if prefix.len() > PREFIX_LIMIT {
            let problem = format!("is longer than {PREFIX_LIMIT} bytes");
            return Err(QueueError::Setting { setting: "prefix", problem });
        }
        let name = |suffix: &str| ShortString::from(format!("{prefix}{suffix}"));
        Ok(Self { push: name("push"), bulk: name("bulk"), dead: name("dead") })
    }

    pub(super) fn lane(&self, lane: Lane) -> &ShortString {
        match lane {
            Lane::Push => &self.push,
            Lane::Bulk => &self.bulk,
        }
    }

    pub(super) fn dead(&self) -> &ShortString {
        &self.dead
    }

    fn all(&self) -> [&ShortString; 3] {
        [&self.push, &self.bulk, &self.dead]
    }
}

/// Declares the three queues; existing ones with other arguments are used unchanged, with a warning.
pub(super) async fn declare(
    connection: &Connection,
    names: &QueueNames,
    limits: &QueueLimits,
) -> Result<(), lapin::Error> {
    declare_one(connection, &names.dead, dead_arguments(limits)).await?;
    for lane in Lane::ALL {
        declare_one(connection, names.lane(lane), lane_arguments(names, limits)).await?;
    }
    Ok(())
}

async fn declare_one(connection: &Connection, name: &ShortString, arguments: FieldTable) -> Result<(), lapin::Error> {
    // A channel of its own, because a refusal closes the channel.
    let channel = connection.create_channel().await?;
    match channel.queue_declare(name.clone(), QueueDeclareOptions::durable(), arguments).await {
        Ok(_) => {}
        Err(error) if is_precondition_failed(&error) => {
            tracing::warn!(
                queue = name.as_str(),
                %error,
                "the queue exists with other arguments and is used as it is; to change them, drain and delete it"
            );
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    channel.close(lapin::protocol::constants::REPLY_SUCCESS, "declared".into()).await
}

fn is_precondition_failed(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == PRECONDITION_FAILED)
}

fn lane_arguments(names: &QueueNames, limits: &QueueLimits) -> FieldTable {
    let mut arguments = quorum(limits.max_length);
    for (key, text) in [
        ("x-overflow", "reject-publish"),
        ("x-dead-letter-exchange", ""),
        ("x-dead-letter-routing-key", names.dead.as_str()),
        ("x-dead-letter-strategy", "at-least-once"),
    ] {
        arguments.insert(key.into(), AMQPValue::LongString(text.into()));
    }
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(i64::from(limits.delivery_limit)));
    arguments
}

fn dead_arguments(limits: &QueueLimits) -> FieldTable {
    let mut arguments = quorum(limits.dead_max_length);
    arguments.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    arguments
}

fn quorum(max_length: u32) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(i64::from(max_length.max(1))));
    arguments
}

/// Messages ready in a queue.
pub(super) async fn ready(channel: &Channel, name: &ShortString) -> Result<u64, lapin::Error> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    let queue = channel.queue_declare(name.clone(), passive, FieldTable::default()).await?;
    Ok(u64::from(queue.message_count()))
}

/// Deletes the three queues with everything in them.
pub(super) async fn delete(channel: &Channel, names: &QueueNames) -> Result<(), lapin::Error> {
    for name in names.all() {
        channel.queue_delete(name.clone(), QueueDeleteOptions::default()).await?;
    }
    Ok(())
}
