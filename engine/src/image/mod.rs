//! Planes of pixels: owned ([`Plane`]), borrowed ([`PlaneRef`]), of the depth that cameras
//! deliver ([`GreyPlane`]); and counts of grey values ([`Histogram`]).

mod grey;
mod histogram;
mod pixel;
mod plane;

pub use grey::{BitDepth, GreyPlane};
pub use histogram::Histogram;
pub use pixel::GreyPixel;
pub use plane::{Pixel, Plane, PlaneRef, Rect, Size};
