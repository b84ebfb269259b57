//! Benchmarks of the imaging kernels, of tile requests, of maps full of objects and of whole workflows; `README.md` beside this crate explains them.

pub mod analysis;
pub mod bandwidth;
pub mod case;
pub mod cases;
pub mod client;
pub mod kernels;
pub mod made_up_plate;
pub mod objects;
pub mod pipeline;
pub mod report;
pub mod server;
pub mod tiles;
pub mod usage;
pub mod workflow;
