//! Counting how often each grey value occurs.
//!
//! ```text
//! counts[v] = number of pixels with the value v        v = 0 … 255 or 0 … 65 535
//! ```
//!
//! Bit-exact on every backend. Percentiles of a channel for limits of contrast come from it
//! ([`Limits::of_percentiles`](super::rescale::Limits::of_percentiles)).
//!
//! ```
//! use tm_engine::{Engine, image::{Plane, Size}};
//! let plane = Plane::new(Size::new(1, 4), vec![7u8, 0, 7, 255])?;
//! let histogram = Engine::cpu().histogram(&plane)?;
//! assert_eq!([0, 7, 255].map(|value| histogram.counts()[value]), [1, 2, 1]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```
//!
//! Bytes moved per pixel: read 2 at 16 bits, 1 at 8 bits.

pub mod cpu;
pub(crate) mod gpu;
mod spec;

pub use spec::SPEC;
