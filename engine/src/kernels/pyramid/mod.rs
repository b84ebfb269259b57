//! The levels of a block of the map: correct, align, place and halve, without planes in between.
//!
//! ```text
//! canvas   = compose(placements)                      the fused tile at its stored depth, see `tile`
//! level 1  = halve(canvas),  level n = halve(level n - 1)                      see `downsample`
//! ```
//!
//! Only the levels leave the device, a third of the canvas at most: full resolution is rendered from
//! the sites when it is asked for. Aligned sites are placements made by
//! [`Placement::aligned`](super::tile::Placement::aligned).
//!
//! ```
//! use tm_engine::{Engine, image::{Plane, Size}};
//! use tm_engine::kernels::{downsample::Filter, tile::Placement};
//! let site = Plane::new(Size::new(2, 2), vec![4u16, 8, 8, 12])?;
//! let placements = [0, 2].map(|x| Placement { pixels: site.view(), y: 0, x, correction: None });
//! let levels = Engine::cpu().build_levels(Size::new(2, 4), &placements, Filter::Mean, 2)?;
//! assert_eq!([levels[0].pixels(), levels[1].pixels()], [&[8, 8][..], &[4][..]]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```
//!
//! Bytes moved per pixel of 16-bit input: read 2 and 8 of correction planes, write ⅔.

pub mod cpu;
pub(crate) mod gpu;
mod spec;

pub use spec::SPEC;
