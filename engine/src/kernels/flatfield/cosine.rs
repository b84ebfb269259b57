//! The orthonormal cosine transform (DCT-II) of planes of at most 128×128, as two products of
//! matrices.

use rayon::prelude::*;

use crate::image::Size;

/// The transform of planes of one size.
#[derive(Debug)]
pub(super) struct Cosine {
    size: Size,
    /// `height × height` and `width × width`: row `k` holds the `k`-th cosine.
    vertical: Vec<f64>,
    horizontal: Vec<f64>,
}

impl Cosine {
    pub(super) fn new(size: Size) -> Self {
        Self { size, vertical: cosines(size.height), horizontal: cosines(size.width) }
    }

    /// Pixels, row by row, as coefficients.
    pub(super) fn forward(&self, pixels: &[f64]) -> Vec<f64> {
        let Size { height, width } = self.size;
        let rows = product(pixels, &transposed(&self.horizontal, width), width);
        debug_assert_eq!(rows.len(), height * width);
        product(&self.vertical, &rows, width)
    }

    /// Coefficients as pixels, row by row.
    pub(super) fn inverse(&self, coefficients: &[f64]) -> Vec<f64> {
        let Size { height, width } = self.size;
        let rows = product(coefficients, &self.horizontal, width);
        product(&transposed(&self.vertical, height), &rows, width)
    }
}

fn cosines(length: usize) -> Vec<f64> {
    let mut matrix = Vec::with_capacity(length * length);
    for k in 0..length {
        let scale = (if k == 0 { 1.0 } else { 2.0 } / length as f64).sqrt();
        matrix.extend((0..length).map(|j| {
            // Reduced to one period first: large angles lose digits.
            let angle = ((2 * j + 1) * k) % (4 * length);
            scale * (std::f64::consts::PI * angle as f64 / (2 * length) as f64).cos()
        }));
    }
    matrix
}

fn transposed(matrix: &[f64], side: usize) -> Vec<f64> {
    (0..side * side).map(|index| matrix[(index % side) * side + index / side]).collect()
}

/// `left · right`, where `right` has `columns` columns; each sum in the order of its terms.
fn product(left: &[f64], right: &[f64], columns: usize) -> Vec<f64> {
    let inner = right.len() / columns;
    let mut output = vec![0.0; left.len() / inner * columns];
    let rows = output.par_chunks_mut(columns).zip(left.par_chunks(inner));
    rows.with_min_len(16).for_each(|(out, left)| {
        for (factor, right) in left.iter().zip(right.chunks_exact(columns)) {
            for (out, value) in out.iter_mut().zip(right) {
                *out += factor * value;
            }
        }
    });
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Noise;

    #[test]
    fn coefficients_are_those_of_the_definition_and_lead_back_to_the_pixels() {
        let size = Size::new(5, 7);
        let mut noise = Noise::new(1);
        let pixels: Vec<f64> = (0..35).map(|_| f64::from(noise.next_u16()) / 65_536.0).collect();
        let cosine = Cosine::new(size);
        let coefficients = cosine.forward(&pixels);
        for (index, coefficient) in coefficients.iter().enumerate() {
            let (v, u) = (index / 7, index % 7);
            let wave = |k: usize, j: usize, n: usize| {
                let scale = if k == 0 { 1.0 / n as f64 } else { 2.0 / n as f64 };
                scale.sqrt() * (std::f64::consts::PI * (2 * j + 1) as f64 * k as f64 / (2 * n) as f64).cos()
            };
            let expected: f64 = (0..35).map(|at| pixels[at] * wave(v, at / 7, 5) * wave(u, at % 7, 7)).sum();
            assert!((coefficient - expected).abs() < 1e-12, "{v}, {u}: {coefficient}, not {expected}");
        }
        for (pixel, back) in pixels.iter().zip(cosine.inverse(&coefficients)) {
            assert!((pixel - back).abs() < 1e-12);
        }
    }
}
