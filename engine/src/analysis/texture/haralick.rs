//! Haralick: which levels of grey lie side by side.
//!
//! Grey values become levels from 1 to 255: those from the smallest of the image to its 99.999th percentile, in equal
//! steps, those above it 255. For a scale d, pairs of the object's pixels d apart are counted in each of the
//! directions (0, d), (d, d), (d, 0), (d, −d) (rows, columns), both ways round; p(i, j) is the share of pairs with
//! levels i and j. Thirteen statistics, logarithms to base 2, are averaged over the directions that have pairs;
//! without any they are NaN:
//!
//! ```text
//! angular-second-moment   Σ p²                   sum-avg       Σ k p₊(k),  p₊(k): i + j = k
//! contrast                Σ (i − j)² p           sum-var       Σ k² p₊(k) − sum-avg²
//! correlation             (Σ i j p − μ²) / σ²    sum-entropy   H(p₊)
//!                         1 where σ = 0          entropy       H(p)
//! sum-of-squares          σ² of i                diff-var      variance of the 256 numbers p₋(k), |i − j| = k
//! inverse-diff-moment     Σ p / (1 + (i − j)²)   diff-entropy  H(p₋)
//! info-measure-corr-1     (H(p) − 2 H(i)) / H(i), 0 where H(i) = 0
//! info-measure-corr-2     √max(0, 1 − exp(−2 (2 H(i) − H(p))))
//! ```
//!
//! The original stretched each object to its own levels, 0 to 255 from 0 to the largest clipped value, which hides
//! how much contrast it has (D25), and did not count pixels of level 0; a direction without pairs made all
//! statistics of the scale NaN. Of several scales it wrote the values scale by scale under names that go statistic
//! by statistic (D24). This is what `compatible` gives.
//!
//! Haralick, Shanmugam and Dinstein, IEEE Transactions on Systems, Man and Cybernetics 3:610 (1973).

use crate::image::{Histogram, Plane};

use super::super::Region;
use super::crop::crop;

const NAMES: [&str; 13] = [
    "angular-second-moment",
    "contrast",
    "correlation",
    "sum-of-squares",
    "inverse-diff-moment",
    "sum-avg",
    "sum-var",
    "sum-entropy",
    "entropy",
    "diff-var",
    "diff-entropy",
    "info-measure-corr-1",
    "info-measure-corr-2",
];

/// Numbers of grey, level 0 for pixels that do not count among them.
const LEVELS: usize = 256;
/// Grey values above this percentile of the image are as bright as it.
const CLIP_PERCENTILE: f64 = 99.999;

/// The names of the columns.
pub(super) fn columns(scales: &[u32]) -> Vec<String> {
    let names = |name| scales.iter().map(move |scale| format!("Texture_Haralick-{name}-{scale}"));
    NAMES.iter().flat_map(names).collect()
}

/// How grey values become levels.
pub(super) struct Levels {
    low: u16,
    high: u16,
    compatible: bool,
}

impl Levels {
    /// The levels of an image with these grey values.
    pub(super) fn of(counts: &Histogram, compatible: bool) -> Self {
        let low = (0..=u16::MAX).zip(counts.counts()).find(|(_, count)| **count > 0);
        // Cut off to a grey value, which is one of the image's depth.
        let high = counts.percentile(CLIP_PERCENTILE).map_or(0, |value| value as u16);
        Self { low: low.map_or(0, |(value, _)| value), high, compatible }
    }

    /// The features of one object.
    pub(super) fn measure(
        &self,
        region: Region<'_>,
        image: &Plane<u16>,
        scales: &[u32],
        pairs: &mut Pairs,
    ) -> Vec<f64> {
        // At most a hundred.
        let padding = scales.iter().max().map_or(0, |scale| *scale as usize);
        let levels = self.levels(region, image, padding);
        let by_scale: Vec<[f64; NAMES.len()]> = scales
            .iter()
            .map(|scale| self.mean_statistics(region, &levels, padding, *scale as usize, pairs))
            .collect();
        if self.compatible {
            return by_scale.concat();
        }
        (0..NAMES.len()).flat_map(|name| by_scale.iter().map(move |statistics| statistics[name])).collect()
    }

    /// The levels of an object's pixels; 0 around it.
    fn levels(&self, region: Region<'_>, image: &Plane<u16>, padding: usize) -> Plane<u8> {
        let clipped = |value: u16| u32::from(value.min(self.high));
        let values = || region.runs.iter().flat_map(|run| &image.row(run.row)[run.columns()]);
        let level = |level: u32| u8::try_from(level).unwrap_or(u8::MAX);
        if self.compatible {
            let high = values().copied().map(clipped).max().unwrap_or(0).max(1);
            return crop(region, padding, |row, column| level(clipped(image.get(row, column)) * 255 / high));
        }
        let low = u32::from(self.low);
        let range = u32::from(self.high).saturating_sub(low).max(1);
        crop(region, padding, |row, column| {
            level(1 + clipped(image.get(row, column)).saturating_sub(low) * 254 / range)
        })
    }

    /// The statistics of one scale.
    fn mean_statistics(
        &self,
        region: Region<'_>,
        levels: &Plane<u8>,
        padding: usize,
        scale: usize,
        pairs: &mut Pairs,
    ) -> [f64; NAMES.len()] {
        let mut sums = [0.0; NAMES.len()];
        let mut directions = 0;
        let (near, far) = (padding - scale, padding + scale);
        for (row_offset, column_offset) in [(padding, far), (far, far), (far, padding), (far, near)] {
            for run in region.runs {
                let (row, column) = (run.row - region.bounds.y, run.start - region.bounds.x);
                let here = &levels.row(row + padding)[column + padding..];
                let there = &levels.row(row + row_offset)[column + column_offset..];
                for (left, right) in here.iter().zip(there).take(run.columns().len()) {
                    pairs.count(*left, *right);
                }
            }
            if let Some(statistics) = pairs.statistics() {
                directions += 1;
                for (sum, value) in sums.iter_mut().zip(statistics) {
                    *sum += value;
                }
            }
            pairs.clear();
        }
        let has_enough = if self.compatible { directions == 4 } else { directions > 0 };
        let directions = if has_enough { f64::from(directions) } else { f64::NAN };
        sums.map(|sum| sum / directions)
    }
}

/// Numbers of pairs by their levels, the darker first.
pub(super) struct Pairs {
    counts: Vec<u32>,
    /// The numbers that are not 0.
    seen: Vec<[u8; 2]>,
}

impl Default for Pairs {
    fn default() -> Self {
        Self { counts: vec![0; LEVELS * LEVELS], seen: Vec::new() }
    }
}

impl Pairs {
    fn index([dark, bright]: [u8; 2]) -> usize {
        usize::from(dark) * LEVELS + usize::from(bright)
    }

    /// Counts a pair, unless one of its levels is 0.
    fn count(&mut self, left: u8, right: u8) {
        if left == 0 || right == 0 {
            return;
        }
        let pair = [left.min(right), left.max(right)];
        let count = &mut self.counts[Self::index(pair)];
        if *count == 0 {
            self.seen.push(pair);
        }
        *count += 1;
    }

    fn clear(&mut self) {
        for pair in self.seen.drain(..) {
            self.counts[Self::index(pair)] = 0;
        }
    }

    /// The statistics in the order of their names; `None` without pairs.
    fn statistics(&self) -> Option<[f64; NAMES.len()]> {
        if self.seen.is_empty() {
            return None;
        }
        // Each pair counts twice, once each way round.
        let mut marginal = [0u64; LEVELS];
        let mut sums = [0u64; 2 * LEVELS];
        let mut differences = [0u64; LEVELS];
        let (mut total, mut products) = (0u64, 0u64);
        for pair in &self.seen {
            let [dark, bright] = pair.map(usize::from);
            let count = u64::from(self.counts[Self::index(*pair)]);
            total += 2 * count;
            marginal[dark] += count;
            marginal[bright] += count;
            sums[dark + bright] += 2 * count;
            differences[bright - dark] += 2 * count;
            products += 2 * count * (dark * bright) as u64;
        }
        let (mut moment, mut entropy) = (0.0, 0.0);
        for pair in &self.seen {
            let share = f64::from(self.counts[Self::index(*pair)]) / total as f64;
            let (cells, share) = if pair[0] == pair[1] { (1.0, 2.0 * share) } else { (2.0, share) };
            moment += cells * share * share;
            entropy -= cells * share * share.log2();
        }
        let level_spread = spread(&marginal, total);
        let level_mean = mean(&marginal, total);
        let squares_of_mean = level_mean * level_mean;
        let correlation = if level_spread == 0.0 {
            1.0
        } else {
            (products as f64 / total as f64 - squares_of_mean) / level_spread
        };
        let shares = || (0u32..).zip(differences.map(|count| count as f64 / total as f64));
        let mean_share = 1.0 / LEVELS as f64;
        let level_entropy = entropy_of(&marginal, total);
        let shared = 2.0 * level_entropy - entropy;
        Some([
            moment,
            shares().map(|(k, share)| f64::from(k * k) * share).sum(),
            correlation,
            level_spread,
            shares().map(|(k, share)| share / f64::from(1 + k * k)).sum(),
            mean(&sums, total),
            spread(&sums, total),
            entropy_of(&sums, total),
            entropy,
            shares().map(|(_, share)| (share - mean_share) * (share - mean_share)).sum::<f64>()
                / LEVELS as f64,
            entropy_of(&differences, total),
            if level_entropy == 0.0 { 0.0 } else { -shared / level_entropy },
            (1.0 - (-2.0 * shared).exp()).max(0.0).sqrt(),
        ])
    }
}

/// Mean index of `total` things counted by index.
fn mean(counts: &[u64], total: u64) -> f64 {
    (0..).zip(counts).map(|(index, count): (u64, _)| index * count).sum::<u64>() as f64 / total as f64
}

/// Variance of the index of `total` things counted by index, exact up to the last division.
fn spread(counts: &[u64], total: u64) -> f64 {
    let (mut sum, mut squares) = (0u64, 0u64);
    for (index, count) in (0..).zip(counts) {
        // 2³⁴ pairs of squares below 2¹⁸ fit.
        sum += index * count;
        squares += index * index * count;
    }
    let wide = u128::from;
    let spread = wide(total) * wide(squares) - wide(sum) * wide(sum);
    spread as f64 / (total as f64 * total as f64)
}

/// Entropy in bits of `total` things counted by index.
fn entropy_of(counts: &[u64], total: u64) -> f64 {
    let share = |count: &u64| *count as f64 / total as f64;
    -counts.iter().filter(|count| **count > 0).map(share).map(|share| share * share.log2()).sum::<f64>()
}
