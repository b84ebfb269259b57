//! Halving an image: each output pixel is made from 2×2 input pixels, by one of three rules.
//!
//! ```text
//! a b    a = in[2r, 2c]      b = in[2r, 2c+1]
//! c d    c = in[2r+1, 2c]    d = in[2r+1, 2c+1]
//!
//! mean   out[r, c] = (a + b + c + d + 2) >> 2                 intensities
//! max    out[r, c] = max(a, b, c, d)                          intensities with small bright spots
//! mode   out[r, c] = the value that occurs most often;        label images
//!                    of several, the first in the order a b c d
//! ```
//!
//! * Mean and maximum take unsigned integers of 8 or 16 bits; ties of a mean are rounded up. The
//!   mode takes labels of 8, 16 or 32 bits ([`Label`]) and never makes a label that was not there.
//! * `H×W` becomes `⌈H/2⌉ × ⌈W/2⌉`. Pixels missing at an odd bottom or right edge count as 0 in
//!   mean and maximum, as the canvas beyond its edge is black; they have no vote in the mode.
//! * A level is always made from the rounded level before it. Bit-exact on every backend.
//!
//! ```
//! use tm_engine::{Engine, image::{Plane, Size}};
//! let plane = Plane::new(Size::new(3, 3), vec![
//!     1u8, 2, 4, //
//!     3, 4, 4, //
//!     8, 8, 8,
//! ])?;
//! let engine = Engine::cpu();
//! let half = engine.downsample(&plane)?;
//! assert_eq!(half.pixels(), [3, 2, 4, 2]); // (1+2+3+4+2)/4, (4+4+2)/4, (8+8+2)/4, (8+2)/4
//! assert_eq!(engine.downsample_max(&plane)?.pixels(), [4, 4, 8, 8]);
//!
//! let labels = Plane::new(Size::new(2, 5), vec![
//!     1i32, 2, 0, 7, 0, //
//!     2, 3, 7, 0, 9,
//! ])?;
//! assert_eq!(engine.downsample_labels(&labels)?.pixels(), [2, 0, 0]); // 2 twice; ties: 0 is first
//! # Ok::<(), tm_engine::EngineError>(())
//! ```
//!
//! Bytes moved per pixel of input: read 1, write ¼ of the pixel size; read 1, write ⅓ for all levels at
//! once.

pub mod cpu;
pub(crate) mod gpu;
mod spec;

pub(crate) use gpu::levels;

pub use spec::{LEVELS, MAX, MODE, SPEC};

use crate::error::{EngineError, Result};
use crate::image::{Pixel, Size};
use crate::kernels::rows::LabelLoops;

/// Levels at most: the last one of the largest plane has one pixel.
const MOST_LEVELS: usize = 32;

/// How intensities are halved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Filter {
    /// The mean of 2×2 pixels.
    #[default]
    Mean,
    /// The maximum of 2×2 pixels.
    Max,
}

/// Sizes of the levels 1 to `levels` of a plane.
///
/// # Errors
/// [`EngineError::Parameter`] for more than 32 levels.
pub(crate) fn level_sizes(size: Size, levels: usize) -> Result<Vec<Size>> {
    if levels > MOST_LEVELS {
        return Err(EngineError::Parameter {
            name: "levels",
            problem: format!("may be {MOST_LEVELS} at most, not {levels}"),
        });
    }
    Ok(std::iter::successors(Some(size.halved()), |size| Some(size.halved())).take(levels).collect())
}

/// A label of an object in a label image; 0 is background. `u8`, `u16` and `i32`; no other type
/// can implement it.
pub trait Label: Pixel + Eq + LabelLoops {}
impl Label for u8 {}
impl Label for u16 {}
impl Label for i32 {}
