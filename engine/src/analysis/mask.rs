//! Planes of yes and no.

use std::ops::Range;

use crate::error::Result;
use crate::image::{Pixel, Plane, Size};

/// A plane whose pixels are foreground (1) or background (0).
///
/// ```
/// use tm_engine::analysis::Mask;
/// use tm_engine::image::{Plane, Size};
/// let labels = Plane::new(Size::new(1, 3), vec![0, 7, 2])?;
/// let mask = Mask::of_labels(&labels);
/// assert_eq!(mask.pixels(), [0, 1, 1]);
/// assert_eq!(mask.count(), 2);
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    plane: Plane<u8>,
}

impl Mask {
    /// A mask from its pixels in row-major order; every number but 0 is foreground.
    ///
    /// # Errors
    /// [`EngineError::Shape`](crate::EngineError::Shape) when the number of pixels is not `height × width`.
    pub fn new(size: Size, pixels: Vec<u8>) -> Result<Self> {
        let mut plane = Plane::new(size, pixels)?;
        for pixel in plane.pixels_mut() {
            *pixel = u8::from(*pixel != 0);
        }
        Ok(Self { plane })
    }

    /// A mask from a plane of ones and zeros.
    pub(super) fn of_bits(plane: Plane<u8>) -> Self {
        Self { plane }
    }

    /// A mask without foreground.
    pub fn empty(size: Size) -> Self {
        Self { plane: Plane::zeros(size) }
    }

    /// A mask whose pixel at (row, column) is foreground where `is_foreground(row, column)`.
    pub fn from_fn(size: Size, mut is_foreground: impl FnMut(usize, usize) -> bool) -> Self {
        Self { plane: Plane::from_fn(size, |row, column| u8::from(is_foreground(row, column))) }
    }

    /// The pixels of all objects.
    pub fn of_labels(labels: &Plane<i32>) -> Self {
        Self::of(labels, |label| label > 0)
    }

    /// The pixels of a plane whose value is foreground.
    pub(super) fn of<T: Pixel>(plane: &Plane<T>, is_foreground: impl Fn(T) -> bool) -> Self {
        let mut mask = Self::empty(plane.size());
        for (pixel, value) in mask.plane.pixels_mut().iter_mut().zip(plane.pixels()) {
            *pixel = u8::from(is_foreground(*value));
        }
        mask
    }

    /// Height and width in pixels.
    pub fn size(&self) -> Size {
        self.plane.size()
    }

    /// Whether the pixel is foreground.
    pub fn get(&self, row: usize, column: usize) -> bool {
        self.plane.get(row, column) != 0
    }

    /// Makes the pixel foreground or background.
    pub fn set(&mut self, row: usize, column: usize, is_foreground: bool) {
        self.plane.row_mut(row)[column] = u8::from(is_foreground);
    }

    /// Makes pixels of a row foreground.
    pub(super) fn fill(&mut self, row: usize, columns: Range<usize>) {
        self.plane.row_mut(row)[columns].fill(1);
    }

    /// One row: 1 is foreground, 0 background.
    pub fn row(&self, row: usize) -> &[u8] {
        self.plane.row(row)
    }

    /// All pixels in row-major order: 1 is foreground, 0 background.
    pub fn pixels(&self) -> &[u8] {
        self.plane.pixels()
    }

    /// The mask as a plane of ones and zeros.
    pub fn plane(&self) -> &Plane<u8> {
        &self.plane
    }

    /// Number of foreground pixels.
    pub fn count(&self) -> usize {
        self.pixels().iter().filter(|&&pixel| pixel != 0).count()
    }

    /// Foreground and background changed for each other.
    #[must_use]
    pub fn inverted(&self) -> Self {
        Self::of(&self.plane, |pixel| pixel == 0)
    }
}
