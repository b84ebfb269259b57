//! Bright spots, such as single molecules: where they are, and their pixels.
//!
//! 1. The image is clipped at a percentile, and how much each pixel looks like the middle of a spot is computed: the
//!    [Laplacian of Gaussian](super::spot_response) of `mean_area × mean_area` pixels.
//! 2. 4-connected sets above the threshold of `max_area` pixels and more are no spots: they are set to 0 and
//!    excluded, as is what lies outside the mask.
//! 3. With 49 mirrored pixels around it, the response is searched for spots of `min_area` pixels and more, which
//!    are taken apart where they touch (`deblend`).
//! 4. Excluded pixels and those on the rim of the mask (its foreground with a background pixel among the 4
//!    neighbours) are cleared. Blobs are numbered in raster order.
//! 5. The centroid of a blob is the mean position of its pixels weighted by the response, cut off to whole pixels;
//!    when that is no pixel of the blob, its nearest one. Every blob has exactly one.
//!
//! The threshold is in units of the response, not of the image (D19): a spot of Gaussian form, height h above its
//! surroundings and standard deviation s in pixels, seen through a kernel with σ = (mean_area − 1)/3, has a
//! response of about `2h·s²/(s² + σ²)²` in its middle.
//!
//! The original's result depended on chance where blobs touch (D19), and a blob had no centroid when that pixel
//! was cleared.
//!
//! ```
//! use tm_engine::analysis::{BlobRules, Mask, detect_blobs};
//! use tm_engine::image::{Plane, Size};
//! let size = Size::new(20, 30);
//! let spot = |row: usize, column: usize, x: usize| row.abs_diff(10) < 2 && column.abs_diff(x) < 2;
//! let is_bright = |row, column| spot(row, column, 8) || spot(row, column, 20);
//! let image = Plane::from_fn(size, |row, column| if is_bright(row, column) { 900u16 } else { 100 });
//! let found = detect_blobs(&image.into(), &Mask::new(size, vec![1; 600])?, &BlobRules::default())?;
//! assert_eq!((found.centroids.get(10, 8), found.centroids.get(10, 20)), (1, 2));
//! assert_eq!(found.blobs.get(10, 9), 1);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::borders::perimeter_pixels;
use super::components::{label, relabel};
use super::deblend::deblend;
use super::laplacian::{LARGEST_KERNEL, spot_response};
use super::regions::{Region, Regions};
use super::separable::Edge;
use super::threshold::percentile;
use super::{Connectivity, Mask, check_size};
use crate::error::{EngineError, Result};
use crate::image::{GreyPlane, Plane, Size};

/// Mirrored pixels around the response.
const MARGIN: usize = 49;

/// What a blob is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlobRules {
    /// The least response, above 0.
    pub threshold: f64,
    /// Pixels of a blob at least.
    pub min_area: usize,
    /// Side of the kernel in pixels.
    pub mean_area: usize,
    /// Sets of this many pixels are no blobs.
    pub max_area: usize,
    /// The percentile, 0 to 100, at which the image is clipped.
    pub clip_percentile: f64,
}

impl Default for BlobRules {
    /// The defaults of the module `detect_blobs`.
    fn default() -> Self {
        Self { threshold: 1.0, min_area: 5, mean_area: 5, max_area: 100, clip_percentile: 99.999 }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blobs {
    /// One pixel per blob, with its label.
    pub centroids: Plane<i32>,
    /// The blobs, numbered in raster order.
    pub blobs: Plane<i32>,
}

/// Finds bright spots inside a mask.
///
/// # Errors
/// [`EngineError::Shape`] when the sizes differ; [`EngineError::Parameter`] for a threshold that is not above 0,
/// a kernel that is not of 2 to 999 pixels, and a percentile out of range.
pub fn detect_blobs(image: &GreyPlane, mask: &Mask, rules: &BlobRules) -> Result<Blobs> {
    check_size("mask of blobs", image.size(), mask.size())?;
    if !(rules.threshold > 0.0 && rules.threshold <= f64::from(f32::MAX)) {
        let problem = format!("must be a number above 0, got {}", rules.threshold);
        return Err(EngineError::Parameter { name: "threshold", problem });
    }
    if !(2..=LARGEST_KERNEL).contains(&rules.mean_area) {
        let problem = format!("must be from 2 to {LARGEST_KERNEL}, got {}", rules.mean_area);
        return Err(EngineError::Parameter { name: "mean_area", problem });
    }
    if image.size().area() == 0 {
        return Ok(Blobs { centroids: Plane::zeros(image.size()), blobs: Plane::zeros(image.size()) });
    }
    let clip = percentile(image, rules.clip_percentile)?;
    let mut response = spot_response(image, rules.mean_area, Some(clip))?;
    let threshold = rules.threshold as f32;
    let mut excluded = perimeter_pixels(mask);
    let bright = Mask::of(&response, |value| value > threshold);
    let sets = Regions::of(&label(&bright, Connectivity::Four));
    for run in sets.iter().filter(|set| set.area >= rules.max_area).flat_map(|set| set.runs) {
        response.row_mut(run.row)[run.columns()].fill(0.0);
        excluded.fill(run.row, run.columns());
    }
    let mut blobs = inner(&deblend(&mirrored(&response), threshold, rules.min_area), image.size());
    let places = excluded.pixels().iter().zip(mask.pixels());
    for (blob, (excluded, inside)) in blobs.pixels_mut().iter_mut().zip(places) {
        if *excluded != 0 || *inside == 0 {
            *blob = 0;
        }
    }
    let blobs = relabel(&blobs);
    let mut centroids = Plane::zeros(image.size());
    for blob in Regions::of(&blobs).iter() {
        let (row, column) = centroid(blob, &response);
        centroids.row_mut(row)[column] = blob.label;
    }
    Ok(Blobs { centroids, blobs })
}

/// The plane with mirrored pixels around it.
fn mirrored(plane: &Plane<f32>) -> Plane<f32> {
    let size = plane.size();
    let place = |at: usize, length| Edge::Reflect.index(at.cast_signed() - MARGIN.cast_signed(), length);
    let columns: Vec<_> = (0..size.width + 2 * MARGIN).map(|column| place(column, size.width)).collect();
    let mut mirrored = Plane::zeros(Size::new(size.height + 2 * MARGIN, columns.len()));
    for row in 0..mirrored.size().height {
        let source = plane.row(place(row, size.height));
        for (pixel, column) in mirrored.row_mut(row).iter_mut().zip(&columns) {
            *pixel = source[*column];
        }
    }
    mirrored
}

/// The plane of this size inside the mirrored pixels.
fn inner(mirrored: &Plane<i32>, size: Size) -> Plane<i32> {
    let mut inner = Plane::zeros(size);
    for row in 0..size.height {
        inner.row_mut(row).copy_from_slice(&mirrored.row(row + MARGIN)[MARGIN..MARGIN + size.width]);
    }
    inner
}

/// Row and column of the pixel of a blob that is nearest to its centre of response.
fn centroid(blob: Region<'_>, response: &Plane<f32>) -> (usize, usize) {
    let (mut weight, mut down, mut right) = (0.0, 0.0, 0.0);
    for run in blob.runs {
        for (column, value) in run.columns().zip(&response.row(run.row)[run.columns()]) {
            let value = f64::from(*value);
            weight += value;
            down += value * run.row as f64;
            right += value * column as f64;
        }
    }
    // A mean of positions is a position in the image.
    let (row, column) = ((down / weight) as usize, (right / weight) as usize);
    let nearest = blob.runs.iter().map(|run| {
        let near = column.clamp(run.start, run.end - 1);
        (run.row.abs_diff(row).pow(2) + near.abs_diff(column).pow(2), (run.row, near))
    });
    nearest.min().map_or((row, column), |(_, place)| place)
}
