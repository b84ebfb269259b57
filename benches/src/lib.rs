//! Benchmarks of the imaging kernels, of tile requests and of whole workflows; `README.md` beside this crate explains them.

pub mod analysis;
pub mod bandwidth;
pub mod case;
pub mod cases;
pub mod client;
pub mod kernels;
pub mod made_up_plate;
pub mod report;
pub mod tiles;
pub mod workflow;
