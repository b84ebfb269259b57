//! Stretching grey values between two limits to 8 bits.
//!
//! ```text
//! v < lower           → 0
//! lower ≤ v < upper   → ⌊255 · (v - lower) / (upper - lower - 1)⌋      (0 if upper - lower = 1)
//! v ≥ upper           → 255
//! ```
//!
//! Integer arithmetic in 32 bits; `upper - 1` already maps to 255. The rule is the same for 8-bit
//! input; whether 8-bit images are stretched at all is the caller's decision. Bit-exact on every
//! backend.
//!
//! ```
//! use tm_engine::{Engine, image::{Plane, Size}, kernels::rescale::Limits};
//! let plane = Plane::new(Size::new(1, 5), vec![0u16, 100, 150, 199, 65535])?;
//! let grey = Engine::cpu().rescale(&plane, Limits::new(100, 201)?)?;
//! assert_eq!(grey.pixels(), [0, 0, 127, 252, 255]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```
//!
//! Bytes moved per pixel of 16-bit input: read 2, write 1.

pub mod cpu;
pub(crate) mod gpu;
mod spec;

pub use spec::SPEC;

use crate::error::{EngineError, Result};
use crate::image::{BitDepth, Histogram};

/// The grey values shown as black and as white; `lower < upper`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Limits {
    /// Values up to this one are black.
    pub lower: u16,
    /// Values from this one on are white.
    pub upper: u16,
}

impl Limits {
    /// Limits from a lower and a larger upper grey value.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] unless `lower < upper`.
    pub fn new(lower: u16, upper: u16) -> Result<Self> {
        let limits = Self { lower, upper };
        limits.check()?;
        Ok(limits)
    }

    /// The whole range of a depth: 0 to 255 or to 65 535.
    pub const fn full(depth: BitDepth) -> Self {
        Self { lower: 0, upper: depth.max_value() }
    }

    /// Limits at two percentiles, 0 to 100, of the pixels counted, truncated to whole values and kept
    /// apart as by [`clip_limits`]. `None` where there are no pixels, or for percentiles out of range.
    pub fn of_percentiles(histogram: &Histogram, lower: f64, upper: f64) -> Option<Self> {
        // Percentiles of grey values are between them.
        let at = |percentile| histogram.percentile(percentile).map(|value| value as u16);
        Some(clip_limits(histogram.depth(), at(lower)?, at(upper)?))
    }

    /// The fields are public, so kernels check them again.
    pub(crate) fn check(self) -> Result<()> {
        if self.lower < self.upper {
            return Ok(());
        }
        Err(EngineError::Parameter {
            name: "limits",
            problem: format!("need a lower below the upper one, got {} and {}", self.lower, self.upper),
        })
    }
}

/// Limits of a channel layer from two percentiles of its channel.
///
/// The upper limit is at least 255 above the lower one (8 bits: at least 255), which keeps the
/// noise of an empty channel from being stretched over the whole range.
pub fn clip_limits(depth: BitDepth, lower_percentile: u16, upper_percentile: u16) -> Limits {
    let least_upper = match depth {
        BitDepth::Eight => 255,
        BitDepth::Sixteen => lower_percentile.saturating_add(255),
    };
    let upper = upper_percentile.max(least_upper);
    Limits { lower: lower_percentile.min(upper - 1), upper }
}
