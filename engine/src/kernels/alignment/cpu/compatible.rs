//! Circular cross-correlation, in whole pixels.

use rayon::prelude::*;

use super::fourier::{Spectrum, Transform};
use super::{check_same_size, check_size, signed, widened, wrapped};
use crate::error::Result;
use crate::image::{GreyPixel, Plane, PlaneRef, Size};
use crate::kernels::alignment::Shift;
use crate::simd::{self, RowKernel};

/// Shifts within rounding of the best one that are computed exactly.
const MOST_EXACT: usize = 64;

/// The reference of a site, transformed once for all its targets.
#[derive(Debug)]
pub struct CompatibleReference {
    pixels: Plane<u16>,
    /// Nothing for a plane without pixels.
    transformed: Option<Transformed>,
}

#[derive(Debug)]
struct Transformed {
    transform: Transform,
    spectrum: Spectrum,
    norm: f64,
}

impl CompatibleReference {
    /// Transforms a reference of any size.
    ///
    /// # Errors
    /// [`crate::EngineError::Shape`] for sides of 2³¹ or 2³² pixels and more.
    pub fn new<T: GreyPixel>(reference: PlaneRef<'_, T>) -> Result<Self> {
        check_size(reference.size())?;
        let pixels = widened(reference);
        let transformed = (pixels.size().area() > 0).then(|| {
            let transform = Transform::new(pixels.size());
            let (spectrum, norm) = transform_pixels(&transform, &pixels);
            Transformed { transform, spectrum, norm }
        });
        Ok(Self { pixels, transformed })
    }

    /// The shift that moves a target onto the reference; (0, 0) for planes without pixels.
    ///
    /// # Errors
    /// [`crate::EngineError::Shape`] when the target has another size than the reference.
    pub fn register<T: GreyPixel>(&self, target: PlaneRef<'_, T>) -> Result<Shift> {
        check_same_size(self.pixels.size(), target.size())?;
        let Some(Transformed { transform, spectrum, norm }) = &self.transformed else {
            return Ok(Shift::default());
        };
        let target = widened(target);
        let (target_spectrum, target_norm) = transform_pixels(transform, &target);
        let correlation = transform.inverse(spectrum.correlate(&target_spectrum));
        // The error of a transform grows with the logarithm of its length; the factor is generous.
        let area = target.size().area() as f64;
        let rounding = 16.0 * f64::EPSILON * (area + 1.0).log2() * area * norm * target_norm;
        Ok(best_of(&self.pixels, &target, candidates(&correlation, 2.0 * rounding)))
    }
}

/// Transforms pixels less their mean, rounded so that the differences are exact; and their norm.
fn transform_pixels(transform: &Transform, pixels: &Plane<u16>) -> (Spectrum, f64) {
    let size = pixels.size();
    let sum: u64 = pixels.pixels().iter().map(|value| u64::from(*value)).sum();
    let mean = (sum as f64 / size.area() as f64).round();
    let mut centred = Plane::zeros(size);
    let mut squares = 0.0;
    for (out, value) in centred.pixels_mut().iter_mut().zip(pixels.pixels()) {
        *out = f64::from(*value) - mean;
        squares += *out * *out;
    }
    (transform.forward(&centred), squares.sqrt())
}

/// The shifts to compute exactly: around the largest correlation, and within rounding of it.
fn candidates(correlation: &Plane<f64>, rounding: f64) -> Vec<Shift> {
    let Size { height, width } = correlation.size();
    let at = |index: usize| Shift::new(signed(index / width, height), signed(index % width, width));
    let order = |shift: &Shift| (distance(*shift), wrapped(shift.y, height), wrapped(shift.x, width));
    let largest = correlation.pixels().iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut shifts: Vec<Shift> = (0..correlation.pixels().len())
        .filter(|index| correlation.pixels()[*index] >= largest - rounding)
        .map(at)
        .collect();
    if shifts.len() > MOST_EXACT {
        shifts.select_nth_unstable_by_key(MOST_EXACT, order);
        shifts.truncate(MOST_EXACT);
    }
    let peak =
        correlation.pixels().iter().position(|value| *value == largest).map_or_else(Shift::default, at);
    for (y, x) in (-1..=1).flat_map(|y| (-1..=1).map(move |x| (y, x))) {
        let row = wrapped(peak.y.saturating_add(y), height);
        let column = wrapped(peak.x.saturating_add(x), width);
        shifts.push(at(row * width + column));
    }
    shifts.sort_unstable_by_key(order);
    shifts.dedup();
    shifts
}

/// `|y| + |x|`.
fn distance(shift: Shift) -> u64 {
    u64::from(shift.y.unsigned_abs()) + u64::from(shift.x.unsigned_abs())
}

/// The first of the shifts, which are in order of preference, with the largest exact correlation.
fn best_of(reference: &Plane<u16>, target: &Plane<u16>, shifts: Vec<Shift>) -> Shift {
    let exact: Vec<u64> = shifts.par_iter().map(|shift| circular_sum(reference, target, *shift)).collect();
    let best = shifts.iter().zip(&exact).rev().max_by_key(|(_, sum)| **sum);
    best.map_or_else(Shift::default, |(shift, _)| *shift)
}

/// `Σ_p target[p - d] · reference[p]` with indices modulo the size; fits 64 bits, see `check_size`.
fn circular_sum(reference: &Plane<u16>, target: &Plane<u16>, shift: Shift) -> u64 {
    let Size { height, width } = reference.size();
    let (down, right) = (wrapped(shift.y, height), wrapped(shift.x, width));
    let mut sum = 0;
    for row in 0..height {
        let (reference, target) = (reference.row(row), target.row((row + height - down) % height));
        let (before, after) = reference.split_at(right);
        let (first, last) = target.split_at(width - right);
        simd::run(AddProducts { a: after, b: first, sum: &mut sum });
        simd::run(AddProducts { a: before, b: last, sum: &mut sum });
    }
    sum
}

struct AddProducts<'a> {
    a: &'a [u16],
    b: &'a [u16],
    sum: &'a mut u64,
}

impl RowKernel for AddProducts<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let products = self.a.iter().zip(self.b).map(|(a, b)| u64::from(u32::from(*a) * u32::from(*b)));
        *self.sum += products.sum::<u64>();
    }
}
