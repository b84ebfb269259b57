//! The length of the border of each object.
//!
//! A *border pixel* has a side in common with a pixel of another object, with background, or with the outside of
//! the image. Each gets a code: 1, and 2 for each border pixel of the same object that shares a side with it, and
//! 10 for each at a corner. The code says how the border runs through the pixel, and so how much it adds:
//!
//! ```text
//! 5 7 15 17 25 27        1
//! 21 33                  √2
//! 13 23                  (1 + √2) / 2
//! others                 0
//! ```
//!
//! Benkrid and Crookes, Design and FPGA implementation of a perimeter estimator, IMVIP (2000).

use std::f64::consts::SQRT_2;

use crate::image::{Plane, Size};
use crate::parallel::for_each_band;
use crate::simd::{self, RowKernel};

use super::Regions;

/// The border of one object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Border {
    /// Its length in pixels.
    pub(super) length: f64,
    /// Number of border pixels.
    pub(super) pixels: usize,
}

/// The border of every object, by ascending label.
pub(super) fn borders(labels: &Plane<i32>, regions: &Regions) -> Vec<Border> {
    let marked = border_pixels(labels);
    regions.map(|region| {
        let (mut straight, mut diagonal, mut corner, mut pixels) = (0usize, 0usize, 0usize, 0);
        for run in region.runs {
            for column in run.columns().filter(|column| marked.row(run.row)[*column] != 0) {
                pixels += 1;
                match code(labels, &marked, run.row, column) {
                    5 | 7 | 15 | 17 | 25 | 27 => straight += 1,
                    21 | 33 => diagonal += 1,
                    13 | 23 => corner += 1,
                    _ => {}
                }
            }
        }
        let length = straight as f64 + diagonal as f64 * SQRT_2 + corner as f64 * f64::midpoint(1.0, SQRT_2);
        Border { length, pixels }
    })
}

/// 1 where a pixel of an object has a side in common with anything but the object, 0 elsewhere.
pub(super) fn border_pixels(labels: &Plane<i32>) -> Plane<u8> {
    let size = labels.size();
    let mut marked = Plane::zeros(size);
    let outside = vec![0; size.width];
    for_each_band(marked.pixels_mut(), size.width, |first, band| {
        for (row, pixels) in (first..).zip(band.chunks_exact_mut(size.width)) {
            let here = labels.row(row);
            let above = row.checked_sub(1).map_or(outside.as_slice(), |above| labels.row(above));
            let below = if row + 1 < size.height { labels.row(row + 1) } else { &outside };
            simd::run(MarkBorders { here, above, below, output: pixels });
            // Nothing lies left of the first pixel, nor right of the last.
            for column in [0, size.width - 1] {
                pixels[column] = u8::from(here[column] > 0);
            }
        }
    });
    marked
}

/// Marks the border pixels of a row but for its first and last pixel.
struct MarkBorders<'a> {
    here: &'a [i32],
    above: &'a [i32],
    below: &'a [i32],
    output: &'a mut [u8],
}

impl RowKernel for MarkBorders<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { here, above, below, output } = self;
        if here.len() < 3 {
            return;
        }
        let inner = 1..here.len() - 1;
        let beside = here.iter().zip(&here[2..]);
        let beyond = above[inner.clone()].iter().zip(&below[inner.clone()]);
        let own = output[inner.clone()].iter_mut().zip(&here[inner]);
        for (((pixel, label), (left, right)), (above, below)) in own.zip(beside).zip(beyond) {
            let differing = (left ^ label) | (right ^ label) | (above ^ label) | (below ^ label);
            *pixel = u8::from((*label > 0) & (differing != 0));
        }
    }
}

/// The code of a border pixel.
fn code(labels: &Plane<i32>, marked: &Plane<u8>, row: usize, column: usize) -> usize {
    let Size { height, width } = labels.size();
    let label = labels.get(row, column);
    let mut code = 0;
    for beside_row in row.saturating_sub(1)..(row + 2).min(height) {
        for beside in column.saturating_sub(1)..(column + 2).min(width) {
            if marked.get(beside_row, beside) != 0 && labels.get(beside_row, beside) == label {
                code += match (beside_row == row, beside == column) {
                    (true, true) => 1,
                    (false, false) => 10,
                    _ => 2,
                };
            }
        }
    }
    code
}
