//! How often each grey value occurs.

use super::BitDepth;

/// Numbers of pixels by grey value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    depth: BitDepth,
    counts: Vec<u64>,
}

impl Histogram {
    /// A histogram of no pixels.
    pub fn new(depth: BitDepth) -> Self {
        Self { depth, counts: vec![0; Self::bins(depth)] }
    }

    /// Number of grey values of a depth: 256 or 65 536.
    pub fn bins(depth: BitDepth) -> usize {
        usize::from(depth.max_value()) + 1
    }

    /// Depth of the pixels.
    pub fn depth(&self) -> BitDepth {
        self.depth
    }

    /// Number of pixels of each grey value, 256 or 65 536 of them.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Number of pixels of each grey value, to add to.
    pub(crate) fn counts_mut(&mut self) -> &mut [u64] {
        &mut self.counts
    }

    /// Number of pixels.
    pub fn pixels(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds numbers of pixels, by grey value from 0 on.
    pub(crate) fn add(&mut self, counts: impl IntoIterator<Item = u64>) {
        for (sum, count) in self.counts.iter_mut().zip(counts) {
            *sum += count;
        }
    }

    /// The grey value at a percentile from 0 to 100, between two order statistics if it lies there
    /// (`h = (m - 1)·percentile/100` of `m` pixels in ascending order, linear interpolation).
    ///
    /// `None` when there are no pixels, or the percentile is outside its range or not a number.
    pub fn percentile(&self, percentile: f64) -> Option<f64> {
        let pixels = self.pixels();
        if pixels == 0 || !(0.0..=100.0).contains(&percentile) {
            return None;
        }
        let position = (pixels - 1) as f64 * percentile / 100.0;
        // Rounding may lead beyond the last pixel; numbers of pixels fit 52 bits.
        let rank = (position.floor() as u64).min(pixels - 1);
        let mut end = 0;
        let mut bins = self.counts.iter().zip(0u16..=u16::MAX).filter(|(count, _)| **count > 0);
        let (lower, upper) = loop {
            let (count, value) = bins.next()?;
            end += count;
            if rank + 1 < end {
                break (value, value);
            }
            if rank < end {
                break (value, bins.next().map_or(value, |(_, next)| next));
            }
        };
        let rest = (position - rank as f64).clamp(0.0, 1.0);
        Some(f64::from(lower) + rest * (f64::from(upper) - f64::from(lower)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(sorted: &[u8], percentile: f64) -> f64 {
        let position = (sorted.len() - 1) as f64 * percentile / 100.0;
        let below = position.floor();
        let at = |index: f64| f64::from(sorted[(index as usize).min(sorted.len() - 1)]);
        at(below) + (position - below) * (at(below + 1.0) - at(below))
    }

    #[test]
    fn percentiles_lie_between_order_statistics() {
        for pixels in
            [vec![7u8], vec![0, 255], vec![3, 3, 3, 9], (0..=100).collect(), vec![1, 1, 2, 200, 200]]
        {
            let mut histogram = Histogram::new(BitDepth::Eight);
            for value in &pixels {
                histogram.add((0..256).map(|bin| u64::from(bin == usize::from(*value))));
            }
            assert_eq!(histogram.pixels(), pixels.len() as u64);
            for percentile in [0.0, 0.001, 25.0, 33.3, 50.0, 75.0, 99.9, 100.0] {
                let expected = naive(&pixels, percentile);
                let actual = histogram.percentile(percentile).expect("there are pixels");
                assert!((actual - expected).abs() < 1e-9, "{percentile} % of {pixels:?}: {actual}");
            }
        }
    }

    #[test]
    fn nothing_has_no_percentiles_and_a_percentile_is_from_0_to_100() {
        let mut histogram = Histogram::new(BitDepth::Sixteen);
        assert_eq!(histogram.percentile(50.0), None);
        histogram.add([1]);
        for wrong in [-0.1, 100.1, f64::NAN] {
            assert_eq!(histogram.percentile(wrong), None);
        }
        assert_eq!(histogram.percentile(50.0), Some(0.0));
    }
}
