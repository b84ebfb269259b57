//! Whitening: clipped pixels, filtered by the Laplacian of a Gaussian.

use rayon::prelude::*;

use crate::image::Plane;
use crate::kernels::alignment::Clip;
use crate::simd::{self, AddScaled};

/// Clips a plane, subtracts its least value and filters it; see [`super::super`].
pub(super) fn whitened(pixels: &Plane<u16>, clip: Clip, sigma_px: f64) -> Plane<f64> {
    let limit = limit(pixels, clip);
    let least = pixels.pixels().iter().copied().min().unwrap_or(0).min(limit);
    let mut plane = Plane::zeros(pixels.size());
    for (out, value) in plane.pixels_mut().iter_mut().zip(pixels.pixels()) {
        *out = f64::from((*value).min(limit) - least);
    }
    laplacian_of_gaussian(&plane, sigma_px)
}

/// The grey value that brighter pixels count as.
fn limit(pixels: &Plane<u16>, clip: Clip) -> u16 {
    let percentile = match clip {
        Clip::Off => return u16::MAX,
        Clip::Value(value) => return value,
        Clip::Percentile(percentile) => percentile,
    };
    let mut counts = vec![0u64; 1 << 16];
    for value in pixels.pixels() {
        counts[usize::from(*value)] += 1;
    }
    let wanted = percentile / 100.0 * pixels.size().area() as f64;
    let mut below = 0;
    let reached = (0..=u16::MAX).zip(&counts).find(|(_, count)| {
        below += **count;
        below > 0 && below as f64 >= wanted
    });
    reached.map_or(u16::MAX, |(value, _)| value)
}

/// Taps of a Gaussian and of its second derivative, for offsets `-radius … radius`.
struct Taps {
    radius: usize,
    /// Sum 1.
    smooth: Vec<f64>,
    /// Sum 0.
    curve: Vec<f64>,
}

impl Taps {
    fn new(sigma_px: f64) -> Self {
        // At most 200: the standard deviation was checked.
        let radius = (4.0 * sigma_px + 0.5).floor() as usize;
        let offset = |tap: usize| tap as f64 - radius as f64;
        let mut smooth: Vec<f64> =
            (0..=2 * radius).map(|tap| (-offset(tap).powi(2) / (2.0 * sigma_px * sigma_px)).exp()).collect();
        let sum: f64 = smooth.iter().sum();
        for weight in &mut smooth {
            *weight /= sum;
        }
        let spread: f64 = smooth.iter().enumerate().map(|(tap, weight)| weight * offset(tap).powi(2)).sum();
        let curve = smooth
            .iter()
            .enumerate()
            .map(|(tap, weight)| weight * (offset(tap).powi(2) - spread) / sigma_px.powi(4))
            .collect();
        Self { radius, smooth, curve }
    }
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

/// The Hann window of a side at a position: 0 at both ends and beyond; 1 for a single position.
pub(super) fn hann(position: f64, length: usize) -> f64 {
    let last = length.saturating_sub(1) as f64;
    if last == 0.0 {
        return 1.0;
    }
    if !(0.0..=last).contains(&position) {
        return 0.0;
    }
    0.5 - 0.5 * (std::f64::consts::TAU * position / last).cos()
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

    #[test]
    fn clipping_is_at_the_least_value_with_the_share_at_or_below_it() {
        let plane = Plane::from_fn(Size::new(1, 200), |_, column| column as u16);
        assert_eq!(limit(&plane, Clip::Percentile(99.5)), 198);
        assert_eq!(limit(&plane, Clip::Percentile(100.0)), 199);
        assert_eq!(limit(&plane, Clip::Percentile(0.0)), 0);
        assert_eq!(limit(&plane, Clip::Value(7)), 7);
        assert_eq!(limit(&plane, Clip::Off), u16::MAX);
        assert_eq!(limit(&Plane::zeros(Size::new(0, 3)), Clip::Percentile(50.0)), u16::MAX);
    }
}
