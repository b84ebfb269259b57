//! Points, rings and polygons on the map, in whole pixels of full resolution.
//!
//! ```text
//! x = column, to the right        y = -row, upwards        (the map lies in y ≤ 0)
//! ```
//!
//! A vertex of a *pixel-edge* outline is a corner of the pixel lattice: pixel (r, c) covers the square
//! `[c, c + 1] × [-(r + 1), -r]`, so the outline of one pixel has area 1. Coordinates are 32-bit integers;
//! areas and products are computed in 128 bits, so nothing overflows and comparisons are exact.
//!
//! Positive area means counter-clockwise with y upwards: the inside is on the left of every edge. Shells
//! run that way, holes the other way.

mod grid;
mod polygon;
mod raster;
mod relate;
mod ring;
mod segment;
mod shared;
mod simplify;
mod site;
mod validity;

pub use polygon::{Centroid, Outline, Polygon};
pub use raster::{FillRule, rasterise};
pub use ring::{MapRect, Ring, Vertex};
pub use shared::simplify_shared;
pub use simplify::simplify;
pub use site::{MapOffset, SiteFrame};
pub use validity::Invalid;
