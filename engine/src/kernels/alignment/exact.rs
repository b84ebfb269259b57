//! Compatible registration as whole numbers: which shifts are compared, and which one wins.

use rayon::prelude::*;

use super::Shift;
use super::lags::{distance, signed, wrapped};
use crate::image::{Plane, Size};
use crate::simd::{self, RowKernel};

/// Shifts within rounding of the best one that are computed exactly.
pub(super) const MOST_EXACT: usize = 64;

/// The mean of a plane, rounded so that differences from it are exact, and the root of their summed
/// squares: 0 for a plane of one value only.
pub(super) fn mean_and_norm(pixels: &Plane<u16>) -> (f64, f64) {
    let sum: u64 = pixels.pixels().iter().map(|value| u64::from(*value)).sum();
    let mean = (sum as f64 / pixels.size().area() as f64).round();
    let squares: f64 = pixels.pixels().iter().map(|value| (f64::from(*value) - mean).powi(2)).sum();
    (mean, squares.sqrt())
}

/// How much a correlation by transforms may be off, times the pixels of the transform: `epsilon` is
/// that of its floats, `norms` the product of both planes' norms.
///
/// By Higham, Accuracy and Stability of Numerical Algorithms, theorem 24.2: the error of a transform
/// grows with the logarithm of its length. Three transforms add to the error; the factor also covers
/// devices that round to either neighbour and butterflies of up to eight.
pub(super) fn rounding(epsilon: f64, transform: Size, norms: f64) -> f64 {
    let area = transform.area() as f64;
    32.0 * epsilon * (area + 1.0).log2() * area * norms
}

/// The shift of an index into a circular correlation.
pub(super) fn shift_at(index: usize, size: Size) -> Shift {
    Shift::new(signed(index / size.width, size.height), signed(index % size.width, size.width))
}

/// The shifts to compute exactly, in order of preference: those within rounding of the largest
/// correlation, as indices, and those around it.
pub(super) fn candidates(size: Size, within: &[usize], peak: usize) -> Vec<Shift> {
    let Size { height, width } = size;
    let order = |shift: &Shift| (distance(*shift), wrapped(shift.y, height), wrapped(shift.x, width));
    let mut shifts: Vec<Shift> = within.iter().map(|index| shift_at(*index, size)).collect();
    if shifts.len() > MOST_EXACT {
        shifts.select_nth_unstable_by_key(MOST_EXACT, order);
        shifts.truncate(MOST_EXACT);
    }
    let peak = shift_at(peak, size);
    for (y, x) in (-1..=1).flat_map(|y| (-1..=1).map(move |x| (y, x))) {
        let row = wrapped(peak.y.saturating_add(y), height);
        let column = wrapped(peak.x.saturating_add(x), width);
        shifts.push(shift_at(row * width + column, size));
    }
    shifts.sort_unstable_by_key(order);
    shifts.dedup();
    shifts
}

/// The first of the shifts, which are in order of preference, with the largest exact correlation.
pub(super) fn best_of(reference: &Plane<u16>, target: &Plane<u16>, shifts: &[Shift]) -> Shift {
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
