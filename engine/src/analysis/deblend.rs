//! Bright spots on a dark background, apart also where they touch.
//!
//! The method of SExtractor (Bertin and Arnouts 1996), section "Deblending":
//!
//! 1. A *detection* is an 8-connected set of at least `min_area` pixels above the threshold T.
//! 2. It is looked at through 500 levels, `T·(peak/T)^(k/500)`, k = 0 … 499. What is above a level falls into
//!    8-connected branches; those of less than `min_area` pixels do not count. Wherever a branch falls into two or
//!    more at the next level, these are blobs of their own, unless they fall apart themselves further up.
//! 3. Pixels of the detection that are in no blob join one: blobs grow over them, bright pixels first, of equal
//!    ones those that were reached first (8-connected).
//!
//! The original drew lots for step 3, weighted by Gaussian profiles of the blobs (D19). And it looked at every
//! level anew; here all levels are one pass over the pixels from bright to dark, which joins them to branches
//! (union-find), and a detection too small for two branches is not looked at.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::components::label_of;
use super::regions::{Region, Regions};
use super::{Connectivity, Mask, label};
use crate::image::{Plane, Size};

/// Levels between the threshold and the peak.
const LEVELS: usize = 500;

/// Labels bright spots: 1, 2, … detection by detection. `threshold` is above 0, as are pixels that count.
pub(super) fn deblend(image: &Plane<f32>, threshold: f32, min_area: usize) -> Plane<i32> {
    let min_area = min_area.max(1);
    let bright = Mask::of(image, |value| value > threshold);
    let detections = Regions::of(&label(&bright, Connectivity::Eight));
    let mut labels = Plane::zeros(image.size());
    let mut places = vec![0; image.size().area()];
    let mut blobs = 0;
    for detection in detections.iter().filter(|detection| detection.area >= min_area) {
        let parts = if detection.area < 2 * min_area {
            None
        } else {
            Branches::new(image, detection, threshold, &mut places).split(&places, min_area)
        };
        match parts {
            None => {
                for run in detection.runs {
                    labels.row_mut(run.row)[run.columns()].fill(label_of(blobs));
                }
                blobs += 1;
            }
            Some(parts) => {
                for (pixel, blob) in parts.pixels.iter().zip(&parts.blobs) {
                    labels.pixels_mut()[pixel.index] = label_of(blobs + blob - 1);
                }
                blobs += parts.count;
            }
        }
    }
    labels
}

/// A pixel of a detection.
#[derive(Debug, Clone, Copy)]
struct BrightPixel {
    /// Its place in the image.
    index: usize,
    value: f32,
    /// The highest level that it is above.
    level: usize,
}

/// A stretch of the list of the pixels of a branch: what a smaller branch became part of it with.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: usize,
    last: usize,
    /// Whether it did not fall apart further up.
    is_whole: bool,
}

/// Branches of a detection while its pixels are added from bright to dark. All vectors are by pixel; of a branch
/// the entries of its root hold.
struct Branches {
    size: Size,
    /// From bright to dark; pixels of one level in raster order.
    pixels: Vec<BrightPixel>,
    parents: Vec<usize>,
    areas: Vec<usize>,
    /// First and last pixel of the branch's list.
    lists: Vec<Stretch>,
    /// The next pixel in the list.
    next: Vec<usize>,
    /// The level at which the branch last changed.
    changed: Vec<usize>,
    /// Branches of the level above that count and are part of this one.
    above: Vec<Vec<Stretch>>,
}

/// A detection that fell apart.
struct Parts {
    pixels: Vec<BrightPixel>,
    /// By pixel the blob, from 1 on.
    blobs: Vec<usize>,
    count: usize,
}

impl Branches {
    /// `places` tells by pixel of the image the number of a pixel in its detection, from 1 on: those of this
    /// detection are written.
    fn new(image: &Plane<f32>, detection: Region<'_>, threshold: f32, places: &mut [usize]) -> Self {
        let size = image.size();
        let indices = detection.runs.iter().flat_map(|run| {
            let start = run.row * size.width;
            start + run.start..start + run.end
        });
        let mut pixels: Vec<_> =
            indices.map(|index| BrightPixel { index, value: image.pixels()[index], level: 0 }).collect();
        let peak = pixels.iter().fold(threshold, |peak, pixel| peak.max(pixel.value));
        let levels_per_log = LEVELS as f64 / f64::from(peak / threshold).ln();
        for pixel in &mut pixels {
            // Above level k, not on it. Casts of floats stop at 0.
            let level = (f64::from(pixel.value / threshold).ln() * levels_per_log).ceil() - 1.0;
            pixel.level = (level as usize).min(LEVELS - 1);
        }
        pixels.sort_by_key(|pixel| Reverse(pixel.level));
        for (place, pixel) in (1..).zip(&pixels) {
            places[pixel.index] = place;
        }
        let count = pixels.len();
        Self {
            size,
            pixels,
            parents: (0..count).collect(),
            areas: vec![1; count],
            lists: (0..count).map(|pixel| Stretch { first: pixel, last: pixel, is_whole: true }).collect(),
            next: vec![0; count],
            changed: vec![LEVELS; count],
            above: vec![Vec::new(); count],
        }
    }

    /// Numbers of the pixels of the detection around a pixel.
    fn neighbours(&self, places: &[usize], pixel: usize) -> impl Iterator<Item = usize> {
        let index = self.pixels[pixel].index;
        let (row, column) = (index / self.size.width, index % self.size.width);
        let rows = row.saturating_sub(1)..(row + 2).min(self.size.height);
        let columns = column.saturating_sub(1)..(column + 2).min(self.size.width);
        let width = self.size.width;
        let around = rows.flat_map(move |row| columns.clone().map(move |column| row * width + column));
        // All bright neighbours are of the same detection.
        around.filter_map(|index| places[index].checked_sub(1))
    }

    /// The blobs of the detection, if it falls apart.
    fn split(mut self, places: &[usize], min_area: usize) -> Option<Parts> {
        let mut blobs = vec![0; self.pixels.len()];
        let mut count = 0;
        let mut first = 0;
        while first < self.pixels.len() {
            let level = self.pixels[first].level;
            let of_level = self.pixels[first..].iter().take_while(|pixel| pixel.level == level).count();
            let group = first..first + of_level;
            for pixel in group.clone() {
                self.changed[pixel] = level;
                let earlier: Vec<_> = self.neighbours(places, pixel).filter(|other| *other < pixel).collect();
                for other in earlier {
                    self.join(pixel, other, level, min_area);
                }
            }
            for pixel in group {
                let root = self.root(pixel);
                let above = std::mem::take(&mut self.above[root]);
                if above.len() < 2 {
                    continue;
                }
                self.lists[root].is_whole = false;
                for Stretch { first, last, .. } in above.into_iter().filter(|branch| branch.is_whole) {
                    count += 1;
                    let mut member = first;
                    blobs[member] = count;
                    while member != last {
                        member = self.next[member];
                        blobs[member] = count;
                    }
                }
            }
            first += of_level;
        }
        if count == 0 {
            return None;
        }
        self.give_away_the_rest(places, &mut blobs);
        Some(Parts { pixels: self.pixels, blobs, count })
    }

    fn root(&mut self, mut pixel: usize) -> usize {
        while self.parents[pixel] != pixel {
            self.parents[pixel] = self.parents[self.parents[pixel]];
            pixel = self.parents[pixel];
        }
        pixel
    }

    /// Makes two branches one at a level.
    fn join(&mut self, pixel: usize, other: usize, level: usize, min_area: usize) {
        let (pixel, other) = (self.root(pixel), self.root(other));
        if pixel == other {
            return;
        }
        for root in [pixel, other] {
            if self.changed[root] != level {
                self.changed[root] = level;
                if self.areas[root] >= min_area {
                    self.above[root].push(self.lists[root]);
                }
            }
        }
        let (root, child) =
            if self.areas[pixel] < self.areas[other] { (other, pixel) } else { (pixel, other) };
        self.parents[child] = root;
        self.areas[root] += self.areas[child];
        let (list, joined) = (self.lists[root], self.lists[child]);
        self.next[list.last] = joined.first;
        let is_whole = list.is_whole && joined.is_whole;
        self.lists[root] = Stretch { first: list.first, last: joined.last, is_whole };
        let above = std::mem::take(&mut self.above[child]);
        self.above[root].extend(above);
    }

    /// Blobs grow over the pixels that are in none, bright ones first.
    fn give_away_the_rest(&self, places: &[usize], blobs: &mut [usize]) {
        // Values are above 0, so their bits are in the same order.
        let key = |pixel: usize| self.pixels[pixel].value.to_bits();
        let mut queued = 0;
        let mut queue = BinaryHeap::new();
        for pixel in (0..blobs.len()).filter(|pixel| blobs[*pixel] != 0) {
            queue.push((key(pixel), Reverse(queued), pixel));
            queued += 1;
        }
        while let Some((_, _, pixel)) = queue.pop() {
            for neighbour in self.neighbours(places, pixel) {
                if blobs[neighbour] == 0 {
                    blobs[neighbour] = blobs[pixel];
                    queue.push((key(neighbour), Reverse(queued), neighbour));
                    queued += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(rows: &[&[f32]], min_area: usize) -> Vec<i32> {
        let size = Size::new(rows.len(), rows[0].len());
        let image = Plane::from_fn(size, |row, column| rows[row][column]);
        deblend(&image, 1.0, min_area).into_pixels()
    }

    #[test]
    fn two_peaks_with_a_saddle_are_two_blobs_and_the_saddle_joins_the_brighter_side() {
        assert_eq!(labels(&[&[0.0, 5.0, 9.0, 4.0, 2.0, 3.0, 8.0, 6.0, 0.0]], 2), [0, 1, 1, 1, 1, 2, 2, 2, 0]);
    }

    #[test]
    fn a_peak_of_less_than_the_least_area_is_none() {
        assert_eq!(labels(&[&[0.0, 5.0, 9.0, 4.0, 2.0, 8.0, 0.0]], 2), [0, 1, 1, 1, 1, 1, 0]);
        assert_eq!(labels(&[&[0.0, 5.0, 9.0, 4.0, 2.0, 8.0, 0.0]], 7), [0; 7]);
    }

    #[test]
    fn a_blob_that_falls_apart_further_up_counts_as_its_parts_only() {
        let row = [&[9.0f32, 9.0, 5.0, 9.0, 9.0, 2.0, 8.0, 8.0][..]];
        assert_eq!(labels(&row, 2), [1, 1, 1, 2, 2, 2, 3, 3]);
    }

    /// A detection looked at level by level, everything labelled anew.
    struct Naive<'a> {
        image: &'a Plane<f32>,
        peak: f64,
        min_area: usize,
    }

    impl Naive<'_> {
        /// The branches of a branch above a power of the peak that count.
        fn branches(&self, branch: &[usize], level: usize) -> Vec<Vec<usize>> {
            let (width, limit) = (self.image.size().width, self.peak.powf(level as f64 / LEVELS as f64));
            let bright = Mask::from_fn(self.image.size(), |row, column| {
                let pixel = row * width + column;
                branch.contains(&pixel) && f64::from(self.image.pixels()[pixel]) > limit
            });
            let regions = Regions::of(&label(&bright, Connectivity::Eight));
            let pixels = |part: Region<'_>| {
                let of_run = |run: &super::super::Run| run.row * width + run.start..run.row * width + run.end;
                part.runs.iter().flat_map(of_run).collect()
            };
            regions.iter().filter(|part| part.area >= self.min_area).map(pixels).collect()
        }

        /// The blobs that a branch falls into; none when it stays whole.
        fn blobs(&self, branch: &[usize], from: usize) -> Vec<Vec<usize>> {
            let mut branch = branch.to_vec();
            for level in from..LEVELS {
                let parts = self.branches(&branch, level);
                match parts.as_slice() {
                    [] => break,
                    [part] => branch.clone_from(part),
                    parts => {
                        let or_whole = |part: &Vec<usize>| {
                            let blobs = self.blobs(part, level + 1);
                            if blobs.is_empty() { vec![part.clone()] } else { blobs }
                        };
                        return parts.iter().flat_map(or_whole).collect();
                    }
                }
            }
            Vec::new()
        }
    }

    #[test]
    fn blobs_are_those_that_are_found_level_by_level() {
        let mut state = 5u32;
        let mut below = |end: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % end
        };
        let (mut whole, mut split) = (0, 0);
        for case in 0..120 {
            let size = Size::new(1 + case % 7, 9);
            let image = Plane::from_fn(size, |_, _| [0.5, 1.5, 2.0, 2.0, 3.1, 4.7, 9.3][below(7) as usize]);
            let min_area = 1 + case % 3;
            let found = deblend(&image, 1.0, min_area);
            let everything: Vec<_> = (0..size.area()).collect();
            let naive = Naive { image: &image, peak: 1.0, min_area };
            let detections = naive.branches(&everything, 0);
            let mut seen = std::collections::BTreeSet::new();
            for detection in &detections {
                let peak =
                    detection.iter().fold(1.0f32, |peak, pixel| peak.max(image.pixels()[*pixel])).into();
                let blobs = Naive { peak, ..naive }.blobs(detection, 1);
                let cores = if blobs.is_empty() { vec![detection.clone()] } else { blobs };
                *(if cores.len() > 1 { &mut split } else { &mut whole }) += 1;
                for core in &cores {
                    let label = found.pixels()[core[0]];
                    assert!(label > 0 && seen.insert(label), "{image:?} {found:?}");
                    assert!(core.iter().all(|pixel| found.pixels()[*pixel] == label), "{image:?} {found:?}");
                }
                assert!(detection.iter().all(|pixel| found.pixels()[*pixel] > 0), "{image:?} {found:?}");
            }
            let labelled = found.pixels().iter().filter(|label| **label > 0).count();
            assert_eq!(labelled, detections.iter().map(Vec::len).sum::<usize>());
            let largest = found.pixels().iter().copied().max().unwrap_or(0);
            assert_eq!(usize::try_from(largest), Ok(seen.len()));
        }
        assert!(whole > 10 && split > 10, "{whole} stayed whole, {split} fell apart");
    }
}
