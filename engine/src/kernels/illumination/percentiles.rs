//! Percentiles of grey values, from histograms.

use crate::image::GreyPlane;
use crate::kernels::histogram::cpu::count;

/// Number of quantiles kept: `100·i/99999` for `i` from 0 to 99 999.
pub(super) const QUANTILES: usize = 100_000;
/// Denominator of the position of a quantile between two order statistics.
pub(super) const DENOMINATOR: u64 = QUANTILES as u64 - 1;

/// Grey values by percentile.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentiles {
    /// Percentiles from 0 to 100, ascending, in thousandths; 50.000 alone is missing.
    pub keys: Vec<f64>,
    /// Grey value of each key: the mean over images of each image's quantile, truncated.
    pub values: Vec<u16>,
}

impl Percentiles {
    /// The grey value of the key nearest to a percentile, the lower of two that are as near.
    ///
    /// `None` when there are no percentiles or the wanted one is not a number.
    pub fn at(&self, percentile: f64) -> Option<u16> {
        if percentile.is_nan() {
            return None;
        }
        let above = self.keys.partition_point(|key| *key < percentile);
        let Some(upper) = self.keys.get(above) else { return self.values.last().copied() };
        let Some(below) = above.checked_sub(1) else { return self.values.first().copied() };
        // Keys are decimal fractions: a distance may be off by a rounding error of the float.
        let lower_is_nearer = percentile - self.keys[below] <= upper - percentile + 1e-9;
        self.values.get(if lower_is_nearer { below } else { above }).copied()
    }

    /// Percentiles from sums over images of `99999 · quantile`.
    pub(super) fn from_sums(sums: &[u64], images: u64) -> Self {
        if images == 0 {
            return Self { keys: Vec::new(), values: Vec::new() };
        }
        let keys = (0..sums.len()).map(|index| {
            // 100·i/99999 rounded to thousandths; from the middle on it rounds up by one.
            let thousandths = index + usize::from(2 * index > QUANTILES - 1);
            thousandths as f64 / 1000.0
        });
        let values = sums.iter().map(|sum| {
            u16::try_from(sum / (DENOMINATOR * images)).expect("a mean of 16-bit values fits 16 bits")
        });
        Self { keys: keys.collect(), values: values.collect() }
    }
}

/// Counts how often each grey value occurs: 256 or 65 536 bins. Uses up to `threads` threads.
pub(super) fn histogram(image: &GreyPlane, threads: usize) -> Vec<u64> {
    match image {
        GreyPlane::U8(plane) => count(plane.pixels(), threads),
        GreyPlane::U16(plane) => count(plane.pixels(), threads),
    }
}

/// Calls `add(i, 99999 · quantile_i)` for each of the quantiles of a histogram.
///
/// With `m` pixels in ascending order `s`, quantile `i` lies at `h = (m - 1)·i/99999`, between
/// `s[⌊h⌋]` and `s[⌊h⌋ + 1]`; times 99 999 it is a whole number.
pub(super) fn for_each_quantile(histogram: &[u64], mut add: impl FnMut(usize, u64)) {
    let pixels: u64 = histogram.iter().sum();
    if pixels == 0 {
        return;
    }
    let mut bins = histogram.iter().copied().enumerate().filter(|(_, count)| *count > 0);
    let (mut value, mut end) = bins.next().map_or((0, 0), |(bin, count)| (bin as u64, count));
    let mut next = bins.next();
    for index in 0..QUANTILES {
        let position = u128::from(pixels - 1) * index as u128;
        let rank = (position / u128::from(DENOMINATOR)) as u64;
        let rest = (position % u128::from(DENOMINATOR)) as u64;
        while rank >= end {
            let Some((bin, count)) = next else { break };
            (value, end) = (bin as u64, end + count);
            next = bins.next();
        }
        // The next order statistic is the next value when this one has no further pixel.
        let following = match next {
            Some((bin, _)) if rank + 1 >= end => bin as u64,
            _ => value,
        };
        add(index, value * DENOMINATOR + rest * (following - value));
    }
}
