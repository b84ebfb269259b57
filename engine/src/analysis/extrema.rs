//! The least and the largest value near each pixel.
//!
//! ```text
//! max(y, x) = largest pixel at offsets (dy, dx) with dy² + dx² ≤ radius_squared; min likewise
//! ```
//!
//! Outside the plane nothing counts (which equals a mirrored plane: a mirror image is never nearer). Exact. The work
//! per pixel grows with the radius, not with its square: rows are widened step by step, and each row of the disc
//! takes the step that is as wide as it.
//!
//! ```
//! use tm_engine::analysis::{Disc, Extremum, extremum};
//! use tm_engine::image::{Plane, Size};
//! let image = Plane::new(Size::new(2, 3), vec![5u8, 0, 0, 0, 0, 9])?.into();
//! let largest = extremum(&image, Disc::within(1)?, Extremum::Max);
//! assert_eq!(largest, Plane::new(Size::new(2, 3), vec![5u8, 5, 9, 5, 9, 9])?.into());
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::for_depth;
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, GreyPlane, Plane};
use crate::parallel;
use crate::simd::{self, RowKernel};

/// A disc of pixels around a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disc {
    radius_squared: usize,
}

impl Disc {
    /// The pixels at offsets with `dy² + dx² ≤ radius_squared`.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for a radius above 255 pixels.
    pub fn within(radius_squared: usize) -> Result<Self> {
        if radius_squared > 255 * 255 {
            let problem = format!("must be at most 255, got the square root of {radius_squared}");
            return Err(EngineError::Parameter { name: "radius", problem });
        }
        Ok(Self { radius_squared })
    }

    /// The same for a radius that is known to be small enough.
    pub(super) const fn within_unchecked(radius_squared: usize) -> Self {
        Self { radius_squared }
    }

    /// Rows above and below the middle one.
    fn reach(self) -> usize {
        self.radius_squared.isqrt()
    }

    /// Columns left and right of the middle one in the row this far from the middle.
    fn half_width(self, row: usize) -> usize {
        (self.radius_squared - row * row).isqrt()
    }
}

/// Least or largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extremum {
    /// The least value.
    Min,
    /// The largest value.
    Max,
}

/// The least or largest value in a disc around each pixel.
pub fn extremum(image: &GreyPlane, disc: Disc, which: Extremum) -> GreyPlane {
    for_depth!(image, plane => GreyPixel::into_grey(extremum_of(plane, disc, which)))
}

/// The same for a known depth.
pub(super) fn extremum_of<T: GreyPixel>(image: &Plane<T>, disc: Disc, which: Extremum) -> Plane<T> {
    let size = image.size();
    let reach = disc.reach();
    let mut output = Plane::zeros(size);
    parallel::for_each_band(output.pixels_mut(), size.width, |first, band| {
        let rows = band.len() / size.width;
        let above = first.saturating_sub(reach);
        let below = (first + rows + reach).min(size.height);
        let source = &image.pixels()[above * size.width..below * size.width];
        band.copy_from_slice(&image.pixels()[first * size.width..(first + rows) * size.width]);
        // Rows widened to half_width so far.
        let mut wide = source.to_vec();
        for half_width in 0..=reach {
            if half_width > 0 && half_width < size.width {
                let kept = size.width - half_width;
                for (wide, row) in wide.chunks_exact_mut(size.width).zip(source.chunks_exact(size.width)) {
                    take(which, &row[..kept], &mut wide[half_width..]);
                    take(which, &row[half_width..], &mut wide[..kept]);
                }
            }
            for distance in (0..=reach).filter(|distance| disc.half_width(*distance) == half_width) {
                for (index, out) in band.chunks_exact_mut(size.width).enumerate() {
                    let row = first + index;
                    let mut take_row = |row: usize| {
                        let start = (row - above) * size.width;
                        take(which, &wide[start..start + size.width], out);
                    };
                    if row >= distance {
                        take_row(row - distance);
                    }
                    if row + distance < size.height {
                        take_row(row + distance);
                    }
                }
            }
        }
    });
    output
}

/// Takes the smaller or larger of output and source.
fn take<T: GreyPixel>(which: Extremum, source: &[T], output: &mut [T]) {
    match which {
        Extremum::Min => simd::run(Lower { source, output }),
        Extremum::Max => T::raise_row(source, output),
    }
}

struct Lower<'a, T> {
    source: &'a [T],
    output: &'a mut [T],
}

impl<T: GreyPixel> RowKernel for Lower<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (out, value) in self.output.iter_mut().zip(self.source) {
            *out = (*out).min(*value);
        }
    }
}
