//! Planes at the size of the fit and back.

use crate::image::{Plane, Size};

/// Part of one pixel of an axis in one cell of the shorter axis.
#[derive(Debug, Clone, Copy)]
struct Share {
    pixel: usize,
    weight: f64,
}

/// The pixels of an axis of `from` that each of `to ≤ from` cells covers; weights add up to 1.
fn shares(from: usize, to: usize) -> Vec<Vec<Share>> {
    let length = from as f64 / to as f64;
    (0..to)
        .map(|cell| {
            // Whole numbers: cell `c` goes from c·from to (c + 1)·from, pixel `p` from p·to.
            let (start, end) = (cell * from, (cell + 1) * from);
            (start / to..end.div_ceil(to))
                .map(|pixel| {
                    let covered = end.min((pixel + 1) * to) - start.max(pixel * to);
                    Share { pixel, weight: covered as f64 / to as f64 / length }
                })
                .collect()
        })
        .collect()
}

/// Reduces planes of one size to means of areas.
#[derive(Debug, Clone)]
pub(super) struct Reducer {
    rows: Vec<Vec<Share>>,
    columns: Vec<Vec<Share>>,
}

impl Reducer {
    /// From a size to one that is not larger in any direction.
    pub(super) fn new(from: Size, to: Size) -> Self {
        Self { rows: shares(from.height, to.height), columns: shares(from.width, to.width) }
    }

    /// The reduced plane of `value(row, column)`, row by row.
    pub(super) fn reduce(&self, row_values: impl Fn(usize, &mut Vec<f64>)) -> Vec<f64> {
        let width = self.columns.len();
        let mut output = vec![0.0; self.rows.len() * width];
        let mut values = Vec::new();
        for (out, rows) in output.chunks_exact_mut(width.max(1)).zip(&self.rows) {
            for row in rows {
                values.clear();
                row_values(row.pixel, &mut values);
                for (out, columns) in out.iter_mut().zip(&self.columns) {
                    let sum: f64 = columns.iter().map(|column| column.weight * values[column.pixel]).sum();
                    *out += row.weight * sum;
                }
            }
        }
        output
    }
}

/// Enlarges a plane of `from`, row by row, bilinearly; beyond the outermost centres it is constant.
pub(super) fn enlarge(pixels: &[f64], from: Size, to: Size) -> Plane<f64> {
    let (rows, columns) = (positions(from.height, to.height), positions(from.width, to.width));
    Plane::from_fn(to, |row, column| {
        let (y, x) = (rows[row], columns[column]);
        let at = |row: usize, column: usize| pixels[row * from.width + column];
        let line = |row: usize| at(row, x.first) * (1.0 - x.rest) + at(row, x.second) * x.rest;
        line(y.first) * (1.0 - y.rest) + line(y.second) * y.rest
    })
}

/// Between which two pixels a position lies, and how far from the first.
#[derive(Debug, Clone, Copy)]
struct Between {
    first: usize,
    second: usize,
    rest: f64,
}

fn positions(from: usize, to: usize) -> Vec<Between> {
    let last = from.saturating_sub(1);
    (0..to)
        .map(|pixel| {
            let position = (pixel as f64 + 0.5) * from as f64 / to as f64 - 0.5;
            let position = position.clamp(0.0, last as f64);
            let first = (position as usize).min(last);
            Between { first, second: (first + 1).min(last), rest: position - first as f64 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reducing_keeps_means_and_takes_parts_of_pixels() {
        let reducer = Reducer::new(Size::new(1, 5), Size::new(1, 2));
        let reduced = reducer.reduce(|_, values| values.extend([1.0, 2.0, 6.0, 4.0, 5.0]));
        // (1 + 2 + 6/2) / 2½ and (6/2 + 4 + 5) / 2½.
        assert!((reduced[0] - 2.4).abs() < 1e-12 && (reduced[1] - 4.8).abs() < 1e-12, "{reduced:?}");
        let same = Reducer::new(Size::new(2, 2), Size::new(2, 2));
        assert_eq!(same.reduce(|row, values| values.extend([row as f64, 7.0])), [0.0, 7.0, 1.0, 7.0]);
    }

    #[test]
    fn enlarging_is_linear_between_centres_and_constant_beyond() {
        let plane = enlarge(&[1.0, 3.0], Size::new(1, 2), Size::new(2, 4));
        assert_eq!(plane.row(0), [1.0, 1.5, 2.5, 3.0]);
        assert_eq!(plane.row(0), plane.row(1));
        let same = enlarge(&[1.0, 3.0, 2.0], Size::new(3, 1), Size::new(3, 1));
        assert_eq!(same.pixels(), [1.0, 3.0, 2.0]);
    }
}
