//! Tests of the HTTP API, through a real socket: one module per resource.
// A failed `unwrap` is a failed test.
#![allow(clippy::unwrap_used, missing_docs)]

mod access;
mod acquisitions;
mod auth;
mod base_path;
mod browsers;
mod channels;
mod contract;
mod document;
mod errors;
mod experiments;
mod feature_files;
mod feature_values;
mod features;
mod forms;
mod jterator;
mod jterator_refusals;
mod layers;
mod limits;
mod linking;
mod logins;
mod matrix;
mod names;
mod pages;
mod plates;
mod promises;
mod segmentations;
mod shares;
mod takeover;
mod tools;
mod uploads;
mod viewer;
mod watching;
mod wells;
