//! Image analysis: from pixels to objects, from objects to numbers.
//!
//! Algorithms that run on the CPU, one plane at a time, each in one file that defines it: filters, thresholds,
//! labelling, morphology, watershed, what is built of these, and measurements. Three kinds of planes go in and out:
//! *grey* planes of 8 or 16 bits, [`Mask`]s, and *label images* (`Plane<i32>`): 0 is background, a positive number
//! the label of an object. Labels need not be consecutive.
//!
//! Measurements go through the [`Regions`] of a label image and come as a table, [`Measurements`].

mod adaptive;
pub mod aggregate;
mod bilateral;
mod blobs;
mod borders;
mod box_mean;
mod clumps;
mod components;
mod deblend;
mod distance;
mod expand;
mod extrema;
mod fill;
mod hull;
pub mod intensity;
mod laplacian;
mod mask;
mod median;
mod moments;
mod morphology;
pub mod neighbours;
mod object_distances;
mod perimeter;
mod pixelwise;
pub mod point_pattern;
mod regions;
mod runs;
mod secondary;
mod select;
mod separable;
pub mod shape;
mod smooth;
mod table;
pub mod texture;
mod threshold;
mod watershed;
pub mod zernike;

pub use adaptive::{AdaptiveMethod, AdaptiveThreshold};
pub use blobs::{BlobRules, Blobs, detect_blobs};
pub use borders::{borders, perimeter_pixels};
pub use clumps::{ClumpRules, separate_clumps};
pub use components::{label, relabel};
pub use distance::{
    FAR, NearestForeground, Position, distances, squared_distances, squared_object_distances,
};
pub use expand::expand_or_shrink;
pub use extrema::{Disc, Extremum, extremum};
pub use fill::fill_holes;
pub use laplacian::spot_response;
pub use mask::Mask;
pub use morphology::{CROSS, SQUARE, dilate, erode, open};
pub use pixelwise::{
    LogicalOperation, Projection, apply_mask, clip, combine_channels, combine_masks, invert, project,
    rescale_intensity,
};
pub use regions::{Region, Regions, Run};
pub use secondary::{SecondaryRules, segment_secondary};
pub use select::{ObjectFeature, select};
pub use shape::{Shape, shapes};
pub use smooth::{Smoothing, SmoothingMethod, gaussian};
pub use table::{Column, Measurements};
pub use threshold::{ThresholdBounds, above, above_otsu, grey_values, otsu, otsu_of, percentile};
pub use watershed::watershed;

use crate::error::{EngineError, Result};
use crate::image::Size;

/// Which pixels are neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connectivity {
    /// Pixels that share an edge.
    Four,
    /// Pixels that share an edge or a corner.
    Eight,
}

/// The same for a plane of either depth.
macro_rules! for_depth {
    ($image:expr, $plane:ident => $result:expr) => {
        match $image {
            $crate::image::GreyPlane::U8($plane) => $result,
            $crate::image::GreyPlane::U16($plane) => $result,
        }
    };
}
use for_depth;

/// Refuses an input of another size than wanted.
fn check_size(what: &'static str, wanted: Size, given: Size) -> Result<()> {
    if wanted == given {
        return Ok(());
    }
    Err(EngineError::Shape { what, expected: wanted.to_string(), actual: given.to_string() })
}
