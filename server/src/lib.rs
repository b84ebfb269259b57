//! The TissueMAPS server as a library; the binary `tmserver` is a thin shell around [`cli`].
//!
//! Layers, upwards only: [`store`] and [`storage`] know nothing of the others; [`microscopes`] turns
//! file names and metadata into a plan; [`resources`] holds one folder per resource of the API; [`jterator`] says what
//! image-analysis pipelines are;
//! [`workflow`] runs jobs over them; [`http`], [`error`] and [`routes`] speak HTTP.

pub mod app;
pub mod auth;
pub mod backup;
pub mod check;
pub mod cli;
pub mod compute;
pub mod config;
pub mod environment;
pub mod error;
pub mod export;
pub mod failpoint;
pub mod http;
pub mod inventory;
pub mod jterator;
pub mod machine;
pub mod metrics;
pub mod microscopes;
pub mod openapi;
pub mod resources;
pub mod routes;
pub mod storage;
pub mod store;
pub mod sweep;
pub mod tally;
pub mod tools;
pub mod workflow;
