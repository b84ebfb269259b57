//! Size and form of each object.
//!
//! With A pixels, a border of length P and Q border pixels ([`Shape`] says what these are):
//!
//! ```text
//! Local_Centroid_x, _y    mean column and row of its pixels in the image
//! Area                    A
//! Perimeter               P, by the codes of the border pixels
//! Eccentricity            √(1 − l₋ / l₊), 0 for a single pixel
//! Extent                  A / area of the bounding box
//! Convexity               A / number of pixels in the convex hull
//! Circularity             4πA / P², NaN without a perimeter
//! Roundness               Q² / (4πA)
//! Elongation              (major − minor) / major axis, NaN for a single pixel
//! Equivalent_Diameter     √(4A / π)
//! Major_, Minor_Axis_Length   4√l₊, 4√l₋: the axes of the ellipse with the same second moments
//! Maximum_, Mean_Radius   largest and mean distance of its pixels to the nearest pixel that is not its own
//!
//! a, c, b = μ₂₀/A, μ₀₂/A, μ₁₁/A        l± = (a + c)/2 ± ½√(4b² + (a − c)²)
//! ```
//!
//! Sums are whole numbers, so a feature is as exact as its formula in `f64`. Lengths are in pixels.
//!
//! The original (D22) measured radii to the nearest pixel of background in the image, so that objects which touch
//! grew together, and objects at the image border grew beyond it. Here all but the object's own pixels end it, the
//! outside of the image too. The old rule is `compatible`; where the image has no background it gives NaN. The
//! original also failed when labels were not consecutive (D21).

use std::f64::consts::PI;

use crate::error::Result;
use crate::image::{Plane, Rect};

use super::distance::{FAR, distance};
use super::hull::convex_area;
use super::moments::Moments;
use super::object_distances::ObjectDistances;
use super::perimeter::borders;
use super::{Mask, Measurements, Region, Regions, Run, check_size, squared_distances};

/// The features, in the order of their columns.
pub const COLUMNS: [&str; 15] = [
    "Morphology_Local_Centroid_x",
    "Morphology_Local_Centroid_y",
    AREA,
    "Morphology_Perimeter",
    "Morphology_Eccentricity",
    "Morphology_Extent",
    "Morphology_Convexity",
    "Morphology_Circularity",
    "Morphology_Roundness",
    "Morphology_Elongation",
    "Morphology_Equivalent_Diameter",
    "Morphology_Major_Axis_Length",
    "Morphology_Minor_Axis_Length",
    "Morphology_Maximum_Radius",
    "Morphology_Mean_Radius",
];

const AREA: &str = "Morphology_Area";

/// Size and form of one object. Lengths are in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Its label.
    pub label: i32,
    /// The smallest window that holds all of its pixels.
    pub bounds: Rect,
    /// Whether it has pixels in the first or last row or column of the image.
    pub touches_border: bool,
    /// Number of its pixels.
    pub area: usize,
    /// Mean column of its pixels.
    pub centroid_x: f64,
    /// Mean row of its pixels.
    pub centroid_y: f64,
    /// Number of pixels whose centre is in the convex hull of the middles of its pixels' sides.
    pub convex_area: usize,
    /// Length of its border, by the codes of the border pixels.
    pub perimeter: f64,
    /// Number of pixels that have a side in common with something else.
    pub border_pixels: usize,
    /// Longer axis of the ellipse with the same second moments.
    pub major_axis: f64,
    /// Shorter axis of this ellipse.
    pub minor_axis: f64,
    /// Eccentricity of this ellipse: 0 for a circle, 1 for a line.
    pub eccentricity: f64,
}

impl Shape {
    /// Share of the bounding box that it fills.
    pub fn extent(&self) -> f64 {
        self.area as f64 / self.bounds.size.area() as f64
    }

    /// Share of its convex hull that it fills.
    pub fn convexity(&self) -> f64 {
        self.area as f64 / self.convex_area as f64
    }

    /// 1 for a disc, less the longer the border is for the area; NaN when the border has no length.
    pub fn circularity(&self) -> f64 {
        if self.perimeter == 0.0 {
            return f64::NAN;
        }
        4.0 * PI * self.area as f64 / (self.perimeter * self.perimeter)
    }

    /// Square of the number of border pixels for the area: the rounder the smaller.
    pub fn roundness(&self) -> f64 {
        let border = self.border_pixels as f64;
        border * border / (4.0 * PI * self.area as f64)
    }

    /// By how much the longer axis exceeds the shorter, for its length; NaN for a single pixel.
    pub fn elongation(&self) -> f64 {
        (self.major_axis - self.minor_axis) / self.major_axis
    }

    /// Diameter of the disc of this area.
    pub fn equivalent_diameter(&self) -> f64 {
        (4.0 * self.area as f64 / PI).sqrt()
    }
}

/// Size and form of every object, by ascending label.
///
/// ```
/// use tm_engine::analysis::{Regions, shapes};
/// use tm_engine::image::{Plane, Size};
/// let labels = Plane::new(Size::new(3, 5), vec![
///     4, 4, 4, 0, 0, //
///     4, 4, 4, 0, 9, //
///     4, 4, 4, 0, 0,
/// ])?;
/// let shapes = shapes(&labels, &Regions::of(&labels))?;
/// let (square, dot) = (shapes[0], shapes[1]);
/// assert_eq!((square.area, square.perimeter, square.convexity()), (9, 8.0, 1.0));
/// assert_eq!((square.centroid_x, square.eccentricity), (1.0, 0.0));
/// assert_eq!((dot.label, dot.perimeter, dot.touches_border), (9, 0.0, true));
/// assert!(dot.circularity().is_nan());
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
///
/// # Errors
/// [`EngineError::Shape`](crate::EngineError::Shape) when the regions are those of an image of another size.
pub fn shapes(labels: &Plane<i32>, regions: &Regions) -> Result<Vec<Shape>> {
    check_size("label image of the objects to measure", regions.size(), labels.size())?;
    let borders = borders(labels, regions);
    let mut shapes = regions.map(|region| {
        let moments = Moments::of(region);
        let ellipse = moments.ellipse();
        Shape {
            label: region.label,
            bounds: region.bounds,
            touches_border: regions.touches_border(region),
            area: region.area,
            centroid_x: moments.centroid_x(),
            centroid_y: moments.centroid_y(),
            convex_area: convex_area(region.runs),
            perimeter: 0.0,
            border_pixels: 0,
            major_axis: ellipse.major_axis,
            minor_axis: ellipse.minor_axis,
            eccentricity: ellipse.eccentricity,
        }
    });
    for (shape, border) in shapes.iter_mut().zip(borders) {
        shape.perimeter = border.length;
        shape.border_pixels = border.pixels;
    }
    Ok(shapes)
}

/// Measures size and form of every object: the columns are [`COLUMNS`].
///
/// # Errors
/// [`EngineError::Shape`](crate::EngineError::Shape) when the regions are those of an image of another size.
pub fn measure(labels: &Plane<i32>, regions: &Regions, compatible: bool) -> Result<Measurements> {
    let shapes = shapes(labels, regions)?;
    let radii = radii(labels, regions, compatible);
    let rows: Vec<_> = shapes.iter().zip(radii).map(|(shape, radii)| row(shape, radii)).collect();
    let mut table = Measurements::of(regions.labels().to_vec());
    table.push_rows(&COLUMNS, &rows);
    for column in table.columns.iter_mut().filter(|column| column.name == AREA) {
        column.is_count = true;
    }
    Ok(table)
}

/// The features of one object, in the order of [`COLUMNS`].
fn row(shape: &Shape, radii: Radii) -> [f64; COLUMNS.len()] {
    [
        shape.centroid_x,
        shape.centroid_y,
        shape.area as f64,
        shape.perimeter,
        shape.eccentricity,
        shape.extent(),
        shape.convexity(),
        shape.circularity(),
        shape.roundness(),
        shape.elongation(),
        shape.equivalent_diameter(),
        shape.major_axis,
        shape.minor_axis,
        radii.maximum,
        radii.mean,
    ]
}

/// Distances of an object's pixels to what is not the object, in pixels.
#[derive(Clone, Copy)]
struct Radii {
    maximum: f64,
    mean: f64,
}

impl Radii {
    /// From the squared distances of an object's pixels, run by run.
    fn of<'a>(region: Region<'_>, squared: impl Fn(&Run) -> &'a [i32]) -> Self {
        let pixels = || region.runs.iter().flat_map(&squared);
        let maximum = pixels().copied().max().unwrap_or(FAR);
        if maximum == FAR {
            return Self { maximum: f64::NAN, mean: f64::NAN };
        }
        let sum: f64 = pixels().map(|squared| distance(*squared)).sum();
        Self { maximum: distance(maximum), mean: sum / region.area as f64 }
    }
}

/// The radii of every object, by ascending label.
fn radii(labels: &Plane<i32>, regions: &Regions, compatible: bool) -> Vec<Radii> {
    if compatible {
        let squared = squared_distances(&Mask::of_labels(labels));
        return regions.map(|region| Radii::of(region, |run| &squared.row(run.row)[run.columns()]));
    }
    let distances = ObjectDistances::of(labels, regions);
    regions.map(|region| {
        let distances = distances.within(region);
        Radii::of(region, |run| distances.of_run(run))
    })
}
