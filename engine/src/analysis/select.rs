//! Keeping objects by their size or form.
//!
//! Objects with `lower ≤ feature ≤ upper` are kept, and those whose feature is not a number; a bound that is not
//! given is no bound. Kept objects are renumbered in raster order.
//!
//! The original (D15) labelled the foreground anew, 4-connected, so that objects that touch became one and
//! others fell apart. `compatible` brings that back.
//!
//! ```
//! use tm_engine::analysis::{ObjectFeature, select};
//! use tm_engine::image::{Plane, Size};
//! let labels = Plane::new(Size::new(1, 6), vec![5, 5, 3, 0, 8, 8])?;
//! let kept = select(&labels, ObjectFeature::Area, Some(2.0), None, false)?;
//! assert_eq!(kept.pixels(), [1, 1, 0, 0, 2, 2]);
//! let kept = select(&labels, ObjectFeature::Area, Some(3.0), None, true)?;
//! assert_eq!(kept.pixels(), [1, 1, 1, 0, 0, 0]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::components::{label, relabel};
use super::regions::Regions;
use super::shape::{Shape, shapes};
use super::{Connectivity, Mask};
use crate::error::{EngineError, Result};
use crate::image::Plane;

/// What objects are selected by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectFeature {
    /// Number of pixels.
    Area,
    /// How long the object is for its width, 0 to 1.
    Eccentricity,
    /// How round the object is.
    Circularity,
    /// Which share of its convex hull the object fills.
    Convexity,
}

impl ObjectFeature {
    /// The value for an object; may be no number for few pixels.
    pub fn of(self, shape: &Shape) -> f64 {
        match self {
            Self::Area => shape.area as f64,
            Self::Eccentricity => shape.eccentricity,
            Self::Circularity => shape.circularity(),
            Self::Convexity => shape.convexity(),
        }
    }
}

/// Keeps objects whose feature lies between bounds.
///
/// # Errors
/// [`EngineError::Parameter`] when there is no bound, or one that is not a number.
pub fn select(
    labels: &Plane<i32>,
    feature: ObjectFeature,
    lower: Option<f64>,
    upper: Option<f64>,
    compatible: bool,
) -> Result<Plane<i32>> {
    let refuse = |name, problem: &str| Err(EngineError::Parameter { name, problem: problem.to_owned() });
    if lower.is_none() && upper.is_none() {
        return refuse("lower_threshold", "or upper_threshold must be given");
    }
    if lower.is_some_and(f64::is_nan) {
        return refuse("lower_threshold", "must be a number");
    }
    if upper.is_some_and(f64::is_nan) {
        return refuse("upper_threshold", "must be a number");
    }
    let mut kept =
        if compatible { label(&Mask::of_labels(labels), Connectivity::Four) } else { labels.clone() };
    let regions = Regions::of(&kept);
    let values: Vec<f64> = if feature == ObjectFeature::Area {
        regions.iter().map(|region| region.area as f64).collect()
    } else {
        shapes(&kept, &regions)?.iter().map(|shape| feature.of(shape)).collect()
    };
    for (region, value) in regions.iter().zip(values) {
        if lower.is_some_and(|lower| value < lower) || upper.is_some_and(|upper| value > upper) {
            for run in region.runs {
                kept.row_mut(run.row)[run.columns()].fill(0);
            }
        }
    }
    Ok(relabel(&kept))
}
