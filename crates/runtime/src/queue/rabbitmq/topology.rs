//! The queues: two lanes and the dead letters, all durable quorum queues; and one that names the hub to which they belong.
//!
//! Dead-lettering is at least once, which RabbitMQ grants only together with `reject-publish` as the overflow; without
//! both it silently falls back to at most once. Dead letters go through the default exchange straight to their queue.

use lapin::options::{BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ErrorKind};

use super::super::{Lane, QueueError, QueueLimits};

/// AMQP reply code for a declaration whose arguments differ from the queue's.
const PRECONDITION_FAILED: u16 = 406;
/// Longest prefix, in bytes: names are AMQP short strings of at most 255.
const PREFIX_LIMIT: usize = 200;
/// Time after which a hub that names itself no more has no claim, in milliseconds.
const CLAIM_EXPIRES: i64 = 30_000;
/// Life of another hub's note, in milliseconds.
const NOTE_EXPIRES: i64 = 20_000;

/// Names of the queues.
pub(super) struct QueueNames {
    push: ShortString,
    bulk: ShortString,
    dead: ShortString,
    hub: ShortString,
}

impl QueueNames {
    pub(super) fn new(prefix: &str) -> Result<Self, QueueError> {
        if prefix.len() > PREFIX_LIMIT {
            let problem = format!("is longer than {PREFIX_LIMIT} bytes");
            return Err(QueueError::Setting { setting: "prefix", problem });
        }
        let name = |suffix: &str| ShortString::from(format!("{prefix}{suffix}"));
        Ok(Self { push: name("push"), bulk: name("bulk"), dead: name("dead"), hub: name("hub") })
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

    fn all(&self) -> [&ShortString; 4] {
        [&self.push, &self.bulk, &self.dead, &self.hub]
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

/// Claims the queues for a hub, for half a minute, and answers whether another one has claimed them too.
///
/// The claim is a queue with the hub's name in an argument, because the broker refuses a declaration with other arguments than the
/// queue has. The hub that is refused leaves a note in it, by which the first one knows.
pub(super) async fn claim(connection: &Connection, names: &QueueNames, hub: &str) -> Result<bool, lapin::Error> {
    let channel = connection.create_channel().await?;
    let claimed = channel.queue_declare(names.hub.clone(), QueueDeclareOptions::durable(), claim_arguments(hub)).await;
    let shared = match claimed {
        Ok(claim) => claim.message_count() > 0,
        Err(error) if is_precondition_failed(&error) => {
            // The refusal closed that channel.
            let channel = connection.create_channel().await?;
            let (options, note) = (BasicPublishOptions::default(), BasicProperties::default());
            channel.basic_publish("".into(), names.hub.clone(), options, hub.as_bytes(), note).await?.await?;
            channel.close(lapin::protocol::constants::REPLY_SUCCESS, "noted".into()).await?;
            return Ok(true);
        }
        Err(error) => return Err(error),
    };
    channel.close(lapin::protocol::constants::REPLY_SUCCESS, "claimed".into()).await?;
    Ok(shared)
}

fn claim_arguments(hub: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    for (key, text) in [("x-queue-type", "classic"), ("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", hub)]
    {
        arguments.insert(key.into(), AMQPValue::LongString(text.into()));
    }
    for (key, number) in [("x-expires", CLAIM_EXPIRES), ("x-message-ttl", NOTE_EXPIRES), ("x-max-length", 1)] {
        arguments.insert(key.into(), AMQPValue::LongLongInt(number));
    }
    arguments
}

/// Deletes the queues with everything in them.
pub(super) async fn delete(channel: &Channel, names: &QueueNames) -> Result<(), lapin::Error> {
    for name in names.all() {
        channel.queue_delete(name.clone(), QueueDeleteOptions::default()).await?;
    }
    Ok(())
}
