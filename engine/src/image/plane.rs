//! Rectangles of pixels in row-major order, whose size is checked once, when they are made.

use crate::error::{EngineError, Result};

/// A pixel type that the engine computes with.
pub trait Pixel: bytemuck::Pod + Default + PartialOrd + Send + Sync + std::fmt::Debug {}
impl Pixel for u8 {}
impl Pixel for u16 {}
impl Pixel for i32 {}
impl Pixel for f32 {}
impl Pixel for f64 {}

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Size {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
}

impl Size {
    /// A size of `height` rows and `width` columns.
    pub const fn new(height: usize, width: usize) -> Self {
        Self { height, width }
    }

    /// Number of pixels.
    pub const fn area(self) -> usize {
        self.height * self.width
    }

    /// Half the size, rounded up: what one 2×2 reduction leaves.
    pub const fn halved(self) -> Self {
        Self::new(self.height.div_ceil(2), self.width.div_ceil(2))
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}×{}", self.height, self.width)
    }
}

/// A window: its top-left pixel and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rect {
    /// First row.
    pub y: usize,
    /// First column.
    pub x: usize,
    /// Number of rows and columns.
    pub size: Size,
}

impl Rect {
    /// The window of `size` whose top-left pixel is (`y`, `x`).
    pub const fn new(y: usize, x: usize, size: Size) -> Self {
        Self { y, x, size }
    }
}

/// Owned pixels of one plane, row by row from the top.
///
/// ```
/// use tm_engine::image::{Plane, Size};
/// let plane = Plane::new(Size::new(2, 3), vec![1u8, 2, 3, 4, 5, 6])?;
/// assert_eq!(plane.get(1, 0), 4);
/// assert!(Plane::new(Size::new(2, 3), vec![0u8; 5]).is_err());
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Plane<T> {
    size: Size,
    pixels: Vec<T>,
}

impl<T: Pixel> Plane<T> {
    /// A plane of `size` from its pixels in row-major order.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when the number of pixels is not `height × width`.
    pub fn new(size: Size, pixels: Vec<T>) -> Result<Self> {
        if size.height.checked_mul(size.width) != Some(pixels.len()) {
            return Err(EngineError::Shape {
                what: "pixels of a plane",
                expected: format!("{size} values"),
                actual: format!("{} values", pixels.len()),
            });
        }
        Ok(Self { size, pixels })
    }

    /// A plane of zeros.
    pub fn zeros(size: Size) -> Self {
        Self { size, pixels: vec![T::default(); size.area()] }
    }

    /// A plane whose pixel at (row, column) is `value(row, column)`.
    pub fn from_fn(size: Size, mut value: impl FnMut(usize, usize) -> T) -> Self {
        let mut pixels = Vec::with_capacity(size.area());
        for row in 0..size.height {
            pixels.extend((0..size.width).map(|column| value(row, column)));
        }
        Self { size, pixels }
    }

    /// Height and width in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The pixel at a position; panics outside the plane, as slices do.
    pub fn get(&self, row: usize, column: usize) -> T {
        self.row(row)[column]
    }

    /// One row of pixels; panics outside the plane, as slices do.
    pub fn row(&self, row: usize) -> &[T] {
        &self.pixels[row * self.size.width..(row + 1) * self.size.width]
    }

    /// One row of pixels to write to.
    pub fn row_mut(&mut self, row: usize) -> &mut [T] {
        &mut self.pixels[row * self.size.width..(row + 1) * self.size.width]
    }

    /// All pixels in row-major order.
    pub fn pixels(&self) -> &[T] {
        &self.pixels
    }

    /// All pixels in row-major order, to write to.
    pub fn pixels_mut(&mut self) -> &mut [T] {
        &mut self.pixels
    }

    /// The pixels in row-major order.
    pub fn into_pixels(self) -> Vec<T> {
        self.pixels
    }

    /// The whole plane, borrowed.
    pub fn view(&self) -> PlaneRef<'_, T> {
        PlaneRef { size: self.size, stride: self.size.width, pixels: &self.pixels }
    }

    /// A window of the plane, borrowed.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when the window leaves the plane.
    pub fn window(&self, window: Rect) -> Result<PlaneRef<'_, T>> {
        self.view().window(window)
    }
}

impl<T: Pixel> std::fmt::Debug for Plane<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Plane {} of {}", self.size, std::any::type_name::<T>())?;
        if self.size.area() <= 64 {
            for row in 0..self.size.height {
                write!(formatter, "\n  {:?}", self.row(row))?;
            }
        }
        Ok(())
    }
}

/// Borrowed pixels: a plane or a window of one.
#[derive(Debug, Clone, Copy)]
pub struct PlaneRef<'a, T> {
    size: Size,
    stride: usize,
    pixels: &'a [T],
}

impl<'a, T: Pixel> PlaneRef<'a, T> {
    /// Height and width in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// One row of pixels; panics outside the window, as slices do.
    pub fn row(&self, row: usize) -> &'a [T] {
        assert!(row < self.size.height, "row {row} of {}", self.size);
        let start = row * self.stride;
        &self.pixels[start..start + self.size.width]
    }

    /// A window of this window.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when the window leaves this one.
    pub fn window(&self, window: Rect) -> Result<Self> {
        let fits = window.y.checked_add(window.size.height).is_some_and(|end| end <= self.size.height)
            && window.x.checked_add(window.size.width).is_some_and(|end| end <= self.size.width);
        if !fits {
            return Err(EngineError::Shape {
                what: "window of a plane",
                expected: format!("inside {}", self.size),
                actual: format!("{} at row {}, column {}", window.size, window.y, window.x),
            });
        }
        if window.size.area() == 0 {
            // A stride would lead beyond the pixels that are not there.
            return Ok(Self { size: window.size, stride: window.size.width, pixels: &[] });
        }
        let start = window.y * self.stride + window.x;
        let end = start + (window.size.height - 1) * self.stride + window.size.width;
        Ok(Self { size: window.size, stride: self.stride, pixels: &self.pixels[start..end] })
    }

    /// Some of the rows as one slice, when no pixels lie between them.
    pub(crate) fn contiguous_rows(&self, rows: std::ops::Range<usize>) -> Option<&'a [T]> {
        let whole = self.stride == self.size.width && rows.end <= self.size.height;
        whole.then(|| &self.pixels[rows.start * self.stride..rows.end * self.stride])
    }

    /// A copy of the pixels.
    pub fn to_plane(&self) -> Plane<T> {
        let mut pixels = Vec::with_capacity(self.size.area());
        for row in 0..self.size.height {
            pixels.extend_from_slice(self.row(row));
        }
        Plane { size: self.size, pixels }
    }
}
