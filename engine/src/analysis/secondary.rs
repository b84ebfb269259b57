//! Cells around nuclei: primary objects grow over an intensity image until they meet or reach background.
//!
//! 1. *Background* by a local threshold: of the pixels at `dy² + dx² < 25`, `max` and `min`. Where `max - min` is
//!    below the contrast threshold, background is `v ≤ (min_threshold + max_threshold)/2`, elsewhere `v ≤ (max +
//!    min)/2`. Then `v < min_threshold` is background and `v > max_threshold` is not.
//! 2. Primary objects, and background that is not part of them, grow over the inverted image, bright places first
//!    ([`watershed`](super::watershed)). What background took is background.
//! 3. A hole that is enclosed by one object becomes part of it (4-connected background).
//!
//! Each secondary object has the label of its primary one and holds all of its pixels. Labels need not be
//! consecutive.
//!
//! The original (D18) took *bright* pixels for background where contrast is high, and compared with 128 where it
//! is low, whatever the depth; background won where it overlapped a primary object; all objects lost a rim of one
//! pixel; holes went to the largest label around them, also those between objects; an object that lost its primary
//! one to another's label was given to the larger number, and a hole without neighbours failed the whole job.
//! `compatible` brings all of this back as it was, but for the failure: such a hole stays background.
//!
//! ```
//! use tm_engine::analysis::{SecondaryRules, segment_secondary};
//! use tm_engine::image::{Plane, Size};
//! let primary = Plane::new(Size::new(1, 9), vec![0, 0, 5, 0, 0, 0, 3, 0, 0])?;
//! let intensity = Plane::new(Size::new(1, 9), vec![10u16, 300, 900, 400, 200, 400, 900, 300, 10])?.into();
//! let rules = SecondaryRules { min_threshold: 100.0, max_threshold: 150.0, ..SecondaryRules::default() };
//! assert_eq!(segment_secondary(&primary, &intensity, &rules)?.pixels(), [0, 5, 5, 5, 5, 3, 3, 3, 0]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};

use super::borders::borders;
use super::components::{label, relabel};
use super::extrema::{Disc, Extremum, extremum_of};
use super::fill::fill_holes;
use super::morphology::{CROSS, dilate};
use super::regions::Regions;
use super::watershed::watershed_of_inverse;
use super::{Connectivity, Mask, check_size, for_depth};
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, GreyPlane, Plane};
use crate::simd::{self, RowKernel};

/// The neighbourhood of the local threshold: `dy² + dx² < 25`.
const NEIGHBOURHOOD: Disc = Disc::within_unchecked(24);
/// What the original compared with where there is no contrast.
const COMPATIBLE_LEVEL: i32 = 128;

/// What background is. All in grey values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SecondaryRules {
    /// Contrast in the neighbourhood from which on the threshold follows it.
    pub contrast_threshold: f64,
    /// Below this all is background.
    pub min_threshold: f64,
    /// Above this nothing is background.
    pub max_threshold: f64,
    /// Whether all is done as in the original.
    pub compatible: bool,
}

impl Default for SecondaryRules {
    /// The defaults of the module `segment_secondary`.
    fn default() -> Self {
        Self { contrast_threshold: 5.0, min_threshold: 125.0, max_threshold: 140.0, compatible: false }
    }
}

impl SecondaryRules {
    fn check(&self) -> Result<()> {
        let numbers = [
            ("contrast_threshold", self.contrast_threshold),
            ("min_threshold", self.min_threshold),
            ("max_threshold", self.max_threshold),
        ];
        match numbers.into_iter().find(|(_, number)| number.is_nan()) {
            Some((name, _)) => Err(EngineError::Parameter { name, problem: "must be a number".to_owned() }),
            None => Ok(()),
        }
    }
}

/// Grows primary objects over an intensity image of the same size.
///
/// # Errors
/// [`EngineError::Shape`] when the sizes differ; [`EngineError::Parameter`] for rules that are not numbers.
pub fn segment_secondary(
    primary: &Plane<i32>,
    intensity: &GreyPlane,
    rules: &SecondaryRules,
) -> Result<Plane<i32>> {
    check_size("intensity image of secondary objects", primary.size(), intensity.size())?;
    rules.check()?;
    if primary.pixels().iter().all(|label| *label > 0) {
        return Ok(primary.clone());
    }
    if rules.compatible {
        as_in_the_original(primary, intensity, rules)
    } else {
        grow(primary, intensity, rules)
    }
}

fn grow(primary: &Plane<i32>, intensity: &GreyPlane, rules: &SecondaryRules) -> Result<Plane<i32>> {
    let mut background = background(intensity, rules);
    let used: HashSet<i32> = distinct(primary.pixels()).collect();
    let of_background = (1..=i32::MAX).find(|label| !used.contains(label)).unwrap_or(i32::MAX);
    for (pixel, label) in background.pixels_mut().iter_mut().zip(primary.pixels()) {
        *pixel = match (*label > 0, *pixel != 0) {
            (true, _) => *label,
            (false, is_background) => i32::from(is_background) * of_background,
        };
    }
    let mut cells = watershed_of_inverse(intensity, &background, None)?;
    for label in cells.pixels_mut() {
        *label = if *label == of_background { 0 } else { *label };
    }
    fill_holes_of_one(&mut cells);
    Ok(cells)
}

/// The labels of an image, again wherever one follows another.
fn distinct(labels: &[i32]) -> impl Iterator<Item = i32> {
    labels.chunk_by(|left, right| left == right).map(|same| same[0])
}

/// Fills the holes that are enclosed by one object.
fn fill_holes_of_one(cells: &mut Plane<i32>) {
    let holes = holes_of(cells);
    if holes.count() == 0 {
        return;
    }
    let labels = label(&holes, Connectivity::Four);
    let size = cells.size();
    // By hole the label around it, or 0 for several.
    let mut around: HashMap<i32, i32> = HashMap::new();
    let regions = Regions::of(&labels);
    for region in regions.iter() {
        let mut meet = |row: usize, column: usize| {
            let cell = cells.get(row, column);
            if cell > 0 {
                let known = around.entry(region.label).or_insert(cell);
                *known = if *known == cell { cell } else { 0 };
            }
        };
        for run in region.runs {
            // Holes do not reach the edge of the image.
            meet(run.row, run.start - 1);
            meet(run.row, run.end);
            for column in run.columns() {
                meet(run.row - 1, column);
                meet(run.row + 1, column);
            }
        }
    }
    for row in 0..size.height {
        for (cell, hole) in cells.row_mut(row).iter_mut().zip(labels.row(row)) {
            if *hole > 0 {
                *cell = around.get(hole).copied().unwrap_or(0);
            }
        }
    }
}

/// Background that objects enclose, together.
fn holes_of(cells: &Plane<i32>) -> Mask {
    let foreground = Mask::of_labels(cells);
    let filled = fill_holes(&foreground, Connectivity::Four);
    Mask::from_fn(cells.size(), |row, column| filled.get(row, column) && !foreground.get(row, column))
}

/// The background of an image as ones and zeros.
fn background(intensity: &GreyPlane, rules: &SecondaryRules) -> Plane<i32> {
    for_depth!(intensity, plane => background_of(plane, rules))
}

fn background_of<T: GreyPixel>(intensity: &Plane<T>, rules: &SecondaryRules) -> Plane<i32> {
    let least = extremum_of(intensity, NEIGHBOURHOOD, Extremum::Min);
    let largest = extremum_of(intensity, NEIGHBOURHOOD, Extremum::Max);
    // Grey values are whole: c < t is c < ⌈t⌉, v > t is v > ⌊t⌋; casts stop at the ends of i32.
    let middle = (rules.min_threshold + rules.max_threshold) / 2.0;
    let kernel = Decide {
        pixels: intensity.pixels(),
        least: least.pixels(),
        largest: largest.pixels(),
        contrast: rules.contrast_threshold.ceil() as i32,
        level: if rules.compatible { COMPATIBLE_LEVEL } else { middle.floor() as i32 },
        takes_bright: rules.compatible,
        min: rules.min_threshold.ceil() as i32,
        max: rules.max_threshold.floor() as i32,
        output: &mut [],
    };
    let mut output = Plane::zeros(intensity.size());
    simd::run(Decide { output: output.pixels_mut(), ..kernel });
    output
}

/// Which pixels are background.
struct Decide<'a, T> {
    pixels: &'a [T],
    least: &'a [T],
    largest: &'a [T],
    contrast: i32,
    level: i32,
    takes_bright: bool,
    min: i32,
    max: i32,
    output: &'a mut [i32],
}

impl<T: GreyPixel> RowKernel for Decide<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let near = self.least.iter().zip(self.largest);
        for ((out, value), (least, largest)) in self.output.iter_mut().zip(self.pixels).zip(near) {
            let wide = |value: &T| i32::from((*value).into());
            let (value, least, largest) = (wide(value), wide(least), wide(largest));
            let is_flat = largest - least < self.contrast;
            let is_bright = if is_flat { value > self.level } else { 2 * value > least + largest };
            let is_background = is_bright == self.takes_bright;
            *out = i32::from((is_background | (value < self.min)) & (value <= self.max));
        }
    }
}

/// The original's way, step by step; primary labels are to be consecutive.
fn as_in_the_original(
    primary: &Plane<i32>,
    intensity: &GreyPlane,
    rules: &SecondaryRules,
) -> Result<Plane<i32>> {
    let size = primary.size();
    let objects = distinct(primary.pixels()).filter(|label| *label > 0).collect::<HashSet<_>>().len();
    // The first row was left out by mistake.
    let after_first_row = primary.pixels().get(size.width..).unwrap_or_default();
    let values = distinct(after_first_row).collect::<HashSet<_>>().len();
    if values <= 1 {
        return Ok(Plane::zeros(size));
    }
    let (objects, values) =
        (i32::try_from(objects).unwrap_or(i32::MAX), i32::try_from(values).unwrap_or(i32::MAX));
    let mask = Mask::of_labels(&background(intensity, rules));
    let mut markers = label(&mask, Connectivity::Four);
    for (marker, label) in markers.pixels_mut().iter_mut().zip(primary.pixels()) {
        let seed = if *marker > 0 { marker.saturating_add(values) } else { 0 };
        *marker = seed.saturating_add(*label);
    }
    let mut regions = watershed_of_inverse(intensity, &markers, None)?;
    for label in regions.pixels_mut() {
        *label = if *label > objects { 0 } else { *label };
    }
    let rim = borders(&regions, Connectivity::Four);
    for (label, is_rim) in regions.pixels_mut().iter_mut().zip(rim.pixels()) {
        *label = if *is_rim != 0 { 0 } else { *label };
    }
    give_holes_to_the_largest(&mut regions);
    let smallest = Regions::of(primary).iter().map(|region| region.area).min().unwrap_or(0);
    drop_regions_up_to(&mut regions, smallest);
    let names = most_frequent(&relabel(&regions), primary);
    let mut cells = relabel(&regions);
    for (label, primary) in cells.pixels_mut().iter_mut().zip(primary.pixels()) {
        let name = names.get(label).copied().unwrap_or(0);
        *label = name.max(*primary);
    }
    Ok(cells)
}

/// Holes, grown by a pixel, take the largest label inside them.
fn give_holes_to_the_largest(regions: &mut Plane<i32>) {
    let holes = label(&dilate(&holes_of(regions), CROSS), Connectivity::Four);
    let mut largest: HashMap<i32, i32> = HashMap::new();
    let pairs = |(hole, region): (&i32, &i32)| (*hole > 0).then_some((*hole, *region));
    for (hole, region) in holes.pixels().iter().zip(regions.pixels()).filter_map(pairs) {
        let known = largest.entry(hole).or_insert(0);
        *known = region.max(*known);
    }
    for (region, hole) in regions.pixels_mut().iter_mut().zip(holes.pixels()) {
        *region = largest.get(hole).copied().unwrap_or(*region);
    }
}

/// Clears regions of this many pixels or less.
fn drop_regions_up_to(regions: &mut Plane<i32>, area: usize) {
    let found = Regions::of(regions);
    for region in found.iter().filter(|region| region.area <= area) {
        for run in region.runs {
            regions.row_mut(run.row)[run.columns()].fill(0);
        }
    }
}

/// By region the primary label that most of its pixels have; of equally frequent ones the least.
fn most_frequent(regions: &Plane<i32>, primary: &Plane<i32>) -> HashMap<i32, i32> {
    let mut counts: BTreeMap<(i32, i32), usize> = BTreeMap::new();
    for pair in regions.pixels().iter().zip(primary.pixels()) {
        if let (region @ 1.., label @ 1..) = (*pair.0, *pair.1) {
            *counts.entry((region, label)).or_insert(0) += 1;
        }
    }
    let mut names: HashMap<i32, (usize, i32)> = HashMap::new();
    for ((region, label), count) in counts {
        let known = names.entry(region).or_insert((0, 0));
        if count > known.0 {
            *known = (count, label);
        }
    }
    names.into_iter().map(|(region, (_, label))| (region, label)).collect()
}
