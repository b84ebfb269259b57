//! Tests of what is stored: the database; camera images, OME-Zarr, statistics.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod databases;
mod figures;
mod images;
mod keep;
mod layers;
mod listing;
mod planes;
mod readers;
mod snapshot;
mod space;
mod stacks;
mod statistics;
mod tiff_builder;
mod writers;
