//! What the simulator sends and how it takes what comes back, without a hub.

mod dialects;
mod patience;
mod scripted;
