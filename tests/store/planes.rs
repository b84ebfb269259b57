//! Planes whose every pixel says where it is.

use tm_engine::image::{BitDepth, GreyPlane, Plane, Rect, Size};

/// The sizes that everything is tried with.
pub const SIZES: [Size; 5] =
    [Size::new(300, 340), Size::new(2160, 2560), Size::new(96, 120), Size::new(1, 1), Size::new(256, 512)];

pub const DEPTHS: [BitDepth; 2] = [BitDepth::Eight, BitDepth::Sixteen];

/// A plane without equal neighbours and without zeros; another `seed`, another plane.
pub fn plane(size: Size, depth: BitDepth, seed: usize) -> GreyPlane {
    let value = |row: usize, column: usize| row * 7919 + column * 31 + seed * 104_729 + (row * column) % 13;
    match depth {
        BitDepth::Eight => Plane::from_fn(size, |row, column| (1 + value(row, column) % 255) as u8).into(),
        BitDepth::Sixteen => {
            Plane::from_fn(size, |row, column| (1 + value(row, column) % 65535) as u16).into()
        }
    }
}

/// A window cut out of a plane.
pub fn cut(plane: &GreyPlane, window: Rect) -> GreyPlane {
    match plane {
        GreyPlane::U8(plane) => plane.window(window).unwrap().to_plane().into(),
        GreyPlane::U16(plane) => plane.window(window).unwrap().to_plane().into(),
    }
}
