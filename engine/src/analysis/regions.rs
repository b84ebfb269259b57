//! The objects of a label image: where each is and which pixels it has.
//!
//! One sweep over the image cuts its rows into *runs*, stretches of pixels of one label. Sorted by object they are
//! what all measurements go through, so none looks at the image as a whole once per object.

use rayon::prelude::*;

use crate::error::{EngineError, Result};
use crate::image::{Plane, Rect, Size};

/// The boxes of all objects may cover the image this many times where each box is looked at.
const MAX_COVERAGE: usize = 64;

/// Pixels of one object side by side in a row, as long as can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Row.
    pub row: usize,
    /// First column.
    pub start: usize,
    /// The column after the last.
    pub end: usize,
}

impl Run {
    /// Its columns.
    pub fn columns(self) -> std::ops::Range<usize> {
        self.start..self.end
    }
}

/// One object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region<'a> {
    /// Its label, above 0.
    pub label: i32,
    /// The smallest window that holds all of its pixels.
    pub bounds: Rect,
    /// Number of its pixels, at least 1.
    pub area: usize,
    /// Its pixels, row by row and from left to right.
    pub runs: &'a [Run],
}

/// All objects of a label image, by ascending label. Labels need not be consecutive; 0 and less is background.
///
/// ```
/// use tm_engine::analysis::{Regions, Run};
/// use tm_engine::image::{Plane, Rect, Size};
/// let regions = Regions::of(&Plane::new(Size::new(2, 4), vec![
///     9, 0, 2, 2, //
///     0, 0, 2, 9,
/// ])?);
/// assert_eq!(regions.labels(), [2, 9]);
/// let nine = regions.get(1);
/// assert_eq!((nine.area, nine.bounds), (2, Rect::new(0, 0, Size::new(2, 4))));
/// assert_eq!(nine.runs[1], Run { row: 1, start: 3, end: 4 });
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    size: Size,
    labels: Vec<i32>,
    extents: Vec<Extent>,
    runs: Vec<Run>,
}

/// Which runs are an object's, and what they cover.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Extent {
    runs: std::ops::Range<usize>,
    bounds: Rect,
    area: usize,
}

impl Regions {
    /// Finds the objects of a label image.
    pub fn of(labels: &Plane<i32>) -> Self {
        let mut found = runs_of(labels);
        // Stable: the runs of an object stay in their order.
        found.sort_by_key(|(label, _)| *label);
        let mut regions =
            Self { size: labels.size(), labels: Vec::new(), extents: Vec::new(), runs: Vec::new() };
        regions.runs.reserve_exact(found.len());
        for of_object in found.chunk_by(|left, right| left.0 == right.0) {
            let first = regions.runs.len();
            regions.runs.extend(of_object.iter().map(|(_, run)| *run));
            regions.labels.push(of_object[0].0);
            regions.extents.push(Extent::of(&regions.runs, first));
        }
        regions
    }

    /// Size of the label image.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The labels, ascending.
    pub fn labels(&self) -> &[i32] {
        &self.labels
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The object at an index into [`labels`](Self::labels); panics beyond the last, as slices do.
    pub fn get(&self, index: usize) -> Region<'_> {
        let Extent { runs, bounds, area } = &self.extents[index];
        Region { label: self.labels[index], bounds: *bounds, area: *area, runs: &self.runs[runs.clone()] }
    }

    /// All objects, by ascending label.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Region<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The index of a label, if there is an object of this label.
    pub fn index_of(&self, label: i32) -> Option<usize> {
        self.labels.binary_search(&label).ok()
    }

    /// Whether the object has pixels in the first or last row or column of the image.
    pub fn touches_border(&self, region: Region<'_>) -> bool {
        let Rect { y, x, size } = region.bounds;
        y == 0 || x == 0 || y + size.height == self.size.height || x + size.width == self.size.width
    }

    /// Refuses objects so scattered that looking at the bounding box of each would take too long.
    pub(super) fn check_coverage(&self) -> Result<()> {
        let boxes: usize = self.extents.iter().map(|extent| extent.bounds.size.area()).sum();
        let image = self.size.area();
        if boxes > MAX_COVERAGE * image {
            let problem = format!(
                "have bounding boxes that cover the image {} times, more than {MAX_COVERAGE}: are they scattered?",
                boxes / image
            );
            return Err(EngineError::Parameter { name: "objects", problem });
        }
        Ok(())
    }

    /// What `value` says of each object, by ascending label, computed in parallel.
    pub(super) fn map<T: Send>(&self, value: impl Fn(Region<'_>) -> T + Send + Sync) -> Vec<T> {
        self.map_with(|| (), |(), region| value(region))
    }

    /// The same with something made once per thread to work with.
    pub(super) fn map_with<T: Send, S>(
        &self,
        with: impl Fn() -> S + Send + Sync,
        value: impl Fn(&mut S, Region<'_>) -> T + Send + Sync,
    ) -> Vec<T> {
        (0..self.len()).into_par_iter().map_init(with, |with, index| value(with, self.get(index))).collect()
    }
}

impl Extent {
    /// What the runs from `first` on cover; there is at least one.
    fn of(all: &[Run], first: usize) -> Self {
        let runs = &all[first..];
        let start = runs.iter().map(|run| run.start).min().unwrap_or(0);
        let end = runs.iter().map(|run| run.end).max().unwrap_or(0);
        let (top, bottom) = (runs[0].row, runs[runs.len() - 1].row);
        Self {
            runs: first..all.len(),
            bounds: Rect::new(top, start, Size::new(bottom + 1 - top, end - start)),
            area: runs.iter().map(|run| run.end - run.start).sum(),
        }
    }
}

/// The runs of all objects with their labels, row by row.
fn runs_of(labels: &Plane<i32>) -> Vec<(i32, Run)> {
    let mut found = Vec::new();
    for row in 0..labels.size().height {
        let pixels = labels.row(row);
        let mut start = 0;
        while let Some(label) = pixels.get(start) {
            let end = end_of_run(pixels, start, *label);
            if *label > 0 {
                found.push((*label, Run { row, start, end }));
            }
            start = end;
        }
    }
    found
}

/// The first column from `start` on that has another label, or the width.
fn end_of_run(pixels: &[i32], start: usize, label: i32) -> usize {
    let mut at = start;
    // Several at once: most pixels are in long runs.
    while let Some(block) = pixels[at..].first_chunk::<16>() {
        if block.iter().fold(0, |differing, pixel| differing | (pixel ^ label)) != 0 {
            break;
        }
        at += block.len();
    }
    pixels[at..].iter().position(|pixel| *pixel != label).map_or(pixels.len(), |further| at + further)
}
