//! The relay of events to an exchange of the broker.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::deployment::Combination;
use crate::events::read_all;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{email, unknown_id, within};
use crate::webhooks::federated;

pub(crate) fn cases() -> Vec<Case> {
    let of_broker = cases![pe16_the_exchange_gets_the_events_of_all_in_order];
    of_broker.into_iter().map(|case| case.only_on(Combination::Full)).collect()
}

/// The exchange gets the events of all organisations, in order, each confirmed; a worker that dies repeats some and skips none.
async fn pe16_the_exchange_gets_the_events_of_all_in_order(hub: Hub) {
    let exchange = format!("rollcall.events.{}", unknown_id().simple());
    let url = hub.deployment().setting("AMQP_URL").unwrap().to_owned();
    let connection = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = lapin::options::ExchangeDeclareOptions { durable: true, ..Default::default() };
    let none = lapin::types::FieldTable::default;
    channel.exchange_declare(exchange.as_str().into(), lapin::ExchangeKind::Topic, durable, none()).await.unwrap();
    let options = lapin::options::QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, none()).await.unwrap();
    let name = queue.name().clone();
    channel.queue_bind(name.clone(), exchange.as_str().into(), "#".into(), Default::default(), none()).await.unwrap();
    let hub = hub.another().setting("ROLLCALL_EVENTS_EXCHANGE", &exchange).apart(2).start().await;
    let (one, two) = (federated(&hub), federated(&hub));
    let sources = [one.scim_source(), two.scim_source()];
    for person in 0..6 {
        for source in &sources {
            source.user(&format!("p{person}")).await;
        }
        if person == 2 {
            hub.crash_worker().await;
        }
    }
    let mut got: Vec<(String, Value)> = Vec::new();
    let wanted: BTreeSet<String> = [&one, &two]
        .iter()
        .flat_map(|tenant| (0..6).map(|p| format!("{} {}", tenant.id, email(&format!("p{p}")))))
        .collect();
    within(Duration::from_secs(90), "everybody of both is heard of", async || {
        while let Some(message) =
            channel.basic_get(name.clone(), lapin::options::BasicGetOptions { no_ack: true }).await.unwrap()
        {
            let event: Value = serde_json::from_slice(&message.delivery.data).unwrap();
            let text = |name: &str| event[name].as_str().unwrap();
            assert_eq!(message.delivery.routing_key.as_str(), format!("{}.{}", text("tenant_id"), text("type")));
            let id = message.delivery.properties.message_id().as_ref().unwrap().to_string();
            assert_eq!(id, text("id"));
            got.push((id, event));
        }
        let told = |(_, event): &(String, Value)| {
            Some(format!("{} {}", event["tenant_id"].as_str()?, event["data"]["member"]["email"].as_str()?))
        };
        let heard: BTreeSet<String> = got.iter().filter_map(told).collect();
        if heard.is_superset(&wanted) { Ok(()) } else { Err(format!("{} messages", got.len())) }
    })
    .await;
    for tenant in [&one, &two] {
        let (events, _) = read_all(tenant, "").await;
        let mut seen: Vec<&str> = Vec::new();
        for (id, event) in got.iter().filter(|(_, event)| event["tenant_id"] == tenant.id.as_str()) {
            if !seen.contains(&id.as_str()) {
                seen.push(event["id"].as_str().unwrap());
            }
        }
        let feed: Vec<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
        let begins = feed.iter().position(|id| Some(id) == seen.first()).expect("an event of the feed");
        assert_eq!(seen, &feed[begins..begins + seen.len()], "in order, and none is skipped");
    }
}
