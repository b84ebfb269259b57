//! The rules of the house, as tests: who may import whom, what pairs up, what stays small, what documents say.

#![allow(clippy::unwrap_used)]

mod defects;
mod documents;
mod layers;
mod migrations;
mod registries;
mod sizes;
mod sources;
