//! Planes of pixels: owned ([`Plane`]), borrowed ([`PlaneRef`]), of the depth that cameras
//! deliver ([`GreyPlane`]).

mod grey;
mod pixel;
mod plane;

pub use grey::{BitDepth, GreyPlane};
pub use pixel::GreyPixel;
pub use plane::{Pixel, Plane, PlaneRef, Rect, Size};
