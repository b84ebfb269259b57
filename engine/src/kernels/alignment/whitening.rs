//! Whitening: which pixels count how much, and the taps and windows of its filters.

use super::Clip;
use crate::image::Plane;

/// The values that pixels are clipped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clipping {
    /// What brighter pixels count as.
    pub(super) limit: u16,
    /// What is subtracted: the least value, at most the limit.
    pub(super) least: u16,
}

impl Clipping {
    /// The clipping of a plane.
    pub(super) fn of(pixels: &Plane<u16>, clip: Clip) -> Self {
        let limit = limit(pixels, clip);
        Self { limit, least: pixels.pixels().iter().copied().min().unwrap_or(0).min(limit) }
    }
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
pub(super) struct Taps {
    pub(super) radius: usize,
    /// Sum 1.
    pub(super) smooth: Vec<f64>,
    /// Sum 0.
    pub(super) curve: Vec<f64>,
}

impl Taps {
    /// The taps of a standard deviation, which was checked.
    pub(super) fn new(sigma_px: f64) -> Self {
        // At most 200.
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
