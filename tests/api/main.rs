//! Tests of the HTTP API, through a real socket: one module per resource.
// A failed `unwrap` is a failed test.
#![allow(clippy::unwrap_used, missing_docs)]

mod access;
mod acquisitions;
mod auth;
mod base_path;
mod channels;
mod document;
mod errors;
mod experiments;
mod feature_files;
mod feature_values;
mod features;
mod forms;
mod layers;
mod linking;
mod matrix;
mod plates;
mod segmentations;
mod takeover;
mod tools;
mod uploads;
mod viewer;
mod wells;
