//! What the simulator sends and how it takes what comes back, without a hub.

// Tests fail by panicking: that is what a test is.
#![allow(clippy::unwrap_used, clippy::panic)]

mod dialects;
mod patience;
mod scripted;
