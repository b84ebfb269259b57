//! Cutting clumps of objects that touch, at their waists.
//!
//! An object is a *clump* when `min_area < area ≤ max_area`, `convexity ≤ max_convexity` and
//! `circularity ≤ max_circularity` ([`shape`](super::shape)). Objects are the 8-connected components of the mask.
//! Each clump is cut out with one pixel of background around it, and then:
//!
//! 1. `D` = squared distance to the background, stretched to 8 bits: `⌊255·d²/max⌋`. Peaks are `D >` its Otsu
//!    threshold.
//! 2. A single peak (4-connected) is eroded and opened by the cross again and again, until it falls apart, or as
//!    long as something is left. The two largest peaks are kept, of equal ones the upper.
//! 3. They grow over `-D` ([`watershed`](super::watershed)); where they meet is the line: pixels of the object
//!    with a pixel of the other region among their 8 neighbours, so about two pixels wide.
//! 4. Parts are the 8-connected components of the object without the line. With trimming, if there are more than
//!    two and the smallest has less than 10 pixels, all such become part of the line.
//! 5. The cut is made when there are two parts at least and the smallest has more than `min_cut_area` pixels.
//!    Pixels of the line become background, and parts that are clumps are cut again, 100 times at most.
//!
//! The original (D17) counted the background of the cut-out as a part: two touching discs that fill their window
//! are then refused when `min_cut_area` is above what little background there is. `compatible` brings that back
//! (and cuts that leave one part, which it allowed). It went through all objects of the image for each cut in
//! Python; here each clump is cut on its own, which gives the same parts.
//!
//! ```
//! use tm_engine::analysis::{ClumpRules, Mask, separate_clumps};
//! use tm_engine::image::Size;
//! let disc = |row: usize, column: usize, x: usize| row.abs_diff(20).pow(2) + column.abs_diff(x).pow(2) <= 225;
//! let mask = Mask::from_fn(Size::new(40, 70), |row, column| disc(row, column, 20) || disc(row, column, 47));
//! let rules = ClumpRules { min_cut_area: 200.0, min_area: 500.0, ..ClumpRules::default() };
//! let labels = separate_clumps(&mask, &rules)?;
//! assert_eq!((labels.get(20, 10), labels.get(20, 60)), (1, 2));
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use rayon::prelude::*;

use super::borders::borders;
use super::components::label;
use super::distance::{Position, squared_distances};
use super::morphology::{CROSS, erode, open};
use super::regions::{Region, Regions, Run};
use super::shape::{Shape, shapes};
use super::threshold::{above, otsu};
use super::watershed::watershed_of_inverse;
use super::{Connectivity, Mask};
use crate::error::{EngineError, Result};
use crate::image::{GreyPlane, Plane, Size};

/// How often a clump and its parts are cut at most: a bound for the time, which real clumps are far from.
const MOST_PASSES: usize = 100;
/// Parts below this many pixels are trimmed.
const TRIMMED_AREA: usize = 10;

/// What a clump is and which cuts are made. Areas are in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClumpRules {
    /// Both sides of a cut have more pixels than this.
    pub min_cut_area: f64,
    /// Convexity of clumps at most.
    pub max_convexity: f64,
    /// Circularity of clumps at most.
    pub max_circularity: f64,
    /// Clumps have more pixels than this.
    pub min_area: f64,
    /// Clumps have this many pixels at most.
    pub max_area: f64,
    /// Whether small parts become part of the line.
    pub trimming: bool,
    /// Whether background counts as a part, as in the original.
    pub compatible: bool,
}

impl Default for ClumpRules {
    /// The defaults of the module `separate_clumps`.
    fn default() -> Self {
        Self {
            min_cut_area: 2000.0,
            max_convexity: 0.92,
            max_circularity: 0.70,
            min_area: 5000.0,
            max_area: 50_000.0,
            trimming: true,
            compatible: false,
        }
    }
}

impl ClumpRules {
    fn check(&self) -> Result<()> {
        let numbers = [
            ("min_cut_area", self.min_cut_area),
            ("max_convexity", self.max_convexity),
            ("max_circularity", self.max_circularity),
            ("min_area", self.min_area),
            ("max_area", self.max_area),
        ];
        match numbers.into_iter().find(|(_, number)| number.is_nan()) {
            Some((name, _)) => Err(EngineError::Parameter { name, problem: "must be a number".to_owned() }),
            None => Ok(()),
        }
    }

    fn has_area_of_clump(&self, area: usize) -> bool {
        let area = area as f64;
        self.min_area < area && area <= self.max_area
    }

    /// Whether an object is a clump; without a circularity it is none.
    pub fn is_clump(&self, shape: &Shape) -> bool {
        self.has_area_of_clump(shape.area)
            && shape.convexity() <= self.max_convexity
            && shape.circularity() <= self.max_circularity
    }
}

/// Cuts the clumps of a mask and labels the objects, 8-connected, in raster order.
///
/// # Errors
/// [`EngineError::Parameter`] for rules that are not numbers.
pub fn separate_clumps(mask: &Mask, rules: &ClumpRules) -> Result<Plane<i32>> {
    rules.check()?;
    let labels = label(mask, Connectivity::Eight);
    let clumps = clumps_of(&labels, rules, Origin::default())?;
    if clumps.is_empty() {
        return Ok(labels);
    }
    let lines: Vec<_> = clumps.into_par_iter().map(|clump| cut_up(clump, rules)).collect::<Result<_>>()?;
    let mut separated = mask.clone();
    for Position { row, column } in lines.into_iter().flatten() {
        separated.set(row, column, false);
    }
    Ok(label(&separated, Connectivity::Eight))
}

/// Row and column in the image of the first pixel of a window; may lie outside.
#[derive(Debug, Clone, Copy, Default)]
struct Origin {
    row: isize,
    column: isize,
}

impl Origin {
    /// The place in the image of a pixel of the window that lies in the image.
    fn position(self, row: usize, column: usize) -> Position {
        Position {
            row: row.saturating_add_signed(self.row),
            column: column.saturating_add_signed(self.column),
        }
    }
}

/// One object, cut out of an image with a pixel of background around it.
struct CutOut {
    mask: Mask,
    origin: Origin,
}

impl CutOut {
    /// Cuts an object out of a window that begins at `origin`.
    fn new(region: Region<'_>, origin: Origin) -> Self {
        let bounds = region.bounds;
        let mut mask = Mask::empty(Size::new(bounds.size.height + 2, bounds.size.width + 2));
        for Run { row, start, end } in region.runs {
            mask.fill(row + 1 - bounds.y, start + 1 - bounds.x..end + 1 - bounds.x);
        }
        let row = origin.row + bounds.y.cast_signed() - 1;
        let column = origin.column + bounds.x.cast_signed() - 1;
        Self { mask, origin: Origin { row, column } }
    }
}

/// The clumps among the objects of a window, cut out.
fn clumps_of(labels: &Plane<i32>, rules: &ClumpRules, origin: Origin) -> Result<Vec<CutOut>> {
    let regions = Regions::of(labels);
    if !regions.iter().any(|region| rules.has_area_of_clump(region.area)) {
        return Ok(Vec::new());
    }
    let shapes = shapes(labels, &regions)?;
    let clumps = regions.iter().zip(&shapes).filter(|(_, shape)| rules.is_clump(shape));
    Ok(clumps.map(|(region, _)| CutOut::new(region, origin)).collect())
}

/// Cuts a clump and its parts as long as they are clumps; the pixels of all lines.
fn cut_up(clump: CutOut, rules: &ClumpRules) -> Result<Vec<Position>> {
    let mut lines = Vec::new();
    let mut clumps = vec![clump];
    for _ in 0..MOST_PASSES {
        let mut parts = Vec::new();
        for CutOut { mask, origin } in clumps {
            let Some((line, labels)) = cut(&mask, rules)? else { continue };
            for row in 0..line.size().height {
                let of_line = line.row(row).iter().enumerate().filter(|(_, pixel)| **pixel != 0);
                lines.extend(of_line.map(|(column, _)| origin.position(row, column)));
            }
            parts.extend(clumps_of(&labels, rules, origin)?);
        }
        if parts.is_empty() {
            break;
        }
        clumps = parts;
    }
    Ok(lines)
}

/// Cuts an object in two or more parts: the line, and the labelled parts. `None` when no cut is to be made.
fn cut(object: &Mask, rules: &ClumpRules) -> Result<Option<(Mask, Plane<i32>)>> {
    let depth = GreyPlane::from(stretched_distances(object));
    let Some(markers) = two_peaks(above(&depth, f64::from(otsu(&depth)))) else { return Ok(None) };
    let regions = watershed_of_inverse(&depth, &markers, None)?;
    let between = borders(&regions, Connectivity::Eight);
    let size = object.size();
    let mut line = Mask::from_fn(size, |row, column| object.get(row, column) && between.get(row, column));
    let mut parts = label(&without(object, &line), Connectivity::Eight);
    let mut areas = areas_of(&parts);
    let is_trimmed = |area: &usize| *area < TRIMMED_AREA;
    if rules.trimming && areas.len() > 2 && areas.iter().any(is_trimmed) {
        for found in Regions::of(&parts).iter().filter(|region| is_trimmed(&region.area)) {
            for run in found.runs {
                line.fill(run.row, run.columns());
            }
        }
        parts = label(&without(object, &line), Connectivity::Eight);
        areas = areas_of(&parts);
    }
    let background = size.area() - areas.iter().sum::<usize>();
    let smallest = areas.iter().copied().chain(rules.compatible.then_some(background)).min().unwrap_or(0);
    let has_parts = areas.len() >= 2 || rules.compatible;
    let is_made = has_parts && smallest as f64 > rules.min_cut_area && line.count() > 0;
    Ok(is_made.then_some((line, parts)))
}

fn stretched_distances(object: &Mask) -> Plane<u8> {
    let squared = squared_distances(object);
    let largest = i64::from(squared.pixels().iter().copied().max().unwrap_or(0)).max(1);
    Plane::from_fn(object.size(), |row, column| {
        u8::try_from(i64::from(squared.get(row, column)) * 255 / largest).unwrap_or(u8::MAX)
    })
}

/// The two largest peaks as markers 1 and 2; a single peak is eroded until it falls apart. `None` when there is one.
fn two_peaks(mut peaks: Mask) -> Option<Plane<i32>> {
    let mut labels = label(&peaks, Connectivity::Four);
    let mut areas = areas_of(&labels);
    while areas.len() == 1 {
        peaks = open(&erode(&peaks, CROSS), CROSS);
        labels = label(&peaks, Connectivity::Four);
        areas = areas_of(&labels);
    }
    let mut by_area: Vec<_> = (1..).zip(&areas).collect();
    by_area.sort_by_key(|(_, area)| std::cmp::Reverse(**area));
    let [(first, _), (second, _), ..] = by_area.as_slice() else { return None };
    let (first, second) = (*first.min(second), *first.max(second));
    for marker in labels.pixels_mut() {
        *marker = i32::from(*marker == first) + 2 * i32::from(*marker == second);
    }
    Some(labels)
}

/// Areas of labels 1, 2, …
fn areas_of(labels: &Plane<i32>) -> Vec<usize> {
    Regions::of(labels).iter().map(|region| region.area).collect()
}

fn without(object: &Mask, line: &Mask) -> Mask {
    Mask::from_fn(object.size(), |row, column| object.get(row, column) && !line.get(row, column))
}
