//! The planner and its guards, tried on a hub without a database: named cases, brute force, and random histories.

mod guards;
mod matching;
mod model;
mod properties;
