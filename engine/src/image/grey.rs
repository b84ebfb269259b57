//! Greyscale planes of the two depths that cameras deliver.

use super::{Plane, Size};

/// Bits per pixel of a camera image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BitDepth {
    /// `u8`, 0 to 255.
    Eight,
    /// `u16`, 0 to 65 535.
    Sixteen,
}

impl BitDepth {
    /// Number of bits: 8 or 16.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Eight => 8,
            Self::Sixteen => 16,
        }
    }

    /// Bytes of one pixel: 1 or 2.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Eight => 1,
            Self::Sixteen => 2,
        }
    }

    /// Largest pixel value: 255 or 65 535.
    pub const fn max_value(self) -> u16 {
        match self {
            Self::Eight => u8::MAX as u16,
            Self::Sixteen => u16::MAX,
        }
    }

    /// The depth with this number of bits, if it is 8 or 16.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            8 => Some(Self::Eight),
            16 => Some(Self::Sixteen),
            _ => None,
        }
    }
}

/// A plane of 8-bit or 16-bit grey values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GreyPlane {
    /// 8 bits per pixel.
    U8(Plane<u8>),
    /// 16 bits per pixel.
    U16(Plane<u16>),
}

impl GreyPlane {
    /// A black plane.
    pub fn zeros(depth: BitDepth, size: Size) -> Self {
        match depth {
            BitDepth::Eight => Self::U8(Plane::zeros(size)),
            BitDepth::Sixteen => Self::U16(Plane::zeros(size)),
        }
    }

    /// Height and width in pixels.
    pub fn size(&self) -> Size {
        match self {
            Self::U8(plane) => plane.size(),
            Self::U16(plane) => plane.size(),
        }
    }

    /// Bits per pixel.
    pub fn depth(&self) -> BitDepth {
        match self {
            Self::U8(_) => BitDepth::Eight,
            Self::U16(_) => BitDepth::Sixteen,
        }
    }

    /// The pixels widened to 16 bits, which changes no value.
    pub fn into_u16(self) -> Plane<u16> {
        match self {
            Self::U8(plane) => Plane::from_fn(plane.size(), |row, column| plane.get(row, column).into()),
            Self::U16(plane) => plane,
        }
    }

    /// The value at a position, widened to 16 bits.
    pub fn value(&self, row: usize, column: usize) -> u16 {
        match self {
            Self::U8(plane) => plane.get(row, column).into(),
            Self::U16(plane) => plane.get(row, column),
        }
    }
}

impl From<Plane<u8>> for GreyPlane {
    fn from(plane: Plane<u8>) -> Self {
        Self::U8(plane)
    }
}

impl From<Plane<u16>> for GreyPlane {
    fn from(plane: Plane<u16>) -> Self {
        Self::U16(plane)
    }
}
