//! What is done pixel by pixel: masking, combining, inverting, stretching, projecting.
//!
//! | function | result |
//! |---|---|
//! | [`clip`] | 0 where the mask is foreground, otherwise the pixel |
//! | [`apply_mask`] | 0 where the mask is background, otherwise the pixel |
//! | [`combine_masks`] | and, or, exclusive or |
//! | [`invert`] | `max - v` of the depth |
//! | [`combine_channels`] | weighted mean, `(w₁·a + w₂·b)/(w₁ + w₂)`, rounded, ties up |
//! | [`rescale_intensity`] | `⌊(v - min)/(max - min)·depth max⌋`, v kept between min and max; without max only `v - min`, 0 below |
//! | [`project`] | largest value or sum of a stack; a sum stops at the depth's maximum |
//!
//! Three of them differ from the original (D16), which `compatible` brings back. It stretched both channels, and
//! what came of them, from least to largest value of each image, cut off, so that intensities of two sites could
//! not be compared. It stretched by `v - min` over *max*, in single precision, which leaves the range. And its
//! sums wrapped around.
//!
//! ```
//! use tm_engine::analysis::{Mask, clip, rescale_intensity};
//! use tm_engine::image::{GreyPlane, Plane, Size};
//! let labels = Plane::new(Size::new(1, 4), vec![1, 1, 2, 2])?;
//! let mask = Mask::new(Size::new(1, 4), vec![1, 0, 0, 1])?;
//! assert_eq!(clip(&labels, &mask)?.pixels(), [0, 1, 2, 0]);
//! let image = GreyPlane::from(Plane::new(Size::new(1, 4), vec![10u8, 20, 60, 110])?);
//! let stretched = rescale_intensity(&image, Some(10.0), Some(60.0), false)?;
//! assert_eq!(stretched, Plane::new(Size::new(1, 4), vec![0u8, 51, 255, 255])?.into());
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::{Mask, check_size, for_depth};
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, GreyPlane, Pixel, Plane};
use crate::kernels::projection;

/// Clears the pixels where a mask is foreground.
///
/// # Errors
/// [`EngineError::Shape`] when the sizes differ.
pub fn clip<T: Pixel>(image: &Plane<T>, mask: &Mask) -> Result<Plane<T>> {
    keep(image, mask, 0)
}

/// Clears the pixels where a mask is background.
///
/// # Errors
/// [`EngineError::Shape`] when the sizes differ.
pub fn apply_mask<T: Pixel>(image: &Plane<T>, mask: &Mask) -> Result<Plane<T>> {
    keep(image, mask, 1)
}

fn keep<T: Pixel>(image: &Plane<T>, mask: &Mask, wanted: u8) -> Result<Plane<T>> {
    check_size("mask of an image", image.size(), mask.size())?;
    let pixels = image.pixels().iter().zip(mask.pixels());
    let kept = pixels.map(|(pixel, mask)| if *mask == wanted { *pixel } else { T::default() });
    Plane::new(image.size(), kept.collect())
}

/// How two masks become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogicalOperation {
    /// Foreground of both.
    And,
    /// Foreground of either.
    Or,
    /// Foreground of one and not of the other.
    ExclusiveOr,
}

/// Combines two masks.
///
/// # Errors
/// [`EngineError::Shape`] when the sizes differ.
pub fn combine_masks(first: &Mask, second: &Mask, operation: LogicalOperation) -> Result<Mask> {
    check_size("second mask", first.size(), second.size())?;
    Ok(Mask::from_fn(first.size(), |row, column| {
        let (first, second) = (first.get(row, column), second.get(row, column));
        match operation {
            LogicalOperation::And => first && second,
            LogicalOperation::Or => first || second,
            LogicalOperation::ExclusiveOr => first != second,
        }
    }))
}

/// Bright becomes dark: the depth's maximum less each value. (For masks [`Mask::inverted`].)
pub fn invert(image: &GreyPlane) -> GreyPlane {
    let max = image.depth().max_value();
    for_depth!(image, plane => map(plane, |value| f64::from(max - value)))
}

/// An image whose values are computed one by one, kept in the range of the depth and cut off.
fn map<T: GreyPixel>(image: &Plane<T>, value: impl Fn(u16) -> f64) -> GreyPlane {
    let max = f64::from(T::DEPTH.max_value());
    // In the range by the clamp.
    T::into_grey(Plane::from_fn(image.size(), |row, column| {
        T::from_low_bits(value(image.get(row, column).into()).clamp(0.0, max) as u16)
    }))
}

/// The weighted mean of two images of one depth; weights are whole numbers from 1 on.
///
/// # Errors
/// [`EngineError::Shape`] when size or depth differ; [`EngineError::Parameter`] for a weight of 0.
pub fn combine_channels(
    first: &GreyPlane,
    second: &GreyPlane,
    weights: [u32; 2],
    compatible: bool,
) -> Result<GreyPlane> {
    check_size("second image", first.size(), second.size())?;
    for (name, weight) in ["weight_1", "weight_2"].into_iter().zip(weights) {
        if weight == 0 {
            let problem = "must be a whole number from 1 on, got 0".to_owned();
            return Err(EngineError::Parameter { name, problem });
        }
    }
    let weights = weights.map(f64::from);
    match (first, second) {
        (GreyPlane::U8(first), GreyPlane::U8(second)) => Ok(combine(first, second, weights, compatible)),
        (GreyPlane::U16(first), GreyPlane::U16(second)) => Ok(combine(first, second, weights, compatible)),
        _ => Err(EngineError::Shape {
            what: "second image",
            expected: format!("{} bits", first.depth().bits()),
            actual: format!("{} bits", second.depth().bits()),
        }),
    }
}

fn combine<T: GreyPixel>(
    first: &Plane<T>,
    second: &Plane<T>,
    [w1, w2]: [f64; 2],
    compatible: bool,
) -> GreyPlane {
    let value = |image: &Plane<T>, row, column| f64::from(image.get(row, column).into());
    let sum_of = |stretch_first: Stretch, stretch_second: Stretch| {
        Plane::from_fn(first.size(), |row, column| {
            w1 * stretch_first.apply(value(first, row, column))
                + w2 * stretch_second.apply(value(second, row, column))
        })
    };
    let (sums, last, half) = if compatible {
        let range =
            |image: &Plane<T>| Stretch::of(image.pixels().iter().map(|value| f64::from((*value).into())));
        let sums = sum_of(range(first), range(second));
        let last = Stretch::of(sums.pixels().iter().copied());
        (sums, Stretch { factor: last.factor * f64::from(T::DEPTH.max_value()), ..last }, 0.0)
    } else {
        let same = Stretch { min: 0.0, factor: 1.0 };
        (sum_of(same, same), Stretch { min: 0.0, factor: 1.0 / (w1 + w2) }, 0.5)
    };
    // A mean, or a stretched value, is in the range of the depth.
    T::into_grey(Plane::from_fn(first.size(), |row, column| {
        T::from_low_bits((last.apply(sums.get(row, column)) + half) as u16)
    }))
}

/// `(v - min)·factor`.
#[derive(Clone, Copy)]
struct Stretch {
    min: f64,
    factor: f64,
}

impl Stretch {
    /// From the least to the largest value to 0 … 1; all 0 when there is one value only.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let min = values.clone().fold(f64::INFINITY, f64::min);
        let max = values.fold(f64::NEG_INFINITY, f64::max);
        Self { min, factor: if max > min { 1.0 / (max - min) } else { 0.0 } }
    }

    fn apply(self, value: f64) -> f64 {
        (value - self.min) * self.factor
    }
}

/// Stretches an image between two grey values; what is not given is 0, and no upper end.
///
/// # Errors
/// [`EngineError::Parameter`] for a value that is not a number, and unless `min < max` (`compatible`: `max > 0`).
pub fn rescale_intensity(
    image: &GreyPlane,
    min: Option<f64>,
    max: Option<f64>,
    compatible: bool,
) -> Result<GreyPlane> {
    let min = min.unwrap_or(0.0);
    let refuse = |name, problem| Err(EngineError::Parameter { name, problem });
    if !min.is_finite() {
        return refuse("min_value", "must be a number".to_owned());
    }
    let range = f64::from(image.depth().max_value());
    let least = if compatible { 0.0 } else { min };
    let Some(max) = max else {
        return Ok(for_depth!(image, plane => map(plane, |value| f64::from(value) - min)));
    };
    if !(max.is_finite() && max > least) {
        return refuse("max_value", format!("must be a number above {least}, got {max}"));
    }
    if !compatible {
        let span = max - min;
        return Ok(for_depth!(image, plane => map(plane, |value| (f64::from(value) - min) * range / span)));
    }
    let (max, range) = (max as f32, range as f32);
    // The first step was cut off in the type of the image.
    let above = |value: u16| (f64::from(value) - min).clamp(0.0, f64::from(range)).floor() as f32;
    Ok(for_depth!(image, plane => map(plane, |value| f64::from(above(value) / max * range))))
}

/// How a stack becomes one plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// The largest value.
    Max,
    /// The sum, the depth's maximum at most.
    Sum,
    /// The sum as the original computed it: what is above the depth's maximum begins at 0 again.
    WrappingSum,
}

/// Projects a stack of planes of one size and depth to one plane.
///
/// # Errors
/// [`EngineError::Parameter`] for no planes; [`EngineError::Shape`] when sizes or depths differ.
pub fn project(planes: &[GreyPlane], projection: Projection) -> Result<GreyPlane> {
    // Also checks the planes.
    let largest = projection::cpu::project_max(planes)?;
    if projection == Projection::Max {
        return Ok(largest);
    }
    let mut sums = Plane::<f64>::zeros(largest.size());
    for plane in planes {
        for_depth!(plane, plane => add(plane, &mut sums));
    }
    // Sums are whole and below 2⁵³.
    let base = f64::from(largest.depth().max_value()) + 1.0;
    let value = |sum: f64| if projection == Projection::WrappingSum { sum % base } else { sum };
    Ok(for_depth!(&largest, plane => finish(plane, &sums, value)))
}

fn add<T: GreyPixel>(plane: &Plane<T>, sums: &mut Plane<f64>) {
    for (sum, value) in sums.pixels_mut().iter_mut().zip(plane.pixels()) {
        *sum += f64::from((*value).into());
    }
}

/// Sums as a plane of the depth of another.
fn finish<T: GreyPixel>(_like: &Plane<T>, sums: &Plane<f64>, value: impl Fn(f64) -> f64) -> GreyPlane {
    let max = f64::from(T::DEPTH.max_value());
    T::into_grey(Plane::from_fn(sums.size(), |row, column| {
        T::from_low_bits(value(sums.get(row, column)).clamp(0.0, max) as u16)
    }))
}
