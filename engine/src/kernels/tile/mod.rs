//! The fused tile: fetch, correct, place and rescale without planes in between.
//!
//! ```text
//! output[y + r, x + c] = rescale(correct(pixels[r, c]))      for each placement, in order
//! ```
//!
//! * Later placements win where they overlap. Output that no placement covers is 0. Parts of a
//!   placement outside the output are left out; its position may be negative.
//! * A correction window has the size of the pixels it belongs to.
//! * Correction is that of [`illumination`](super::illumination), rescaling that of
//!   [`rescale`](super::rescale); without limits 8-bit pixels are copied.
//!
//! Any number of sites and chunks: a caller passes one placement for each chunk it fetched.

pub mod cpu;
mod spec;

pub use spec::SPEC;

use super::illumination::CorrectionWindow;
use crate::image::PlaneRef;

/// Pixels, where they go in the output, and how they are corrected.
#[derive(Debug, Clone, Copy)]
pub struct Placement<'a, T> {
    /// The pixels to place.
    pub pixels: PlaneRef<'a, T>,
    /// Output row of their first row; may be negative or beyond the output.
    pub y: i64,
    /// Output column of their first column; may be negative or beyond the output.
    pub x: i64,
    /// Illumination correction for exactly these pixels, if any.
    pub correction: Option<CorrectionWindow<'a>>,
}
