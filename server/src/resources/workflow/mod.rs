//! Workflows of an experiment over HTTP, and the rows their steps work on.

pub mod events;
pub mod handlers;
pub mod queries;
