//! The outlines of the original, through pixel centres: for data that must look as it did there.
//!
//! Pixel (r, c) becomes the vertex (ox + c, -(oy + r)). For each label:
//!
//! 1. The outermost rows and columns of the image are cleared. Labels only there have no outline.
//! 2. Objects of more than one pixel are opened with the 3×3 cross, which removes parts one pixel wide.
//! 3. Of the 8-connected parts left, the one whose border has most points is the shell (the last in raster
//!    order, of equals), with the hole in it that is last in raster order; other parts and holes are lost.
//! 4. Borders are followed as by Suzuki and Abe, CVGIP 30:32 (1985): all points, counter-clockwise (y
//!    upwards); a hole's border runs along the pixels around it.
//! 5. Without a border of three points: the square (x ± 1, y ± 1) around the mean pixel, rounded down,
//!    clockwise from its upper left corner.
//!
//! [`points`] is for objects that have no outline at all. Outlines may touch themselves; their area is smaller than the object. CPU only.

use std::collections::BTreeMap;

use super::check_labels;
use crate::error::{EngineError, Result};
use crate::geometry::{MapOffset, Outline, Polygon, Ring, SiteFrame, Vertex};
use crate::image::PlaneRef;

/// Traces the outlines of the original, in ascending order of label.
///
/// # Errors
/// [`EngineError::Parameter`] for negative labels, and for a site off the map (32-bit coordinates).
pub fn trace(labels: PlaneRef<'_, i32>, offset: MapOffset) -> Result<Vec<Outline>> {
    let site = SiteFrame::new(offset, labels.size())?;
    check_labels(labels)?;
    let boxes = interior_boxes(labels);
    boxes.into_iter().map(|(label, bounds)| outline(labels, site, label, bounds)).collect()
}

/// An object shown as a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelPoint {
    /// Value of the object in the label image.
    pub label: i32,
    /// Where it is shown.
    pub point: Vertex,
}

/// The mean pixel of every object, for objects that are shown as points only, in ascending order of label:
/// `x = trunc(ox + mean column)`, `y = trunc(-(oy + mean row))`, both rounded towards zero.
///
/// # Errors
/// [`EngineError::Parameter`] for negative labels, and for a site off the map (32-bit coordinates).
pub fn points(labels: PlaneRef<'_, i32>, offset: MapOffset) -> Result<Vec<LabelPoint>> {
    /// Sums over the pixels of an object; an image has fewer than 2⁶² pixels, so they fit.
    #[derive(Default)]
    struct Sums {
        pixels: i128,
        rows: i128,
        columns: i128,
    }
    SiteFrame::new(offset, labels.size())?;
    check_labels(labels)?;
    let mut sums: BTreeMap<i32, Sums> = BTreeMap::new();
    for (row, map_row) in (0..labels.size().height).zip(i128::from(offset.y)..) {
        for (label, map_column) in labels.row(row).iter().zip(i128::from(offset.x)..) {
            if *label != 0 {
                let sums = sums.entry(*label).or_default();
                sums.pixels += 1;
                sums.rows += map_row;
                sums.columns += map_column;
            }
        }
    }
    let whole = |sum: i128, pixels: i128| {
        i32::try_from(sum / pixels).expect("a mean lies between corners, which were checked")
    };
    let point = |(label, sums): (i32, Sums)| LabelPoint {
        label,
        point: Vertex::new(whole(sums.columns, sums.pixels), whole(-sums.rows, sums.pixels)),
    };
    Ok(sums.into_iter().map(point).collect())
}

/// Row and column within the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    row: usize,
    column: usize,
}

/// First and last row and column of an object.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    first: Place,
    last: Place,
}

/// The bounds of every label without the outermost rows and columns.
fn interior_boxes(labels: PlaneRef<'_, i32>) -> BTreeMap<i32, Bounds> {
    let mut boxes: BTreeMap<i32, Bounds> = BTreeMap::new();
    let size = labels.size();
    for row in 1..size.height.saturating_sub(1) {
        let pixels = labels.row(row);
        for (column, label) in pixels.iter().enumerate().take(size.width.saturating_sub(1)).skip(1) {
            if *label == 0 {
                continue;
            }
            let place = Place { row, column };
            let bounds = boxes.entry(*label).or_insert(Bounds { first: place, last: place });
            bounds.last.row = row;
            bounds.first.column = bounds.first.column.min(column);
            bounds.last.column = bounds.last.column.max(column);
        }
    }
    boxes
}

fn outline(labels: PlaneRef<'_, i32>, site: SiteFrame, label: i32, bounds: Bounds) -> Result<Outline> {
    let mask = Mask::of(labels, label, bounds);
    let pixels = mask.places().count();
    let used = if pixels > 1 { mask.opened() } else { mask.clone() };
    let polygon = match used.borders() {
        Some(borders) if borders.shell.len() >= 3 => {
            let ring = |places: &[Place]| mask.ring(site, places);
            Polygon {
                shell: ring(&borders.shell)?,
                holes: borders.hole.iter().map(|hole| ring(hole)).collect::<Result<_>>()?,
            }
        }
        _ => square(site, &mask, pixels)?,
    };
    Ok(Outline { label, parts: vec![polygon] })
}

/// The square around the mean pixel of an object that has no border of its own.
fn square(site: SiteFrame, mask: &Mask, pixels: usize) -> Result<Polygon> {
    let pixels = pixels.max(1);
    let row = mask.places().map(|place| place.row).sum::<usize>() / pixels;
    let column = mask.places().map(|place| place.column).sum::<usize>() / pixels;
    let corners = [(0, 0), (0, 2), (2, 2), (2, 0)];
    let places = corners.map(|(y, x)| Place { row: row + y - 1, column: column + x - 1 });
    Ok(Polygon { shell: mask.ring(site, &places)?, holes: Vec::new() })
}

/// Pixels around one object, with a border of background of [`MARGIN`] pixels.
#[derive(Clone)]
struct Mask {
    /// Image position of the first pixel, plus the margin.
    origin: Place,
    height: usize,
    width: usize,
    pixels: Vec<bool>,
}

/// Room for an opening, and for looking around the pixels at the border.
const MARGIN: usize = 2;

/// Neighbours, counter-clockwise as seen on screen from the west: rows and columns.
const AROUND: [(isize, isize); 8] = [(0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1)];
const WEST: usize = 0;
const EAST: usize = 4;

/// Borders in coordinates of the mask.
struct Borders {
    shell: Vec<Place>,
    hole: Option<Vec<Place>>,
}

impl Mask {
    fn of(labels: PlaneRef<'_, i32>, label: i32, bounds: Bounds) -> Self {
        let height = bounds.last.row - bounds.first.row + 1 + 2 * MARGIN;
        let width = bounds.last.column - bounds.first.column + 1 + 2 * MARGIN;
        let mut mask = Self { origin: bounds.first, height, width, pixels: vec![false; height * width] };
        for row in bounds.first.row..=bounds.last.row {
            let start = (row - bounds.first.row + MARGIN) * width + MARGIN;
            let source = &labels.row(row)[bounds.first.column..=bounds.last.column];
            for (pixel, value) in mask.pixels[start..].iter_mut().zip(source) {
                *pixel = *value == label;
            }
        }
        mask
    }

    fn index(&self, place: Place) -> usize {
        place.row * self.width + place.column
    }

    fn has(&self, place: Place) -> bool {
        self.pixels[self.index(place)]
    }

    /// Set pixels in raster order.
    fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let place = |index| Place { row: index / self.width, column: index % self.width };
        self.pixels.iter().enumerate().filter(|(_, pixel)| **pixel).map(move |(index, _)| place(index))
    }

    /// A ring on the map through the centres of pixels, used as if they were lattice points.
    fn ring(&self, site: SiteFrame, places: &[Place]) -> Result<Ring> {
        let vertex = |place: &Place| -> Option<Vertex> {
            // Pixels lie inside the image, so their distance from the margin is never negative there.
            let row = (self.origin.row + place.row).checked_sub(MARGIN)?;
            let column = (self.origin.column + place.column).checked_sub(MARGIN)?;
            site.vertex(row, column)
        };
        let vertices: Option<Vec<Vertex>> = places.iter().map(vertex).collect();
        Ring::new(vertices.ok_or_else(|| EngineError::Shape {
            what: "border of an object",
            expected: format!("inside {}", site.size()),
            actual: "outside".to_owned(),
        })?)
    }

    /// Binary opening with the 3×3 cross.
    fn opened(&self) -> Self {
        let eroded = self.with_cross(|cross| cross.iter().all(|pixel| *pixel));
        eroded.with_cross(|cross| cross.iter().any(|pixel| *pixel))
    }

    fn with_cross(&self, keep: impl Fn([bool; 5]) -> bool) -> Self {
        let mut result = Self { pixels: vec![false; self.pixels.len()], ..self.clone() };
        for row in 1..self.height - 1 {
            for column in 1..self.width - 1 {
                let here = row * self.width + column;
                let cross = [here, here - 1, here + 1, here - self.width, here + self.width];
                result.pixels[here] = keep(cross.map(|index| self.pixels[index]));
            }
        }
        result
    }

    /// The longest outer border and the last hole in it.
    fn borders(&self) -> Option<Borders> {
        let (part, starts) = self.regions(true, &AROUND);
        let mut longest: Option<(usize, Vec<Place>)> = None;
        for (index, start) in starts.into_iter().enumerate() {
            let border = self.follow(start, WEST);
            if longest.as_ref().is_none_or(|(_, other)| border.len() >= other.len()) {
                longest = Some((index, border));
            }
        }
        let (shell_part, shell) = longest?;
        // Regions of background that are 4-connected; the first one is the outside.
        let straight = [AROUND[0], AROUND[2], AROUND[4], AROUND[6]];
        let (_, starts) = self.regions(false, &straight);
        let last = starts.into_iter().skip(1).rev().find_map(|start| {
            let before = Place { column: start.column - 1, ..start };
            (part[self.index(before)] == Some(shell_part)).then_some(before)
        });
        Some(Borders { shell, hole: last.map(|start| self.follow(start, EAST)) })
    }

    /// Connected regions of one value: which region each pixel is in, and where each begins in raster order.
    fn regions(&self, value: bool, neighbours: &[(isize, isize)]) -> (Vec<Option<usize>>, Vec<Place>) {
        let mut region = vec![None; self.pixels.len()];
        let mut starts = Vec::new();
        for index in 0..self.pixels.len() {
            if self.pixels[index] != value || region[index].is_some() {
                continue;
            }
            let start = Place { row: index / self.width, column: index % self.width };
            region[index] = Some(starts.len());
            let mut waiting = vec![start];
            while let Some(place) = waiting.pop() {
                for direction in neighbours {
                    let Some(next) = self.step(place, *direction) else { continue };
                    let index = self.index(next);
                    if self.pixels[index] == value && region[index].is_none() {
                        region[index] = Some(starts.len());
                        waiting.push(next);
                    }
                }
            }
            starts.push(start);
        }
        (region, starts)
    }

    fn step(&self, place: Place, direction: (isize, isize)) -> Option<Place> {
        let row = place.row.checked_add_signed(direction.0).filter(|row| *row < self.height)?;
        let column = place.column.checked_add_signed(direction.1).filter(|column| *column < self.width)?;
        Some(Place { row, column })
    }

    /// The neighbour in a direction, if it is set.
    fn neighbour(&self, place: Place, direction: usize) -> Option<Place> {
        self.step(place, AROUND[direction % 8]).filter(|next| self.has(*next))
    }

    /// Follows a border from its first pixel, whose neighbour in direction `outside` is background.
    fn follow(&self, start: Place, outside: usize) -> Vec<Place> {
        // Clockwise from the background: the pixel before the start.
        let before = (1..8).find_map(|turn| {
            let direction = outside + 8 - turn;
            self.neighbour(start, direction).map(|place| (place, direction % 8))
        });
        let Some((before, mut from)) = before else { return vec![start] };
        let mut border = Vec::new();
        let mut here = start;
        loop {
            border.push(here);
            // Counter-clockwise from the pixel we come from; at the latest that one is found again.
            let next = (1..=8)
                .find_map(|turn| self.neighbour(here, from + turn).map(|place| (place, (from + turn) % 8)));
            let Some((next, direction)) = next else { return border };
            if next == start && here == before {
                return border;
            }
            here = next;
            from = (direction + 4) % 8;
        }
    }
}
