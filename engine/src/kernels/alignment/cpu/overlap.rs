//! Correlation of two planes where they overlap.

use rayon::prelude::*;

use crate::image::Plane;
use crate::kernels::alignment::Shift;
use crate::kernels::alignment::overlap::{Overlap, total};
use crate::kernels::alignment::span::Span;
use crate::simd::{self, RowKernel};

/// Compares `reference[r, c]` with `target[r - y, c - x]`.
pub(super) fn overlap(reference: &Plane<f64>, target: &Plane<f64>, shift: Shift) -> Overlap {
    let size = reference.size();
    let (rows, columns) = (Span::of(size.height, shift.y), Span::of(size.width, shift.x));
    // Sums of rows are added in the order of rows, whichever thread made them.
    let sums: Vec<[f64; 3]> = rows
        .moved()
        .into_par_iter()
        .zip(rows.original())
        .with_min_len(64)
        .map(|(row, source)| {
            let mut sums = [0.0; 3];
            simd::run(Products {
                reference: &reference.row(row)[columns.moved()],
                target: &target.row(source)[columns.original()],
                sums: &mut sums,
            });
            sums
        })
        .collect();
    Overlap::of(total(&sums), rows.length * columns.length)
}

/// `Σ r·t`, `Σ r²`, `Σ t²`.
struct Products<'a> {
    reference: &'a [f64],
    target: &'a [f64],
    sums: &'a mut [f64; 3],
}

/// Sums that a loop keeps apart, so that it can add whole vectors.
const LANES: usize = 8;

impl RowKernel for Products<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (reference, reference_rest) = self.reference.as_chunks::<LANES>();
        let (target, target_rest) = self.target.as_chunks::<LANES>();
        let mut lanes = [[0.0; LANES]; 3];
        for (r, t) in reference.iter().zip(target) {
            for lane in 0..LANES {
                lanes[0][lane] += r[lane] * t[lane];
                lanes[1][lane] += r[lane] * r[lane];
                lanes[2][lane] += t[lane] * t[lane];
            }
        }
        for (sum, lanes) in self.sums.iter_mut().zip(&lanes) {
            *sum = lanes.iter().sum();
        }
        for (r, t) in reference_rest.iter().zip(target_rest) {
            self.sums[0] += r * t;
            self.sums[1] += r * r;
            self.sums[2] += t * t;
        }
    }
}
