//! Infrastructure of a process: the queue of wake-ups, the cache, telemetry and an orderly stop.
//!
//! Each port is an enum with two arms, chosen once in `main`: RabbitMQ or in-process, Redis or in-process. Only this
//! crate names `lapin` and `redis`, and it knows nothing about the data of a tenant. `outbound` calls addresses that tenants chose.

pub mod cache;
pub mod metrics;
pub mod outbound;
pub mod queue;
pub mod reach;
pub mod shutdown;
pub mod telemetry;

pub use cache::{Cache, CachedCredential, Caller, LookedUp, Rate, RateDecision};
pub use metrics::Metrics;
pub use queue::{Handled, Lane, Queue, QueueConfig, Wakeup};
pub use shutdown::Readiness;
pub use telemetry::TraceContext;
