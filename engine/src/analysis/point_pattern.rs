//! How points lie in the objects that contain them.
//!
//! A point is the centroid of an object, cut off to a pixel; the reference object at this pixel contains it. With the
//! area S of the reference object:
//!
//! ```text
//! distance to border             of the pixel, to the nearest pixel that is not of the reference object
//! distance to nearest neighbor   least distance to the other points in the reference object
//! mean, std distance to neighbors    over these other points; the standard deviation of the population
//! relative-…                     the same divided by S
//! ```
//!
//! Distances are in pixels. Features of neighbours are NaN for a point that is alone; all are NaN for one that no
//! reference object contains.
//!
//! The original's distance to the border was the squared one; this is what `compatible` gives. Its
//! labels had to be consecutive (D21).

use rayon::prelude::*;

use crate::error::{EngineError, Result};
use crate::image::Plane;
use crate::simd::{self, RowKernel};

use super::distance::distance;
use super::moments::Moments;
use super::object_distances::ObjectDistances;
use super::{Measurements, Regions, check_size};

/// The features, in the order of their columns.
pub const COLUMNS: [&str; 8] = [
    "PointPattern_absolute-distance-to-border",
    "PointPattern_relative-distance-to-border",
    "PointPattern_absolute-distance-to-nearest-neighbor",
    "PointPattern_relative-distance-to-nearest-neighbor",
    "PointPattern_mean-absolute-distance-to-neighbors",
    "PointPattern_mean-relative-distance-to-neighbors",
    "PointPattern_std-absolute-distance-to-neighbors",
    "PointPattern_std-relative-distance-to-neighbors",
];

/// One reference object may contain this many points: all distances between them take a few seconds.
pub const MAX_POINTS: usize = 100_000;

/// A point in one of the reference objects.
struct Point {
    /// Index of the reference object.
    reference: usize,
    /// Index of the object whose centroid it is.
    object: usize,
    row: usize,
    column: usize,
}

/// Measures how the objects of `points` lie in those of `reference_labels`: the columns are [`COLUMNS`].
///
/// ```
/// use tm_engine::analysis::{Regions, point_pattern};
/// use tm_engine::image::{Plane, Size};
/// let size = Size::new(3, 8);
/// let cell = Plane::from_fn(size, |_, _| 4);
/// let spots = Plane::from_fn(size, |row, column| match (row, column) { (1, 1) => 1, (1, 5) => 2, _ => 0 });
/// let table = point_pattern::measure(&Regions::of(&spots), &cell, &Regions::of(&cell), false)?;
/// assert_eq!(table.values("PointPattern_absolute-distance-to-border"), Some(&[2.0, 2.0][..]));
/// assert_eq!(table.values("PointPattern_absolute-distance-to-nearest-neighbor"), Some(&[4.0, 4.0][..]));
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
///
/// # Errors
/// [`EngineError::Shape`] when the images have different sizes, [`EngineError::Parameter`] when a reference object
/// contains more than [`MAX_POINTS`] points.
pub fn measure(
    points: &Regions,
    reference_labels: &Plane<i32>,
    references: &Regions,
    compatible: bool,
) -> Result<Measurements> {
    check_size("label image of reference objects", points.size(), reference_labels.size())?;
    check_size("regions of reference objects", points.size(), references.size())?;
    let mut contained = contained_points(points, reference_labels, references);
    contained.sort_by_key(|point| point.reference);
    let borders = ObjectDistances::of(reference_labels, references);
    let mut rows = vec![[f64::NAN; COLUMNS.len()]; points.len()];
    for together in contained.chunk_by(|left, right| left.reference == right.reference) {
        if together.len() > MAX_POINTS {
            let label = references.labels()[together[0].reference];
            let problem =
                format!("are at most {MAX_POINTS} in one object, not {} as in {label}", together.len());
            return Err(EngineError::Parameter { name: "points", problem });
        }
        let reference = references.get(together[0].reference);
        let (area, borders) = (reference.area as f64, borders.within(reference));
        for (point, neighbours) in together.iter().zip(neighbour_distances(together)) {
            let squared = borders.of_pixel(point.row, point.column);
            let border = if compatible { f64::from(squared) } else { distance(squared) };
            let Neighbours { nearest, mean, deviation } = neighbours;
            rows[point.object] = [
                border,
                border / area,
                nearest,
                nearest / area,
                mean,
                mean / area,
                deviation,
                deviation / area,
            ];
        }
    }
    let mut table = Measurements::of(points.labels().to_vec());
    table.push_rows(&COLUMNS, &rows);
    Ok(table)
}

/// The points that lie in reference objects.
fn contained_points(points: &Regions, reference_labels: &Plane<i32>, references: &Regions) -> Vec<Point> {
    let places = points.map(|region| Moments::of(region).centroid_pixel());
    let contained = places.into_iter().enumerate().filter_map(|(object, place)| {
        let reference = references.index_of(reference_labels.get(place.row, place.column))?;
        Some(Point { reference, object, row: place.row, column: place.column })
    });
    contained.collect()
}

/// Distances of one point to all others of its reference object, in pixels.
struct Neighbours {
    nearest: f64,
    mean: f64,
    deviation: f64,
}

/// The distances of each point to the others.
fn neighbour_distances(points: &[Point]) -> Vec<Neighbours> {
    let rows: Vec<f64> = points.iter().map(|point| point.row as f64).collect();
    let columns: Vec<f64> = points.iter().map(|point| point.column as f64).collect();
    let of = |index: usize| {
        let (row, column) = (rows[index], columns[index]);
        // Any other point will do: sums of differences from its distance lose no digits.
        let other = usize::from(index == 0).min(points.len() - 1);
        let mut sums = DistanceSums::from(f64::hypot(rows[other] - row, columns[other] - column));
        for (rows, columns) in
            [(&rows[..index], &columns[..index]), (&rows[index + 1..], &columns[index + 1..])]
        {
            simd::run(Distances { row, column, rows, columns, sums: &mut sums });
        }
        sums.neighbours(points.len() - 1)
    };
    (0..points.len()).into_par_iter().with_min_len(64).map(of).collect()
}

/// Several sums side by side, so that they fill a vector.
const LANES: usize = 8;

/// Distances in pixels summed up, less one of about their size.
#[derive(Clone, Copy)]
struct DistanceSums {
    origin: f64,
    least: [f64; LANES],
    sums: [f64; LANES],
    squares: [f64; LANES],
}

impl DistanceSums {
    fn from(origin: f64) -> Self {
        Self { origin, least: [f64::INFINITY; LANES], sums: [0.0; LANES], squares: [0.0; LANES] }
    }

    #[inline(always)]
    fn add(&mut self, lane: usize, distance: f64) {
        let difference = distance - self.origin;
        self.least[lane] = self.least[lane].min(distance);
        self.sums[lane] += difference;
        self.squares[lane] += difference * difference;
    }

    /// What `count` distances say; NaN without any.
    fn neighbours(&self, count: usize) -> Neighbours {
        if count == 0 {
            return Neighbours { nearest: f64::NAN, mean: f64::NAN, deviation: f64::NAN };
        }
        let count = count as f64;
        let mean = self.sums.iter().sum::<f64>() / count;
        let variance = self.squares.iter().sum::<f64>() / count - mean * mean;
        Neighbours {
            nearest: self.least.into_iter().fold(f64::INFINITY, f64::min),
            mean: self.origin + mean,
            deviation: variance.max(0.0).sqrt(),
        }
    }
}

/// Adds the distances of one point to some others.
struct Distances<'a> {
    row: f64,
    column: f64,
    rows: &'a [f64],
    columns: &'a [f64],
    sums: &'a mut DistanceSums,
}

impl RowKernel for Distances<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let distance = |row: f64, column: f64| {
            let (down, right) = (row - self.row, column - self.column);
            (down * down + right * right).sqrt()
        };
        let (rows, columns) = (self.rows.chunks_exact(LANES), self.columns.chunks_exact(LANES));
        let rest = rows.remainder().iter().zip(columns.remainder()).enumerate();
        // A copy stays in registers.
        let mut sums = *self.sums;
        for (lane, (row, column)) in rest {
            sums.add(lane, distance(*row, *column));
        }
        for (rows, columns) in rows.zip(columns) {
            for lane in 0..LANES {
                sums.add(lane, distance(rows[lane], columns[lane]));
            }
        }
        *self.sums = sums;
    }
}
