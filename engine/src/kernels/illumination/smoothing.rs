//! Gaussian smoothing of statistics.

use rayon::prelude::*;

use crate::image::Plane;
use crate::simd::{self, AddScaled};

/// Smooths a plane with a Gaussian of standard deviation `sigma` pixels.
///
/// Separable, radius `⌊4σ + ½⌋`, weights `exp(-k²/2σ²)` normalised to 1, borders reflected with the edge
/// pixel repeated (`c b a | a b c | c b a`), as scipy's `gaussian_filter`. NaN spreads to its
/// neighbourhood. A `sigma` that is not positive leaves the plane as it is.
pub fn smooth(plane: &Plane<f64>, sigma: f64) -> Plane<f64> {
    let size = plane.size();
    if size.area() == 0 || sigma.is_nan() || sigma <= 0.0 {
        return plane.clone();
    }
    let radius = (4.0 * sigma + 0.5).floor() as usize;
    let weights = weights(sigma, radius);
    let mut output = Plane::zeros(size);
    output.pixels_mut().par_chunks_mut(size.width).enumerate().for_each_init(
        || (vec![0.0; size.width], vec![0.0; size.width + 2 * radius]),
        |(column_sums, padded), (row, out)| {
            column_sums.fill(0.0);
            for (tap, weight) in weights.iter().enumerate() {
                let source = plane.row(reflect(row as i64 + tap as i64 - radius as i64, size.height));
                simd::run(AddScaled { weight: *weight, source, sums: column_sums });
            }
            for (index, value) in padded.iter_mut().enumerate() {
                *value = column_sums[reflect(index as i64 - radius as i64, size.width)];
            }
            for (tap, weight) in weights.iter().enumerate() {
                simd::run(AddScaled { weight: *weight, source: &padded[tap..tap + size.width], sums: out });
            }
        },
    );
    output
}

fn weights(sigma: f64, radius: usize) -> Vec<f64> {
    let mut weights: Vec<f64> = (0..=2 * radius)
        .map(|tap| {
            let distance = tap as f64 - radius as f64;
            (-distance * distance / (2.0 * sigma * sigma)).exp()
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= sum;
    }
    weights
}

/// The index inside `0..length` that a position outside stands for.
fn reflect(position: i64, length: usize) -> usize {
    let length = length as i64;
    let inside = position.rem_euclid(2 * length);
    inside.min(2 * length - 1 - inside) as usize
}
