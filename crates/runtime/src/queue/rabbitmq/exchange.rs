//! A topic exchange for outgoing events, with a connection of its own. The publisher waits for the broker's confirm of each message, so what
//! is noted as relayed is in every queue that is bound.

use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ExchangeKind};

use super::super::{QueueConfig, QueueError};
use super::link::{Attached, Broker};

/// Longest wait for the confirms of one batch.
const CONFIRM_LIMIT: Duration = Duration::from_secs(10);
/// Longest name, in bytes: names are AMQP short strings.
const NAME_LIMIT: usize = 200;
/// Persistent.
const DELIVERY_MODE: u8 = 2;

/// A message of the exchange.
#[derive(Clone, Debug)]
pub struct EventMessage {
    /// `<tenant id>.<kind>`, as in `01a2….member.suspended`.
    pub routing_key: String,
    /// The event's id, the same in each repetition.
    pub id: String,
    pub kind: &'static str,
    /// Seconds since 1970 UTC, of the event.
    pub timestamp: u64,
    pub sequence: String,
    pub body: Vec<u8>,
}

/// The exchange, connected.
pub struct EventExchange {
    name: ShortString,
    attached: Attached<Channel>,
}

impl EventExchange {
    /// Connects, and declares the exchange.
    ///
    /// # Errors
    /// The reason, without the password of the URL.
    pub async fn connect(config: &QueueConfig, name: &str) -> Result<Self, String> {
        if name.is_empty() || name.len() > NAME_LIMIT {
            let problem = format!("has 1 to {NAME_LIMIT} bytes");
            return Err(QueueError::Setting { setting: "exchange", problem }.to_string());
        }
        let broker = Broker::new(config).map_err(|error| error.to_string())?;
        let exchange = ShortString::from(name);
        let declared = exchange.clone();
        let prepare = async |_: &Connection, channel: Channel| {
            let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            channel.exchange_declare(declared, ExchangeKind::Topic, options, FieldTable::default()).await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        };
        let attached = broker.connect("events", prepare).await.map_err(|why| broker.unavailable(&why).to_string())?;
        Ok(Self { name: exchange, attached })
    }

    /// Publishes messages in their order; the broker has taken all of them when it returns.
    ///
    /// # Errors
    /// The reason; any number of the messages may have been taken.
    pub async fn publish(&self, messages: &[EventMessage]) -> Result<(), String> {
        let all = async {
            let mut confirms = Vec::with_capacity(messages.len());
            for message in messages {
                confirms.push(self.send(message).await?);
            }
            try_join_all(confirms).await
        };
        let confirmed =
            tokio::time::timeout(CONFIRM_LIMIT, all).await.map_err(|_| "the broker confirms nothing".to_owned())?;
        let refused = |confirmation: &Confirmation| matches!(confirmation, Confirmation::Nack(_));
        if confirmed.map_err(|error: lapin::Error| error.to_string())?.iter().any(refused) {
            return Err("the broker refused a message: a queue is full".to_owned());
        }
        Ok(())
    }

    async fn send(
        &self,
        message: &EventMessage,
    ) -> Result<impl Future<Output = Result<Confirmation, lapin::Error>>, lapin::Error> {
        let mut headers = FieldTable::default();
        headers.insert("sequence".into(), AMQPValue::LongString(message.sequence.as_str().into()));
        let properties = BasicProperties::default()
            .with_delivery_mode(DELIVERY_MODE)
            .with_content_type("application/json".into())
            .with_message_id(message.id.as_str().into())
            .with_type(message.kind.into())
            .with_timestamp(message.timestamp)
            .with_headers(headers);
        let (exchange, key) = (self.name.clone(), ShortString::from(message.routing_key.as_str()));
        let channel = &self.attached.prepared;
        channel.basic_publish(exchange, key, BasicPublishOptions::default(), &message.body, properties).await
    }
}
