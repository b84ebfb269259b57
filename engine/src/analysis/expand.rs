//! Objects that grow or shrink by a distance.
//!
//! ```text
//! n > 0   background at most n pixels from an object takes the label of the nearest object pixel
//! n < 0   pixels of an object at most |n| pixels from the nearest pixel that is not of this object are cleared
//! ```
//!
//! Distances are Euclidean, between pixel centres. Of equally near objects the one whose nearest pixel is leftmost
//! wins, then the upper one. What lies outside the image is no pixel: objects do not shrink from there.
//!
//! In the original (D16) background had to be *nearer* than n, so that 1 changed nothing, and objects shrank from
//! background only, not from objects they touch. `compatible` brings both back.
//!
//! ```
//! use tm_engine::analysis::expand_or_shrink;
//! use tm_engine::image::{Plane, Size};
//! let labels = Plane::new(Size::new(1, 7), vec![0, 0, 4, 4, 4, 9, 9])?;
//! assert_eq!(expand_or_shrink(&labels, 1, false).pixels(), [0, 4, 4, 4, 4, 9, 9]);
//! assert_eq!(expand_or_shrink(&labels, -1, false).pixels(), [0, 0, 0, 4, 0, 0, 9]);
//! assert_eq!(expand_or_shrink(&labels, -1, true).pixels(), [0, 0, 0, 4, 4, 9, 9]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::Mask;
use super::distance::{FAR, NearestForeground, Outside, squared, squared_distances};
use crate::image::Plane;

/// Grows the objects by `distance` pixels, or shrinks them when it is negative.
pub fn expand_or_shrink(labels: &Plane<i32>, distance: i32, compatible: bool) -> Plane<i32> {
    let limit = i64::from(distance) * i64::from(distance);
    let is_near = |squared: i32| squared != FAR && i64::from(squared) <= limit;
    let size = labels.size();
    if distance > 0 {
        let limit = if compatible { limit - 1 } else { limit };
        let nearest = NearestForeground::of(&Mask::of_labels(labels));
        let far = nearest.squared_distances();
        return Plane::from_fn(size, |row, column| {
            let squared = far.get(row, column);
            if squared == FAR || i64::from(squared) > limit {
                return labels.get(row, column);
            }
            nearest.position(row, column).map_or(0, |nearest| labels.get(nearest.row, nearest.column))
        });
    }
    if distance == 0 {
        return labels.clone();
    }
    let far = if compatible {
        squared_distances(&Mask::of_labels(labels))
    } else {
        squared(labels, Outside::Nothing)
    };
    Plane::from_fn(
        size,
        |row, column| if is_near(far.get(row, column)) { 0 } else { labels.get(row, column) },
    )
}
