//! Whitening: clipped pixels, filtered by the Laplacian of a Gaussian.

use rayon::prelude::*;

use crate::image::Plane;
use crate::kernels::alignment::Clip;
use crate::kernels::alignment::whitening::{Clipping, Taps};
use crate::simd::{self, AddScaled};

/// Clips a plane, subtracts its least value and filters it; see [`super::super`].
pub(super) fn whitened(pixels: &Plane<u16>, clip: Clip, sigma_px: f64) -> Plane<f64> {
    let Clipping { limit, least } = Clipping::of(pixels, clip);
    let mut plane = Plane::zeros(pixels.size());
    for (out, value) in plane.pixels_mut().iter_mut().zip(pixels.pixels()) {
        *out = f64::from((*value).min(limit) - least);
    }
    laplacian_of_gaussian(&plane, sigma_px)
}

/// The sum of the second derivatives along both axes of a plane smoothed with a Gaussian.
fn laplacian_of_gaussian(plane: &Plane<f64>, sigma_px: f64) -> Plane<f64> {
    let size = plane.size();
    let mut output = Plane::zeros(size);
    if size.area() == 0 {
        return output;
    }
    let taps = Taps::new(sigma_px);
    let radius = taps.radius;
    output.pixels_mut().par_chunks_mut(size.width).enumerate().for_each_init(
        || [vec![0.0; size.width + 2 * radius], vec![0.0; size.width + 2 * radius]],
        |[smooth, curve], (row, out)| {
            let inside = radius..radius + size.width;
            smooth[inside.clone()].fill(0.0);
            curve[inside.clone()].fill(0.0);
            for tap in 0..=2 * radius {
                let source = plane.row(reflect(row + tap, radius, size.height));
                let sums = &mut smooth[inside.clone()];
                simd::run(AddScaled { weight: taps.smooth[tap], source, sums });
                let sums = &mut curve[inside.clone()];
                simd::run(AddScaled { weight: taps.curve[tap], source, sums });
            }
            for padded in [&mut *smooth, &mut *curve] {
                for index in (0..radius).chain(radius + size.width..size.width + 2 * radius) {
                    padded[index] = padded[radius + reflect(index, radius, size.width)];
                }
            }
            for tap in 0..=2 * radius {
                let source = &smooth[tap..tap + size.width];
                simd::run(AddScaled { weight: taps.curve[tap], source, sums: out });
                let source = &curve[tap..tap + size.width];
                simd::run(AddScaled { weight: taps.smooth[tap], source, sums: out });
            }
        },
    );
    output
}

/// The position inside `0..length` that `position - radius` stands for, borders reflected.
fn reflect(position: usize, radius: usize, length: usize) -> usize {
    let period = 2 * length;
    let inside = (position + period - radius % period) % period;
    inside.min(period - 1 - inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Size;
    use crate::kernels::Noise;

    fn naive(plane: &Plane<f64>, sigma_px: f64, row: usize, column: usize) -> f64 {
        let taps = Taps::new(sigma_px);
        let size = plane.size();
        let mut sum = 0.0;
        for r in 0..taps.smooth.len() {
            for c in 0..taps.smooth.len() {
                let at = |position: usize, length: usize| {
                    let position = position as i64 - taps.radius as i64;
                    let inside = position.rem_euclid(2 * length as i64) as usize;
                    if inside < length { inside } else { 2 * length - 1 - inside }
                };
                let value = plane.get(at(row + r, size.height), at(column + c, size.width));
                sum += value * (taps.smooth[r] * taps.curve[c] + taps.curve[r] * taps.smooth[c]);
            }
        }
        sum
    }

    #[test]
    fn whitening_agrees_with_the_sum_over_a_window_also_beyond_small_planes() {
        for (height, width) in [(1, 1), (1, 9), (3, 2), (23, 31)] {
            let mut noise = Noise::new(3);
            let plane = Plane::from_fn(Size::new(height, width), |_, _| f64::from(noise.next_u16()));
            for sigma_px in [0.4, 1.0, 2.5] {
                let filtered = laplacian_of_gaussian(&plane, sigma_px);
                for (r, c) in (0..height).flat_map(|r| (0..width).map(move |c| (r, c))) {
                    let expected = naive(&plane, sigma_px, r, c);
                    assert!((filtered.get(r, c) - expected).abs() < 1e-8, "{height}×{width}, σ {sigma_px}");
                }
            }
        }
    }

    #[test]
    fn a_plane_of_one_value_has_no_content_and_a_slope_next_to_none() {
        let size = Size::new(40, 50);
        let flat = whitened(&Plane::from_fn(size, |_, _| 40_000), Clip::Off, 2.0);
        assert!(flat.pixels().iter().all(|value| *value == 0.0));
        let slope = Plane::from_fn(size, |row, column| (100 * row + 7 * column) as f64);
        let inside = laplacian_of_gaussian(&slope, 2.0).get(20, 25);
        assert!(inside.abs() < 1e-9, "{inside}");
    }
}
