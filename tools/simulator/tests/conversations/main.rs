//! The simulator's requests and its handling of answers, without a hub.

// Tests fail by panicking.
#![allow(clippy::unwrap_used, clippy::panic)]

mod dialects;
mod patience;
mod scripted;
