//! Thresholds that follow the surroundings of each pixel.
//!
//! The image is first stretched to 8 bits, black at its least value, white at its 99.99th percentile (by the rule
//! of [`rescale`](crate::kernels::rescale)); `v8` is a pixel of that. Of a window of `k × k` pixels, outside the
//! plane the nearest pixel of the plane:
//!
//! * **Niblack** (1986): `T = mean + constant·std`, foreground `v8 > T`. Mean and (population) standard deviation
//!   are of the window, from exact integer sums that slide; T is rounded to a whole number, ties to even, and kept
//!   in 0 … 255.
//! * **Cross-correlation**: foreground `v8 > mean - ⌊constant⌋`, the constant cut off towards 0. The mean has the
//!   weights of a Gaussian, `σ = 0.3·((k - 1)/2 - 1) + 0.8` (the rule of OpenCV), and is rounded, ties to even.
//!
//! In the end, by the pixel `v` of the image itself: `v < min` is background and `v > max` foreground.
//!
//! The help text of the original says that Niblack's constant is subtracted; it is added there and here.
//!
//! ```
//! use tm_engine::analysis::{AdaptiveMethod, AdaptiveThreshold, ThresholdBounds};
//! use tm_engine::image::{Plane, Size};
//! let image = Plane::new(Size::new(1, 6), vec![0u16, 10, 0, 1000, 1100, 1000])?.into();
//! let threshold = AdaptiveThreshold::new(AdaptiveMethod::Niblack, 3, 0.0, ThresholdBounds::default())?;
//! assert_eq!(threshold.apply(&image)?.pixels(), [0, 1, 0, 1, 1, 0]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::separable::{self, Edge, Product, Taps};
use super::threshold::{ThresholdBounds, stretch_to_percentile};
use super::{Mask, for_depth};
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, GreyPlane, Plane};
use crate::parallel;
use crate::simd::{self, RowKernel};

/// The percentile that becomes white.
const WHITE_PERCENTILE: f64 = 99.99;
/// Windows up to this wide keep sums of squares below 2⁵³.
const LARGEST_WINDOW: usize = 4095;

/// How the threshold of a pixel follows from its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdaptiveMethod {
    /// Mean and standard deviation of the window.
    Niblack,
    /// The mean of the window with the weights of a Gaussian.
    CrossCorrelation,
}

/// A threshold that follows the surroundings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveThreshold {
    method: AdaptiveMethod,
    kernel_size: usize,
    constant: f64,
    bounds: ThresholdBounds,
}

impl AdaptiveThreshold {
    /// A method with a window of `kernel_size × kernel_size` pixels, its constant, and grey values beyond which a
    /// pixel is background (below `min`) or foreground (above `max`) in any case.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for a window that is even or not from 1 to 4095, and for numbers that are none.
    pub fn new(
        method: AdaptiveMethod,
        kernel_size: usize,
        constant: f64,
        bounds: ThresholdBounds,
    ) -> Result<Self> {
        if kernel_size.is_multiple_of(2) || kernel_size > LARGEST_WINDOW {
            let problem = format!("must be odd and from 1 to {LARGEST_WINDOW}, got {kernel_size}");
            return Err(EngineError::Parameter { name: "kernel_size", problem });
        }
        if !constant.is_finite() {
            return Err(EngineError::Parameter { name: "constant", problem: "must be a number".to_owned() });
        }
        bounds.check()?;
        Ok(Self { method, kernel_size, constant, bounds })
    }

    /// The foreground of an image.
    ///
    /// # Errors
    /// Those of stretching to 8 bits, of which there are none for limits in order.
    pub fn apply(&self, image: &GreyPlane) -> Result<Mask> {
        let stretched = stretch_to_percentile(image, WHITE_PERCENTILE)?;
        let mut foreground = match self.method {
            AdaptiveMethod::Niblack => niblack(&stretched, self.kernel_size, self.constant),
            AdaptiveMethod::CrossCorrelation => above_mean(&stretched, self.kernel_size, self.constant),
        };
        for_depth!(image, plane => self.decide_extremes(plane, foreground.pixels_mut()));
        Ok(Mask::of_bits(foreground))
    }

    fn decide_extremes<T: GreyPixel>(&self, image: &Plane<T>, pixels: &mut [u8]) {
        let min = self.bounds.min.unwrap_or(f64::NEG_INFINITY);
        let max = self.bounds.max.unwrap_or(f64::INFINITY);
        // Grey values are whole: v < min is v < ⌈min⌉, v > max is v > ⌊max⌋, and casts stop at the ends of i32.
        let (min, max) = (min.ceil() as i32, max.floor() as i32);
        simd::run(DecideExtremes { source: image.pixels(), min, max, output: pixels });
    }
}

struct DecideExtremes<'a, T> {
    source: &'a [T],
    min: i32,
    max: i32,
    output: &'a mut [u8],
}

impl<T: GreyPixel> RowKernel for DecideExtremes<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (out, value) in self.output.iter_mut().zip(self.source) {
            let value = i32::from((*value).into());
            *out = (*out & u8::from(value >= self.min)) | u8::from(value > self.max);
        }
    }
}

/// Sums of the pixels and of their squares.
struct Sums {
    values: Vec<u32>,
    squares: Vec<u32>,
}

/// Pixels above Niblack's threshold, as ones and zeros.
fn niblack(image: &Plane<u8>, side: usize, constant: f64) -> Plane<u8> {
    let size = image.size();
    let half = side / 2;
    let mut output = Plane::zeros(size);
    parallel::for_each_share(output.pixels_mut(), size.width, |first, rows| {
        let at =
            |row: usize, up: usize| Edge::Replicate.index(row.cast_signed() - up.cast_signed(), size.height);
        // Sums of columns over the rows of the window, with room left and right for the columns outside.
        let padded = size.width + 2 * half;
        let mut sums = Sums { values: vec![0; padded], squares: vec![0; padded] };
        let mut windows = vec![[0.0; 2]; size.width];
        let inner = half..half + size.width;
        for up in 0..side {
            let source = image.row(at(first + half, up));
            let (values, squares) = (&mut sums.values[inner.clone()], &mut sums.squares[inner.clone()]);
            simd::run(Exchange { entering: source, leaving: None, values, squares });
        }
        for (index, out) in rows.chunks_exact_mut(size.width).enumerate() {
            let row = first + index;
            if index > 0 {
                let (entering, leaving) = (image.row(at(row + half, 0)), image.row(at(row, half + 1)));
                let (values, squares) = (&mut sums.values[inner.clone()], &mut sums.squares[inner.clone()]);
                simd::run(Exchange { entering, leaving: Some(leaving), values, squares });
            }
            for columns in [&mut sums.values, &mut sums.squares] {
                let (left, right) = (columns[half], columns[half + size.width - 1]);
                columns[..half].fill(left);
                columns[half + size.width..].fill(right);
            }
            sum_windows(&sums, side, &mut windows);
            let pixels = (side * side) as f64;
            simd::run(Niblack { source: image.row(row), windows: &windows, pixels, constant, output: out });
        }
    });
    output
}

/// Adds a row to the sums of columns and takes another away.
struct Exchange<'a> {
    entering: &'a [u8],
    leaving: Option<&'a [u8]>,
    values: &'a mut [u32],
    squares: &'a mut [u32],
}

impl RowKernel for Exchange<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((value, square), entering) in self.values.iter_mut().zip(&mut *self.squares).zip(self.entering) {
            let entering = u32::from(*entering);
            *value += entering;
            *square += entering * entering;
        }
        let leaving = self.leaving.unwrap_or_default();
        for ((value, square), leaving) in self.values.iter_mut().zip(self.squares).zip(leaving) {
            let leaving = u32::from(*leaving);
            *value -= leaving;
            *square -= leaving * leaving;
        }
    }
}

/// Sums over windows of columns: of values, of squares.
fn sum_windows(sums: &Sums, side: usize, windows: &mut [[f64; 2]]) {
    let total = |columns: &[u32]| columns[..side - 1].iter().map(|sum| u64::from(*sum)).sum::<u64>();
    let (mut value, mut square) = (total(&sums.values), total(&sums.squares));
    let columns = sums.values.iter().zip(&sums.squares);
    for ((window, leaving), entering) in windows.iter_mut().zip(columns.clone()).zip(columns.skip(side - 1)) {
        value += u64::from(*entering.0);
        square += u64::from(*entering.1);
        // Below 2⁵³.
        *window = [value as f64, square as f64];
        value -= u64::from(*leaving.0);
        square -= u64::from(*leaving.1);
    }
}

struct Niblack<'a> {
    source: &'a [u8],
    windows: &'a [[f64; 2]],
    pixels: f64,
    constant: f64,
    output: &'a mut [u8],
}

impl RowKernel for Niblack<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((out, value), [sum, squares]) in self.output.iter_mut().zip(self.source).zip(self.windows) {
            let mean = sum / self.pixels;
            let deviation = (squares / self.pixels - mean * mean).max(0.0).sqrt();
            let threshold = (mean + self.constant * deviation).round_ties_even().clamp(0.0, 255.0);
            *out = u8::from(f64::from(*value) > threshold);
        }
    }
}

/// Pixels above a mean less a constant, as ones and zeros.
fn above_mean(image: &Plane<u8>, side: usize, constant: f64) -> Plane<u8> {
    let sigma = 0.3 * ((side as f64 - 1.0) / 2.0 - 1.0) + 0.8;
    let taps = Taps::gaussian(sigma, side / 2);
    let product = Product { vertical: taps.clone(), horizontal: taps };
    let mut output: Plane<u8> = separable::filter(image, &[product], Edge::Replicate, |sums, output| {
        for (pixel, sum) in output.iter_mut().zip(sums) {
            // A mean lies among the pixels.
            *pixel = sum.round_ties_even() as u8;
        }
    });
    let constant = constant.trunc();
    for (out, value) in output.pixels_mut().iter_mut().zip(image.pixels()) {
        *out = u8::from(f64::from(*value) > f64::from(*out) - constant);
    }
    output
}
