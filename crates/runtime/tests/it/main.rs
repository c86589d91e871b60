//! Contract tests of the runtime's ports: the same assertions on both arms, and their behaviour in an outage.
//!
//! `AMQP_URL` and `REDIS_URL` choose the servers; without one only the in-process arm runs, and the test says so.
//! Every test uses queue names or keys of its own, so they run in parallel on one server.

#![allow(clippy::unwrap_used, clippy::panic)]

mod cache_contract;
mod cache_outage;
mod queue_contract;
mod queue_outage;
mod queue_rabbitmq;
mod servers;
mod shutdown;
mod telemetry;
mod waiting;
