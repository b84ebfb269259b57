//! Maximum projection: the brightest value of a stack of focal planes at each pixel.
//!
//! ```text
//! out[r, c] = max over planes of plane[r, c]
//! ```
//!
//! All planes have one size and depth, which the result keeps. Bit-exact on every backend.

pub mod cpu;
pub(crate) mod gpu;
mod spec;

pub use spec::SPEC;
