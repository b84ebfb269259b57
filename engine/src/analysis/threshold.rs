//! One grey value for a whole image that separates foreground from background.
//!
//! * **Manual**: foreground is `v > threshold`.
//! * **Otsu** (1979, "A threshold selection method from gray-level histograms"), of any depth: `T` is the first value
//!   that maximises the variance between the classes `B = {v ≤ T}` and `F = {v > T}`,
//!
//!   ```text
//!   nB·nF·(μB - μF)²  =  (sB·nF - sF·nB)² / (nB·nF)        n pixels of sum s
//!   ```
//!
//!   whose right side is computed: its integers are exact, so values of T that divide the pixels alike tie. An
//!   image of one value has `T = 0`. The threshold may be multiplied by a factor and kept between bounds;
//!   foreground is `v > T`.
//!
//! ```
//! use tm_engine::analysis::{otsu, above};
//! use tm_engine::image::{GreyPlane, Plane, Size};
//! let image = GreyPlane::from(Plane::new(Size::new(1, 6), vec![1u16, 2, 2, 900, 901, 905])?);
//! assert_eq!(otsu(&image), 2);
//! assert_eq!(above(&image, 2.0).pixels(), [0, 0, 0, 1, 1, 1]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::{Mask, for_depth};
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, GreyPlane, Histogram, Plane};
use crate::kernels::histogram;
use crate::parallel;
use crate::simd::{self, RowKernel};

/// How often each grey value of an image occurs.
pub fn grey_values(image: &GreyPlane) -> Histogram {
    for_depth!(image, plane => histogram::cpu::histogram(plane.view()))
}

/// The pixels above a grey value; none when it is not a number.
pub fn above(image: &GreyPlane, threshold: f64) -> Mask {
    // Grey values are whole: v > t is v > ⌊t⌋, or v ≥ ⌊t⌋ + 1, which is beyond every depth for a large t.
    let least = if threshold.is_nan() { u32::MAX } else { (threshold.floor() + 1.0) as u32 };
    for_depth!(image, plane => at_least(plane, least))
}

fn at_least<T: GreyPixel>(image: &Plane<T>, least: u32) -> Mask {
    let width = image.size().width;
    let mut output = Plane::zeros(image.size());
    parallel::for_each_band(output.pixels_mut(), width, |first, band| {
        let source = &image.pixels()[first * width..first * width + band.len()];
        simd::run(AtLeast { source, least, output: band });
    });
    Mask::of_bits(output)
}

struct AtLeast<'a, T> {
    source: &'a [T],
    least: u32,
    output: &'a mut [u8],
}

impl<T: GreyPixel> RowKernel for AtLeast<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (out, value) in self.output.iter_mut().zip(self.source) {
            *out = u8::from(u32::from((*value).into()) >= self.least);
        }
    }
}

/// Otsu's threshold of an image.
pub fn otsu(image: &GreyPlane) -> u16 {
    otsu_of(&grey_values(image))
}

/// Otsu's threshold of counted grey values.
pub fn otsu_of(histogram: &Histogram) -> u16 {
    let weighted = |(value, count): (u16, &u64)| u128::from(value) * u128::from(*count);
    let values = || (0..=u16::MAX).zip(histogram.counts());
    let (pixels, sum) = (u128::from(histogram.pixels()), values().map(weighted).sum::<u128>());
    let (mut below, mut sum_below) = (0u128, 0u128);
    let (mut best, mut best_variance) = (0, 0.0);
    for (value, count) in values().filter(|(_, count)| **count > 0) {
        below += u128::from(*count);
        sum_below += weighted((value, count));
        let above = pixels - below;
        if above == 0 {
            break;
        }
        // Each product is below 2⁹⁶ for any image that fits memory.
        let difference = (sum_below * above).abs_diff((sum - sum_below) * below) as f64;
        let variance = difference / below as f64 * (difference / above as f64);
        if variance > best_variance {
            (best, best_variance) = (value, variance);
        }
    }
    best
}

/// Grey values between which a threshold is kept.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ThresholdBounds {
    /// The least threshold; the least value of the image when there is none.
    pub min: Option<f64>,
    /// The largest threshold; the largest value of the image when there is none. It wins over the least one.
    pub max: Option<f64>,
}

impl ThresholdBounds {
    /// Refuses bounds that are not numbers.
    pub(super) fn check(self) -> Result<()> {
        for (name, bound) in [("min_threshold", self.min), ("max_threshold", self.max)] {
            if bound.is_some_and(f64::is_nan) {
                return Err(EngineError::Parameter { name, problem: "must be a number".to_owned() });
            }
        }
        Ok(())
    }

    fn keep(self, threshold: f64, histogram: &Histogram) -> f64 {
        let occurring = || (0..=u16::MAX).zip(histogram.counts()).filter(|(_, count)| **count > 0);
        let end = |bin: Option<(u16, &u64)>| bin.map_or(0.0, |(value, _)| f64::from(value));
        let max = self.max.unwrap_or_else(|| end(occurring().next_back()));
        let min = self.min.unwrap_or_else(|| end(occurring().next()));
        if threshold > max {
            max
        } else if threshold < min {
            min
        } else {
            threshold
        }
    }
}

/// The pixels above Otsu's threshold, multiplied by a factor and kept between bounds; and that threshold.
///
/// # Errors
/// [`EngineError::Parameter`] for a factor that is not a number from 0 on, and for bounds that are not numbers.
pub fn above_otsu(image: &GreyPlane, correction_factor: f64, bounds: ThresholdBounds) -> Result<(Mask, f64)> {
    if !(correction_factor >= 0.0 && correction_factor.is_finite()) {
        let problem = format!("must be a number from 0 on, got {correction_factor}");
        return Err(EngineError::Parameter { name: "correction_factor", problem });
    }
    bounds.check()?;
    let histogram = grey_values(image);
    let threshold = bounds.keep(f64::from(otsu_of(&histogram)) * correction_factor, &histogram);
    Ok((above(image, threshold), threshold))
}

/// The grey value at a percentile, 0 to 100, of the pixels of an image, between two pixels if it lies there
/// ([`Histogram::percentile`]).
///
/// # Errors
/// [`EngineError::Parameter`] for a percentile out of its range, and for an image without pixels.
pub fn percentile(image: &GreyPlane, percentile: f64) -> Result<f64> {
    grey_values(image).percentile(percentile).ok_or_else(|| EngineError::Parameter {
        name: "percentile",
        problem: format!(
            "must be from 0 to 100 of an image with pixels, got {percentile} of {}",
            image.size()
        ),
    })
}

/// The image stretched to 8 bits from its least value, black, to a percentile, white: the 16-bit rule of
/// [`rescale`](crate::kernels::rescale), for 8 bits too; all black when there is nothing to stretch.
pub(super) fn stretch_to_percentile(image: &GreyPlane, percentile: f64) -> Result<Plane<u8>> {
    use crate::kernels::rescale::{Limits, cpu::rescale};
    let histogram = grey_values(image);
    // Percentiles of grey values are between them.
    let at = |percentile| histogram.percentile(percentile).map(|value| value as u16);
    match (at(0.0), at(percentile)) {
        (Some(lower), Some(upper)) if lower < upper => {
            let limits = Limits { lower, upper };
            for_depth!(image, plane => rescale(plane.view(), limits))
        }
        _ => Ok(Plane::zeros(image.size())),
    }
}
