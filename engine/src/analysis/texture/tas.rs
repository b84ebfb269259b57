//! Threshold adjacency statistics: how the bright pixels of an object keep together.
//!
//! T is Otsu's threshold of the whole image; μ and σ are mean and standard deviation (of the population) of the
//! object's values above T, 0 if there are none. On the object's bounding box with one pixel around it, 0 outside
//! the object, three masks are made:
//!
//! ```text
//! center: μ − σ < v < μ + σ        mu-margin: v > μ − σ        mu: v > μ
//! ```
//!
//! Of each, the unset pixels are counted by their number of set neighbours, 0 to 8, among the eight around them (the
//! pixels at the edge stand for those beyond it too) and divided by the number of unset pixels; and the same with set
//! and unset changed for each other (`n-`). No pixels to count give 0.
//!
//! The published statistic counts set pixels, where this and the original count unset ones: those are in the `n-`
//! columns, in reverse. The original had columns by number of neighbours and wrote the values mask by mask, so that
//! most had another's name (D24); this is what `compatible` gives.
//!
//! Hamilton et al., BMC Bioinformatics 8:110 (2007); Coelho et al., ISMB Workshop on Linking Literature (2010).

use crate::image::{Histogram, Plane, Size};

use super::super::{Region, otsu_of};
use super::crop::crop;

/// Numbers of set neighbours: 0 to 8.
const BINS: usize = 9;
/// The masks, then what is left of each.
const MASKS: [&str; 6] = ["center", "mu-margin", "mu", "n-center", "n-mu-margin", "n-mu"];
/// The order of the masks in the columns.
const COLUMN_ORDER: [usize; 6] = [0, 3, 1, 4, 2, 5];

/// The names of the columns.
pub(super) fn columns() -> Vec<String> {
    let names = |bin| COLUMN_ORDER.map(|mask| format!("Texture_TAS-{}-{bin}", MASKS[mask]));
    (0..BINS).flat_map(names).collect()
}

/// What the statistics of all objects of an image depend on.
pub(super) struct Statistics {
    threshold: u16,
    compatible: bool,
}

/// Mean and standard deviation.
struct Spread {
    mean: f64,
    deviation: f64,
}

impl Statistics {
    /// The statistics of objects in an image with these grey values.
    pub(super) fn of(counts: &Histogram, compatible: bool) -> Self {
        Self { threshold: otsu_of(counts), compatible }
    }

    /// The features of one object.
    pub(super) fn measure(&self, region: Region<'_>, image: &Plane<u16>) -> Vec<f64> {
        let Spread { mean, deviation } = self.spread(region, image);
        let values = crop(region, 1, |row, column| image.get(row, column));
        let (low, high) = (mean - deviation, mean + deviation);
        let [center, n_center] = adjacency(&values, |value| low < value && value < high);
        let [margin, n_margin] = adjacency(&values, |value| value > low);
        let [above, n_above] = adjacency(&values, |value| value > mean);
        let by_mask = [center, margin, above, n_center, n_margin, n_above];
        if self.compatible {
            return by_mask.concat();
        }
        (0..BINS).flat_map(|bin| COLUMN_ORDER.map(|mask| by_mask[mask][bin])).collect()
    }

    /// Mean and deviation of the object's values above the threshold.
    fn spread(&self, region: Region<'_>, image: &Plane<u16>) -> Spread {
        let (mut pixels, mut sum, mut squares) = (0u128, 0u128, 0u128);
        for run in region.runs {
            for value in image.row(run.row)[run.columns()].iter().filter(|value| **value > self.threshold) {
                pixels += 1;
                sum += u128::from(*value);
                squares += u128::from(*value) * u128::from(*value);
            }
        }
        if pixels == 0 {
            return Spread { mean: 0.0, deviation: 0.0 };
        }
        let spread = pixels * squares - sum * sum;
        let pixels = pixels as f64;
        Spread { mean: sum as f64 / pixels, deviation: (spread as f64).sqrt() / pixels }
    }
}

/// The shares of unset pixels by number of set neighbours, and of set pixels by number of unset ones.
fn adjacency(values: &Plane<u16>, is_set: impl Fn(f64) -> bool) -> [[f64; BINS]; 2] {
    let Size { height, width } = values.size();
    let set =
        Plane::from_fn(values.size(), |row, column| u8::from(is_set(f64::from(values.get(row, column)))));
    // Three side by side, then three of these above each other. The crop is at least three pixels wide and high.
    let mut beside = Plane::zeros(values.size());
    for row in 0..height {
        let (pixels, sums) = (set.row(row), beside.row_mut(row));
        sums[0] = 2 * pixels[0] + pixels[1];
        for (sum, pixels) in sums[1..].iter_mut().zip(pixels.windows(3)) {
            *sum = pixels[0] + pixels[1] + pixels[2];
        }
        sums[width - 1] = pixels[width - 2] + 2 * pixels[width - 1];
    }
    let mut counts = [[0usize; BINS]; 2];
    for row in 0..height {
        let (above, below) = (beside.row(row.saturating_sub(1)), beside.row((row + 1).min(height - 1)));
        let rows = above.iter().zip(beside.row(row)).zip(below).zip(set.row(row));
        for (((above, here), below), set) in rows {
            let neighbours = above + here + below - set;
            let bin = if *set == 0 { neighbours } else { 8 - neighbours };
            counts[usize::from(*set)][usize::from(bin)] += 1;
        }
    }
    counts.map(|counts| {
        let pixels = counts.iter().sum::<usize>().max(1) as f64;
        counts.map(|count| count as f64 / pixels)
    })
}
