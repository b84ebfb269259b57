//! Erosion, dilation and opening of masks by discs of pixels.
//!
//! ```text
//! dilate  foreground where any pixel of the disc is foreground
//! erode   foreground where all pixels of the disc are
//! open    dilation of the erosion
//! ```
//!
//! Outside the image is neutral: it neither erodes nor dilates. [`CROSS`] is the pixel and its 4 neighbours,
//! [`SQUARE`] that and the diagonal ones.
//!
//! ```
//! use tm_engine::analysis::{CROSS, Mask, SQUARE, dilate, erode, open};
//! use tm_engine::image::Size;
//! let mask = Mask::new(Size::new(3, 3), vec![0, 1, 0, 1, 1, 1, 0, 1, 1])?;
//! assert_eq!(erode(&mask, CROSS).pixels(), [0, 0, 0, 0, 1, 0, 0, 0, 1]);
//! assert_eq!(open(&mask, CROSS), mask);
//! assert_eq!(dilate(&mask, SQUARE).count(), 9);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::Mask;
use super::extrema::{Disc, Extremum, extremum_of};

/// A pixel and its 4 neighbours.
pub const CROSS: Disc = Disc::within_unchecked(1);
/// A pixel and its 8 neighbours.
pub const SQUARE: Disc = Disc::within_unchecked(2);

/// Foreground grows by a disc.
pub fn dilate(mask: &Mask, disc: Disc) -> Mask {
    Mask::of_bits(extremum_of(mask.plane(), disc, Extremum::Max))
}

/// Foreground shrinks by a disc.
pub fn erode(mask: &Mask, disc: Disc) -> Mask {
    Mask::of_bits(extremum_of(mask.plane(), disc, Extremum::Min))
}

/// Foreground into which the disc does not fit goes away.
pub fn open(mask: &Mask, disc: Disc) -> Mask {
    dilate(&erode(mask, disc), disc)
}
