//! Halving an image: each output pixel is the mean of 2×2 input pixels.
//!
//! ```text
//! out[r, c] = (in[2r, 2c] + in[2r, 2c+1] + in[2r+1, 2c] + in[2r+1, 2c+1] + 2) >> 2
//! ```
//!
//! * Unsigned integers of 8 or 16 bits; ties are rounded up.
//! * `H×W` becomes `⌈H/2⌉ × ⌈W/2⌉`. Pixels missing at an odd bottom or right edge count as 0, as
//!   the canvas beyond its edge is black.
//! * A level is always made from the rounded level before it. Bit-exact on every backend.
//!
//! ```
//! use tm_engine::{Engine, image::{Plane, Size}};
//! let plane = Plane::new(Size::new(3, 3), vec![
//!     1u8, 2, 4, //
//!     3, 4, 4, //
//!     8, 8, 8,
//! ])?;
//! let half = Engine::cpu().downsample(&plane)?;
//! assert_eq!(half.pixels(), [3, 2, 4, 2]); // (1+2+3+4+2)/4, (4+4+2)/4, (8+8+2)/4, (8+2)/4
//! # Ok::<(), tm_engine::EngineError>(())
//! ```
//!
//! Bytes moved per pixel of input: read 1, write ¼ of the pixel size.

pub mod cpu;
pub(crate) mod gpu;
mod spec;

pub use spec::SPEC;
