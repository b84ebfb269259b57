//! Real Fourier transforms of planes, of any size, in 64-bit floats.
//!
//! Two rows are transformed as real and imaginary part of one, and of the result, which is
//! symmetric, the columns 0 … ⌊W/2⌋ are kept. They are stored one after the other, each
//! contiguous, because that is how they are transformed next.

use std::sync::Arc;

use rayon::prelude::*;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use crate::image::{Plane, Size};

/// Rows and columns that are transposed at once: 16 KiB on each side.
const BLOCK: usize = 32;

/// The plan of transforms of one size.
pub(super) struct Transform {
    size: Size,
    row_forward: Arc<dyn Fft<f64>>,
    row_inverse: Arc<dyn Fft<f64>>,
    column_forward: Arc<dyn Fft<f64>>,
    column_inverse: Arc<dyn Fft<f64>>,
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Transform of {}", self.size)
    }
}

/// Half of the transform of a real plane: columns 0 … ⌊W/2⌋, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Spectrum {
    /// `⌊W/2⌋ + 1` columns of `height` values.
    pub values: Vec<Complex<f64>>,
    /// Values of one column.
    pub height: usize,
    /// Columns of the whole transform.
    pub width: usize,
}

impl Spectrum {
    /// How often a column occurs in the whole transform: once, or twice with its mirror image.
    pub fn weight(&self, column: usize) -> f64 {
        if column == 0 || 2 * column == self.width { 1.0 } else { 2.0 }
    }

    /// The columns, in order.
    pub fn columns(&self) -> impl IndexedParallelIterator<Item = &[Complex<f64>]> {
        self.values.par_chunks(self.height)
    }

    /// `reference · conj(target)`: the transform of their correlation. Both have one size.
    pub fn correlate(&self, target: &Self) -> Self {
        let values = self
            .values
            .par_iter()
            .zip(&target.values)
            .with_min_len(4096)
            .map(|(r, t)| r * t.conj())
            .collect();
        Self { values, height: self.height, width: self.width }
    }
}

impl Transform {
    /// Plans transforms of a size, which must not be empty.
    pub fn new(size: Size) -> Self {
        let mut planner = FftPlanner::new();
        Self {
            size,
            row_forward: planner.plan_fft_forward(size.width),
            row_inverse: planner.plan_fft_inverse(size.width),
            column_forward: planner.plan_fft_forward(size.height),
            column_inverse: planner.plan_fft_inverse(size.height),
        }
    }

    fn columns(&self) -> usize {
        self.size.width / 2 + 1
    }

    /// Transforms a plane that is at most as large, with zeros below and to the right of it.
    pub fn forward(&self, plane: &Plane<f64>) -> Spectrum {
        let (width, columns) = (self.size.width, self.columns());
        let mut rows = vec![Complex::default(); self.size.height * columns];
        let scratch = self.row_forward.get_inplace_scratch_len();
        rows.par_chunks_mut(2 * columns).enumerate().for_each_init(
            || (vec![Complex::default(); width], vec![Complex::default(); scratch]),
            |(line, scratch), (pair, output)| {
                let row = 2 * pair;
                if row >= plane.size().height {
                    return;
                }
                line.fill(Complex::default());
                for (value, real) in line.iter_mut().zip(plane.row(row)) {
                    value.re = *real;
                }
                if row + 1 < plane.size().height {
                    for (value, imaginary) in line.iter_mut().zip(plane.row(row + 1)) {
                        value.im = *imaginary;
                    }
                }
                self.row_forward.process_with_scratch(line, scratch);
                let (first, second) = output.split_at_mut(columns);
                for column in 0..columns {
                    let value = line[column];
                    let mirrored = line[(width - column) % width].conj();
                    first[column] = (value + mirrored) * 0.5;
                    if let Some(second) = second.get_mut(column) {
                        let difference = (value - mirrored) * 0.5;
                        *second = Complex::new(difference.im, -difference.re);
                    }
                }
            },
        );
        let mut values = transposed(&rows, columns);
        drop(rows);
        transform_lines(&*self.column_forward, &mut values, self.size.height);
        Spectrum { values, height: self.size.height, width }
    }

    /// The plane of a spectrum, times the number of its pixels.
    pub fn inverse(&self, mut spectrum: Spectrum) -> Plane<f64> {
        let (width, columns) = (self.size.width, self.columns());
        transform_lines(&*self.column_inverse, &mut spectrum.values, self.size.height);
        let rows = transposed(&spectrum.values, self.size.height);
        drop(spectrum);
        let mut plane = Plane::zeros(self.size);
        let scratch = self.row_inverse.get_inplace_scratch_len();
        plane.pixels_mut().par_chunks_mut(2 * width).zip(rows.par_chunks(2 * columns)).for_each_init(
            || (vec![Complex::default(); width], vec![Complex::default(); scratch]),
            |(line, scratch), (output, pair)| {
                let (first, second) = pair.split_at(columns);
                for column in 0..columns {
                    let (first, second) = (first[column], second.get(column).copied().unwrap_or_default());
                    line[column] = Complex::new(first.re - second.im, first.im + second.re);
                    if column > 0 && 2 * column < width {
                        line[width - column] = Complex::new(first.re + second.im, second.re - first.im);
                    }
                }
                self.row_inverse.process_with_scratch(line, scratch);
                let (first, second) = output.split_at_mut(width);
                for (out, value) in first.iter_mut().zip(line.iter()) {
                    *out = value.re;
                }
                for (out, value) in second.iter_mut().zip(line.iter()) {
                    *out = value.im;
                }
            },
        );
        plane
    }
}

/// Transforms lines that lie one after the other.
fn transform_lines(plan: &dyn Fft<f64>, values: &mut [Complex<f64>], length: usize) {
    let scratch = plan.get_inplace_scratch_len();
    values.par_chunks_mut(length).for_each_init(
        || vec![Complex::default(); scratch],
        |scratch, line| plan.process_with_scratch(line, scratch),
    );
}

/// Lines of `length` values, transposed.
fn transposed(values: &[Complex<f64>], length: usize) -> Vec<Complex<f64>> {
    let lines = values.len() / length;
    let mut output = vec![Complex::default(); values.len()];
    output.par_chunks_mut(BLOCK * lines).enumerate().for_each(|(block, output)| {
        let first = block * BLOCK;
        for line in (0..lines).step_by(BLOCK) {
            for (index, output) in output.chunks_exact_mut(lines).enumerate() {
                for line in line..(line + BLOCK).min(lines) {
                    output[line] = values[line * length + first + index];
                }
            }
        }
    });
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Noise;

    fn naive(plane: &Plane<f64>, size: Size, row: usize, column: usize) -> Complex<f64> {
        let mut sum = Complex::default();
        for r in 0..plane.size().height {
            for c in 0..plane.size().width {
                let turns = (row * r) as f64 / size.height as f64 + (column * c) as f64 / size.width as f64;
                sum += Complex::from_polar(plane.get(r, c), -std::f64::consts::TAU * turns);
            }
        }
        sum
    }

    #[test]
    fn transforms_of_any_size_agree_with_the_sum_and_come_back() {
        for (height, width) in [(1, 1), (1, 2), (2, 1), (3, 5), (4, 6), (5, 4), (7, 13), (6, 9), (11, 16)] {
            let size = Size::new(height, width);
            let mut noise = Noise::new(height as u64);
            let small = Size::new(height.div_ceil(2), width.div_ceil(2));
            for plane_size in [size, small] {
                let plane = Plane::from_fn(plane_size, |_, _| f64::from(noise.next_u16()) / 65_536.0);
                let transform = Transform::new(size);
                let spectrum = transform.forward(&plane);
                assert_eq!(spectrum.values.len(), (width / 2 + 1) * height);
                for (index, value) in spectrum.values.iter().enumerate() {
                    let expected = naive(&plane, size, index % height, index / height);
                    assert!((value - expected).norm() < 1e-10, "{size}: {value} is not {expected}");
                }
                let back = transform.inverse(spectrum);
                for (r, c) in (0..height).flat_map(|r| (0..width).map(move |c| (r, c))) {
                    let inside = r < plane_size.height && c < plane_size.width;
                    let expected = if inside { plane.get(r, c) } else { 0.0 };
                    assert!((back.get(r, c) / size.area() as f64 - expected).abs() < 1e-12, "{size}");
                }
            }
        }
    }
}
