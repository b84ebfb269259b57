//! One object cut out of an image.

use crate::image::{Pixel, Plane, Size};

use super::super::Region;

/// The bounding box of the object and `padding` pixels around it, with `value(row, column)` of the image at the
/// object's pixels and 0 elsewhere.
pub(super) fn crop<T: Pixel>(
    region: Region<'_>,
    padding: usize,
    value: impl Fn(usize, usize) -> T,
) -> Plane<T> {
    let Size { height, width } = region.bounds.size;
    let mut plane = Plane::zeros(Size::new(height + 2 * padding, width + 2 * padding));
    for run in region.runs {
        let start = run.start - region.bounds.x + padding;
        let pixels = &mut plane.row_mut(run.row - region.bounds.y + padding)[start..];
        for (pixel, column) in pixels.iter_mut().zip(run.columns()) {
            *pixel = value(run.row, column);
        }
    }
    plane
}
