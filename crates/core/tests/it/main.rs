//! The planner and its guards, tried on a hub without a database: named cases, brute force, and random histories.

// Tests fail by panicking: that is what a test is.
#![allow(clippy::unwrap_used, clippy::panic)]

mod guards;
mod matching;
mod model;
mod properties;
