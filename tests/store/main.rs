//! Tests of the file storage: camera images, OME-Zarr, statistics.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod figures;
mod images;
mod keep;
mod layers;
mod listing;
mod planes;
mod readers;
mod snapshot;
mod statistics;
mod tiff_builder;
