//! How far the pixels of objects are from what is not the object: object by object, or in the image as a whole.
//!
//! Within its bounding box an object has all it needs, and the box fits a processor's cache. Where the boxes of
//! scattered objects cover the image again and again, the image as a whole is less work; the numbers are the same.

use std::borrow::Cow;

use super::distance::{Outside, squared};
use super::{Mask, Region, Regions, Run, squared_object_distances};
use crate::image::Plane;

/// Boxes that cover the image more often than this are more work than the image.
const MOST_COVERAGE: usize = 2;

/// Squared distances in pixels of the pixels of objects to the nearest pixel that is not of the same object.
pub(super) struct ObjectDistances {
    /// Those of the image, unless they are found object by object.
    whole: Option<Plane<i32>>,
}

impl ObjectDistances {
    /// The distances in a label image with these objects.
    pub(super) fn of(labels: &Plane<i32>, regions: &Regions) -> Self {
        let boxes: usize = regions.iter().map(|region| region.bounds.size.area()).sum();
        let is_scattered = boxes > MOST_COVERAGE * regions.size().area();
        Self { whole: is_scattered.then(|| squared_object_distances(labels)) }
    }

    /// Those of one object.
    pub(super) fn within(&self, region: Region<'_>) -> DistancesWithin<'_> {
        let Some(whole) = &self.whole else {
            let (top, left) = (region.bounds.y, region.bounds.x);
            let mut mask = Mask::empty(region.bounds.size);
            for Run { row, start, end } in region.runs {
                mask.fill(row - top, start - left..end - left);
            }
            return DistancesWithin {
                plane: Cow::Owned(squared(mask.plane(), Outside::Background)),
                top,
                left,
            };
        };
        DistancesWithin { plane: Cow::Borrowed(whole), top: 0, left: 0 }
    }
}

/// Squared distances of the pixels of one object.
pub(super) struct DistancesWithin<'a> {
    plane: Cow<'a, Plane<i32>>,
    /// Place in the image of the first pixel of the plane.
    top: usize,
    left: usize,
}

impl DistancesWithin<'_> {
    /// Of a run of the object.
    pub(super) fn of_run(&self, run: &Run) -> &[i32] {
        &self.plane.row(run.row - self.top)[run.start - self.left..run.end - self.left]
    }

    /// Of a pixel of the object.
    pub(super) fn of_pixel(&self, row: usize, column: usize) -> i32 {
        self.plane.get(row - self.top, column - self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Size;

    #[test]
    fn distances_are_the_same_object_by_object_and_in_the_whole_image() {
        let size = Size::new(23, 31);
        // Blocks that touch, the edge too; each of them has a hole, and a few pixels are of an object elsewhere.
        let block = |row: usize, column: usize| i32::try_from(1 + row / 8 * 4 + column / 8).unwrap_or(0);
        let labels = Plane::from_fn(size, |row, column| match (row * 7 + column * 3) % 29 {
            0 => 0,
            1 => block(22 - row, 30 - column),
            _ => block(row, column),
        });
        let regions = Regions::of(&labels);
        let whole = ObjectDistances { whole: Some(squared_object_distances(&labels)) };
        let single = ObjectDistances { whole: None };
        for region in regions.iter() {
            let (of_image, of_object) = (whole.within(region), single.within(region));
            for run in region.runs {
                assert_eq!(of_image.of_run(run), of_object.of_run(run), "object {}", region.label);
                assert_eq!(of_object.of_pixel(run.row, run.start), of_object.of_run(run)[0]);
            }
        }
    }

    #[test]
    fn scattered_objects_are_looked_at_in_the_whole_image() {
        let size = Size::new(9, 9);
        let scattered = Plane::from_fn(size, |row, column| {
            i32::from((row * 5 + column * 7) % 4 == 0) + i32::from(row % 2 == 0) + 1
        });
        let compact = Plane::from_fn(size, |row, _| i32::from(row > 4) + 1);
        let is_whole =
            |labels: &Plane<i32>| ObjectDistances::of(labels, &Regions::of(labels)).whole.is_some();
        assert!(is_whole(&scattered) && !is_whole(&compact));
    }
}
