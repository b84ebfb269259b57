//! Alignment on the CPU.

mod apply;
mod compatible;
mod fourier;
mod overlap;
mod permutation;
mod robust;
mod whiten;

pub use apply::{crop, pad, shift};
pub use compatible::CompatibleReference;
pub use permutation::permutation_threshold;
pub use robust::RobustReference;
