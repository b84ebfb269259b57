//! Places of sites from stage positions.
//!
//! Per well and axis, coordinates that are close are one row or column, and rows and columns are numbered in
//! order. Everything hangs on what "close" means ([`MergeDistance`]):
//!
//! * **Half a field**, where the pixel size is known. Fields side by side are about one field apart, so half
//!   a field separates them up to an overlap of 50 %, and is far above any jitter of the stage. It does not
//!   depend on how many sites there are: 1×1, 1×n, holes and ragged outlines are all the same to it.
//! * **Half the median distance to the nearest other site** where it is not, or where half a field would
//!   put two sites on one place (overlap above 50 %). The nearest neighbour is sought in the plane, not per
//!   axis: along one axis the sorted coordinates of a grid are mostly jitter within one row (their median
//!   step is about 0), while in the plane the nearest site is one step away, for 1×n as for n×n. The smaller
//!   of the two steps of a grid bounds both axes.
//!
//! A row or column begins at its smallest coordinate and takes everything within the distance of *that*, so
//! many small offsets cannot chain two columns together. Only rank counts: a row missing in the whole well
//! leaves no gap. The result depends on the positions alone, not on their order.

/// Positions closer than this are one position, in µm: about what a stage repeats.
pub const STAGE_NOISE_UM: f64 = 2.0;

/// Place of a site in its well: zero-based row from the top and column from the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GridPosition {
    /// Row, from the top.
    pub y: usize,
    /// Column, from the left.
    pub x: usize,
}

/// A stage position in µm, y pointing **down** as in images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StagePoint {
    /// Down.
    pub y_um: f64,
    /// To the right.
    pub x_um: f64,
}

/// Coordinates at most this far from the first of a row or column belong to it, in µm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MergeDistance {
    /// Between rows.
    pub y_um: f64,
    /// Between columns.
    pub x_um: f64,
}

impl MergeDistance {
    /// Half a field of view.
    pub const fn half_field(height_um: f64, width_um: f64) -> Self {
        Self { y_um: height_um / 2.0, x_um: width_um / 2.0 }
    }

    /// Half the median distance between nearest neighbours, over all sites of all wells.
    ///
    /// Where all positions of every well are one position, that distance is unlimited.
    pub fn half_step<'a>(wells: impl Iterator<Item = &'a [StagePoint]>) -> Self {
        let mut distances: Vec<f64> = wells.flat_map(nearest_distances).collect();
        distances.sort_by(f64::total_cmp);
        let half = distances.get(distances.len() / 2).map_or(f64::INFINITY, |median| median / 2.0);
        Self { y_um: half, x_um: half }
    }
}

/// The place of every point of one well.
pub fn positions(points: &[StagePoint], distance: MergeDistance) -> Vec<GridPosition> {
    let rows: Vec<f64> = points.iter().map(|point| point.y_um).collect();
    let columns: Vec<f64> = points.iter().map(|point| point.x_um).collect();
    let rows = ranks(&rows, distance.y_um);
    let columns = ranks(&columns, distance.x_um);
    rows.into_iter().zip(columns).map(|(y, x)| GridPosition { y, x }).collect()
}

/// Number of the cluster of every coordinate, clusters counted from the smallest coordinate.
fn ranks(coordinates: &[f64], distance: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..coordinates.len()).collect();
    order.sort_by(|&a, &b| coordinates[a].total_cmp(&coordinates[b]));
    let mut ranks = vec![0; coordinates.len()];
    let Some(&first) = order.first() else { return ranks };
    let (mut rank, mut start) = (0, coordinates[first]);
    for index in order {
        if coordinates[index] - start > distance {
            rank += 1;
            start = coordinates[index];
        }
        ranks[index] = rank;
    }
    ranks
}

/// Distance of every point to the nearest one that is not the same position; absent if there is none.
///
/// A sweep along the longer axis that stops where that axis alone is too far: about n·√n for a grid.
fn nearest_distances(points: &[StagePoint]) -> Vec<f64> {
    let extent = |pick: fn(&StagePoint) -> f64| {
        let ends = points
            .iter()
            .map(pick)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        ends.1 - ends.0
    };
    let wide = extent(|point| point.x_um) >= extent(|point| point.y_um);
    let mut swept: Vec<(f64, f64)> = points
        .iter()
        .map(|point| if wide { (point.x_um, point.y_um) } else { (point.y_um, point.x_um) })
        .collect();
    swept.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    swept.dedup();
    let nearest = |index: usize| {
        let (along, across) = swept[index];
        let mut best = f64::INFINITY;
        let mut look = |other: &(f64, f64)| {
            let distance = (other.0 - along).hypot(other.1 - across);
            if distance > STAGE_NOISE_UM && distance < best {
                best = distance;
            }
            // Go on while the sweep axis alone does not exceed the best.
            (other.0 - along).abs() < best
        };
        let _ = swept[index + 1..].iter().all(&mut look);
        let _ = swept[..index].iter().rev().all(&mut look);
        best
    };
    (0..swept.len()).map(nearest).filter(|distance| distance.is_finite()).collect()
}
