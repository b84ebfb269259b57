//! Sums of separable filters, in double precision.
//!
//! ```text
//! out(y, x) = Σ over products  Σ_j v(j) · Σ_i h(i) · in(y + j, x + i)
//! ```
//!
//! `v` and `h` are the [`Taps`] of a product; positions outside the plane are found by the [`Edge`]. Three rows are
//! summed at once, block of columns by block, so that a pixel that was read and converted is used three times.

use crate::image::{Pixel, Plane};
use crate::parallel;
use crate::simd::{self, RowKernel};

/// Weights of neighbours along one axis: weight `i` belongs to the position `first + i`.
#[derive(Debug, Clone)]
pub(super) struct Taps {
    pub(super) weights: Vec<f64>,
    pub(super) first: isize,
}

impl Taps {
    /// Taps at `-half … half`.
    pub(super) fn symmetric(half: usize, weight: impl Fn(f64) -> f64) -> Self {
        let half = half.cast_signed();
        Self { weights: (-half..=half).map(|at| weight(at as f64)).collect(), first: -half }
    }

    /// A Gaussian of standard deviation `sigma` cut off at `half`, its weights of sum 1.
    pub(super) fn gaussian(sigma: f64, half: usize) -> Self {
        let mut taps = Self::symmetric(half, |at| (-at * at / (2.0 * sigma * sigma)).exp());
        let sum: f64 = taps.weights.iter().sum();
        for weight in &mut taps.weights {
            *weight /= sum;
        }
        taps
    }
}

/// One filter: along columns, then along rows.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) vertical: Taps,
    pub(super) horizontal: Taps,
}

/// What lies outside the plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// The plane mirrored at its edge, the edge repeated: d c b a | a b c d | d c b a.
    Reflect,
    /// The pixel at the edge, again and again.
    Replicate,
}

impl Edge {
    /// The position inside `0..length` that stands for any position; `length` is not 0.
    pub(super) fn index(self, position: isize, length: usize) -> usize {
        let length = length.cast_signed();
        let inside = match self {
            Self::Reflect => {
                let turned = position.rem_euclid(2 * length);
                turned.min(2 * length - 1 - turned)
            }
            Self::Replicate => position.clamp(0, length - 1),
        };
        inside.cast_unsigned()
    }
}

/// Rows that are summed at once.
const ROWS: usize = 3;
/// Columns that are summed at once, along columns and along rows.
const BLOCK: usize = 16;
const ROW_BLOCK: usize = 32;

/// Filters a plane; `store` makes the pixels of a row from its sums.
pub(super) fn filter<T: Pixel + Into<f64>, O: Pixel>(
    source: &Plane<T>,
    products: &[Product],
    edge: Edge,
    store: impl Fn(&[f64], &mut [O]) + Send + Sync,
) -> Plane<O> {
    let size = source.size();
    let mut output = Plane::zeros(size);
    let prepared: Vec<_> =
        products.iter().map(|product| (padded_weights(&product.vertical), product)).collect();
    parallel::for_each_band(output.pixels_mut(), size.width, |first, band| {
        let mut rows: Vec<&[T]> = Vec::new();
        let mut sums = vec![0.0; ROWS * size.width];
        let mut between: Vec<f64> = Vec::new();
        for (group, out) in band.chunks_mut(ROWS * size.width).enumerate() {
            let row = first + group * ROWS;
            sums.fill(0.0);
            for (weights, Product { vertical, horizontal }) in &prepared {
                rows.clear();
                let start = row.cast_signed() + vertical.first;
                let end = start + (vertical.weights.len() + ROWS - 1).cast_signed();
                rows.extend((start..end).map(|row| source.row(edge.index(row, size.height))));
                let stride = size.width + horizontal.weights.len() - 1;
                between.resize(ROWS * stride, 0.0);
                let left = (-horizontal.first).cast_unsigned();
                simd::run(Down { rows: &rows, weights, left, width: size.width, output: &mut between });
                for (padded, sums) in between.chunks_exact_mut(stride).zip(sums.chunks_exact_mut(size.width))
                {
                    pad(padded, left, size.width, edge);
                    simd::run(Along { padded, weights: &horizontal.weights, sums });
                }
            }
            for (sums, out) in sums.chunks_exact(size.width).zip(out.chunks_exact_mut(size.width)) {
                store(sums, out);
            }
        }
    });
    output
}

/// Zeros around the weights: every source row of a group then has a weight for every row of the group.
fn padded_weights(taps: &Taps) -> Vec<f64> {
    let zeros = [0.0; ROWS - 1];
    [&zeros, taps.weights.as_slice(), &zeros].concat()
}

/// Writes what lies left and right of a row of `width` values that begins at `left`.
fn pad(padded: &mut [f64], left: usize, width: usize, edge: Edge) {
    for at in (0..left).chain(left + width..padded.len()) {
        padded[at] = padded[left + edge.index(at.cast_signed() - left.cast_signed(), width)];
    }
}

/// Sums along columns for [`ROWS`] rows.
struct Down<'a, T> {
    rows: &'a [&'a [T]],
    weights: &'a [f64],
    left: usize,
    width: usize,
    /// The rows one after the other, with room left and right.
    output: &'a mut [f64],
}

impl<T: Pixel + Into<f64>> RowKernel for Down<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let mut column = 0;
        while column + BLOCK <= self.width {
            self.block::<FMA, BLOCK>(column);
            column += BLOCK;
        }
        while column < self.width {
            self.block::<FMA, 1>(column);
            column += 1;
        }
    }
}

impl<T: Pixel + Into<f64>> Down<'_, T> {
    #[inline(always)]
    fn block<const FMA: bool, const N: usize>(&mut self, column: usize) {
        let mut sums = [[0.0; N]; ROWS];
        for (row, weights) in self.rows.iter().zip(self.weights.windows(ROWS)) {
            let Some(pixels) = row[column..].first_chunk::<N>() else { return };
            let values: [f64; N] = pixels.map(Into::into);
            for (index, sums) in sums.iter_mut().enumerate() {
                let weight = weights[ROWS - 1 - index];
                for (sum, value) in sums.iter_mut().zip(&values) {
                    *sum = add_product::<FMA>(*sum, weight, *value);
                }
            }
        }
        let stride = self.output.len() / ROWS;
        for (index, sums) in sums.iter().enumerate() {
            let start = index * stride + self.left + column;
            self.output[start..start + N].copy_from_slice(sums);
        }
    }
}

/// Sums along a row, added to what is there.
struct Along<'a> {
    padded: &'a [f64],
    weights: &'a [f64],
    sums: &'a mut [f64],
}

impl RowKernel for Along<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let mut column = 0;
        while column + ROW_BLOCK <= self.sums.len() {
            self.block::<FMA, ROW_BLOCK>(column);
            column += ROW_BLOCK;
        }
        while column < self.sums.len() {
            self.block::<FMA, 1>(column);
            column += 1;
        }
    }
}

impl Along<'_> {
    #[inline(always)]
    fn block<const FMA: bool, const N: usize>(&mut self, column: usize) {
        let mut sums = [0.0; N];
        for (index, weight) in self.weights.iter().enumerate() {
            let Some(values) = self.padded[column + index..].first_chunk::<N>() else { return };
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = add_product::<FMA>(*sum, *weight, *value);
            }
        }
        for (total, sum) in self.sums[column..column + N].iter_mut().zip(&sums) {
            *total += sum;
        }
    }
}

#[inline(always)]
fn add_product<const FMA: bool>(sum: f64, weight: f64, value: f64) -> f64 {
    if FMA { weight.mul_add(value, sum) } else { sum + weight * value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_outside_are_mirrored_or_held() {
        let reflected: Vec<_> = (-5..8).map(|at| Edge::Reflect.index(at, 3)).collect();
        assert_eq!(reflected, [1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
        let held: Vec<_> = (-2..5).map(|at| Edge::Replicate.index(at, 3)).collect();
        assert_eq!(held, [0, 0, 0, 1, 2, 2, 2]);
    }
}
