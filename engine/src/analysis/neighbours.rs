//! Which objects lie near each other, and how much of their borders they share.
//!
//! With a neighbour distance r and a touching distance t, in pixels:
//!
//! ```text
//! Neighbours_Count     number of objects with a pixel less than r from one of the object's pixels
//! Fraction_Touching    share of the object's border pixels that are at most t from a neighbour that has grown by
//!                      one pixel up, down, left and right; 0 without neighbours
//! ```
//!
//! A border pixel has a side in common with something that is not the object. Neighbours are looked for in the
//! bounding box of the object and max(r, t) pixels around it.
//!
//! The original did not count border pixels that touch a neighbour, whose distance to the grown one is 0 (D22);
//! this is what `compatible` gives. It also had the labels of the neighbours as text among the features; here they
//! are a list beside the table.

use crate::error::{EngineError, Result};
use crate::image::{Plane, Rect, Size};

use super::{CROSS, Mask, Measurements, Region, Regions, check_size, dilate, perimeter, squared_distances};

/// The features, in the order of their columns.
pub const COLUMNS: [&str; 2] = ["Neighbours_Neighbours_Count", "Neighbours_Fraction_Touching"];

/// Distances above this are refused.
pub const MAX_DISTANCE_PX: u32 = 100;

/// How near is near.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Objects with pixels less than this apart are neighbours, in pixels.
    pub neighbour_distance: u32,
    /// Border pixels at most this far from a neighbour that has grown by one pixel touch it, in pixels.
    pub touching_distance: u32,
    /// Whether border pixels in contact with a neighbour do not count, as in the original.
    pub compatible: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { neighbour_distance: 3, touching_distance: 3, compatible: false }
    }
}

impl Options {
    fn check(self) -> Result<()> {
        for (name, value) in
            [("neighbour_distance", self.neighbour_distance), ("touching_distance", self.touching_distance)]
        {
            if value > MAX_DISTANCE_PX {
                let problem = format!("is at most {MAX_DISTANCE_PX} pixels, not {value}");
                return Err(EngineError::Parameter { name, problem });
            }
        }
        Ok(())
    }
}

/// The objects near one, and what share of its border touches them.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    /// Labels of the neighbours, ascending.
    pub labels: Vec<i32>,
    /// Share of the border pixels that touch one of them.
    pub fraction_touching: f64,
}

/// The neighbours of every object, by ascending label.
///
/// ```
/// use tm_engine::analysis::{Regions, neighbours};
/// use tm_engine::image::{Plane, Size};
/// let labels = Plane::new(Size::new(1, 12), vec![2, 2, 7, 7, 0, 0, 0, 0, 0, 0, 0, 9])?;
/// let found = neighbours::neighbours(&labels, &Regions::of(&labels), neighbours::Options::default())?;
/// assert_eq!((&found[0].labels[..], found[0].fraction_touching), (&[7][..], 1.0));
/// assert_eq!((&found[2].labels[..], found[2].fraction_touching), (&[][..], 0.0));
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
///
/// # Errors
/// [`EngineError::Shape`] when the regions are those of an image of another size, [`EngineError::Parameter`] when a
/// distance is out of range or the boxes of the objects cover the image too often.
pub fn neighbours(labels: &Plane<i32>, regions: &Regions, options: Options) -> Result<Vec<Neighbours>> {
    check_size("label image of the objects to measure", regions.size(), labels.size())?;
    options.check()?;
    regions.check_coverage()?;
    let borders = perimeter::border_pixels(labels);
    Ok(regions.map(|region| of_object(labels, &borders, region, options)))
}

/// Measures the neighbourhood of every object: the columns are [`COLUMNS`].
///
/// # Errors
/// As [`neighbours`].
pub fn measure(labels: &Plane<i32>, regions: &Regions, options: Options) -> Result<Measurements> {
    let found = neighbours(labels, regions, options)?;
    let mut table = Measurements::of(regions.labels().to_vec());
    table.push_count(COLUMNS[0], found.iter().map(|neighbours| neighbours.labels.len() as f64).collect());
    table.push(COLUMNS[1], found.iter().map(|neighbours| neighbours.fraction_touching).collect());
    Ok(table)
}

fn of_object(labels: &Plane<i32>, borders: &Plane<u8>, region: Region<'_>, options: Options) -> Neighbours {
    let Options { neighbour_distance, touching_distance, compatible } = options;
    let window = window(region, labels.size(), neighbour_distance.max(touching_distance));
    let label_at = |row: usize, column: usize| labels.get(window.y + row, window.x + column);
    let elsewhere = Mask::from_fn(window.size, |row, column| label_at(row, column) != region.label);
    let squared = |distance: u32| i64::from(distance) * i64::from(distance);
    let is_near = |from_object: i32| i64::from(from_object) < squared(neighbour_distance);
    let from_object = squared_distances(&elsewhere);
    let mut near: Vec<i32> = Vec::new();
    for row in 0..window.size.height {
        let others = labels.row(window.y + row)[window.x..].iter().zip(from_object.row(row));
        near.extend(
            others.filter(|(label, squared)| **label > 0 && is_near(**squared)).map(|(label, _)| label),
        );
        near.dedup();
    }
    near.sort_unstable();
    near.dedup();
    near.retain(|label| *label != region.label);
    if near.is_empty() {
        return Neighbours { labels: near, fraction_touching: 0.0 };
    }
    let others = Mask::from_fn(window.size, |row, column| near.binary_search(&label_at(row, column)).is_ok());
    let from_others = squared_distances(&dilate(&others, CROSS).inverted());
    let touches = |from_others: i32| {
        i64::from(from_others) <= squared(touching_distance) && !(compatible && from_others == 0)
    };
    let (mut border, mut touching) = (0usize, 0usize);
    for run in region.runs {
        for column in run.columns().filter(|column| borders.get(run.row, *column) != 0) {
            border += 1;
            touching += usize::from(touches(from_others.get(run.row - window.y, column - window.x)));
        }
    }
    Neighbours { labels: near, fraction_touching: touching as f64 / border as f64 }
}

/// The bounding box of an object and some pixels around it, as far as there are any.
fn window(region: Region<'_>, image: Size, around: u32) -> Rect {
    let around = around as usize;
    let Rect { y, x, size } = region.bounds;
    let (top, left) = (y.saturating_sub(around), x.saturating_sub(around));
    let bottom = (y + size.height + around).min(image.height);
    let right = (x + size.width + around).min(image.width);
    Rect::new(top, left, Size::new(bottom - top, right - left))
}
