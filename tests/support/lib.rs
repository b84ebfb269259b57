//! What the tests of the workspace share: made-up inputs whose answers are known, comparers, a running app.
//!
//! A failed set-up is a failed test: everything here panics with what went wrong.

#![allow(clippy::unwrap_used)]

pub mod app;
pub mod backends;
pub mod belongings;
pub mod browser;
pub mod cellvoyager;
pub mod compare;
pub mod contents;
pub mod databases;
pub mod jterator;
pub mod made_up_map;
pub mod objects;
pub mod open_data;
pub mod pipelines;
pub mod plates;
pub mod program;
pub mod python;
pub mod registration;
pub mod small_disk;
pub mod snapshot;
pub mod vectors;
