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
pub(crate) mod gpu;
mod spec;

pub use spec::SPEC;

use super::alignment::{Residues, Shift};
use super::illumination::{Correction, CorrectionWindow};
use super::rescale::Limits;
use crate::error::{EngineError, Result};
use crate::image::{BitDepth, GreyPixel, Plane, PlaneRef};

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

impl<'a, T: GreyPixel> Placement<'a, T> {
    /// What a shifted image has in common with all cycles of its site, whose reference lies at (y, x)
    /// of the output; see [`alignment`](super::alignment). The correction is that of whole images.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] when the residues were not made with this shift among others;
    /// [`EngineError::Shape`] when the correction has another size than the image.
    pub fn aligned(
        image: &'a Plane<T>,
        shift: Shift,
        residues: Residues,
        (y, x): (i64, i64),
        correction: Option<&'a Correction>,
    ) -> Result<Self> {
        let block = residues.block(shift, image.size())?;
        let place = residues.intersection(image.size());
        // Planes have fewer than 2⁶³ pixels.
        let moved = |start: i64, by: usize| start.saturating_add(i64::try_from(by).unwrap_or(i64::MAX));
        Ok(Self {
            pixels: image.window(block)?,
            y: moved(y, place.y),
            x: moved(x, place.x),
            correction: correction.map(|correction| correction.window(block)).transpose()?,
        })
    }
}

/// How grey values become those of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// 8-bit values, unchanged.
    AsStored,
    /// Between two limits.
    Stretched(Limits),
}

impl Shown {
    /// 16-bit pixels need limits; 8-bit pixels do not.
    fn new<T: GreyPixel>(limits: Option<Limits>) -> Result<Self> {
        match limits {
            Some(limits) => {
                limits.check()?;
                Ok(Self::Stretched(limits))
            }
            None if T::DEPTH == BitDepth::Eight => Ok(Self::AsStored),
            None => Err(EngineError::Parameter {
                name: "limits",
                problem: "are needed to show 16-bit pixels".to_owned(),
            }),
        }
    }
}
