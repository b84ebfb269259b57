//! The two pixel types of camera images, and what kernels may do with either.

use crate::kernels::rows::RowLoops;

use super::{BitDepth, GreyPlane, Pixel, Plane};

/// A grey value of a camera image: `u8` or `u16`.
///
/// Kernels are written once for both. No other type can implement it.
pub trait GreyPixel: Pixel + Ord + Into<u16> + RowLoops {
    /// Bits of this pixel type.
    const DEPTH: BitDepth;

    /// The value with its upper bits cut off, exact for values up to the depth's maximum.
    fn from_low_bits(value: u16) -> Self;

    /// Mean of 2×2 pixels, `(a + b + c + d + 2) >> 2`: ties go up.
    fn mean_of_four(top: [Self; 2], bottom: [Self; 2]) -> Self;

    /// The plane as one whose depth is known only when the program runs.
    fn into_grey(plane: Plane<Self>) -> GreyPlane;
}

impl GreyPixel for u8 {
    const DEPTH: BitDepth = BitDepth::Eight;

    #[inline(always)]
    fn from_low_bits(value: u16) -> Self {
        value as u8
    }

    // A pair is read as one word and split with a mask: that vectorises without shuffles.
    #[inline(always)]
    fn mean_of_four(top: [Self; 2], bottom: [Self; 2]) -> Self {
        let (top, bottom) = (u16::from_ne_bytes(top), u16::from_ne_bytes(bottom));
        let sum = (top & 0xff) + (top >> 8) + (bottom & 0xff) + (bottom >> 8);
        ((sum + 2) >> 2) as u8
    }

    fn into_grey(plane: Plane<Self>) -> GreyPlane {
        GreyPlane::U8(plane)
    }
}

impl GreyPixel for u16 {
    const DEPTH: BitDepth = BitDepth::Sixteen;

    #[inline(always)]
    fn from_low_bits(value: u16) -> Self {
        value
    }

    #[inline(always)]
    fn mean_of_four(top: [Self; 2], bottom: [Self; 2]) -> Self {
        let (top, bottom): (u32, u32) = (bytemuck::cast(top), bytemuck::cast(bottom));
        let sum = (top & 0xffff) + (top >> 16) + (bottom & 0xffff) + (bottom >> 16);
        ((sum + 2) >> 2) as u16
    }

    fn into_grey(plane: Plane<Self>) -> GreyPlane {
        GreyPlane::U16(plane)
    }
}
