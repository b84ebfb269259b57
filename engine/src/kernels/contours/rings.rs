//! From walks along rings to outlines: the half that backends share.
//!
//! A backend lists the left sides that are edges, and walks along the ring through one of them. Every
//! ring has left sides; it is walked once, from the first of them in raster order.

use std::collections::HashMap;

use crate::error::{EngineError, Result};
use crate::geometry::{Outline, Polygon, Ring, SiteFrame, Vertex};
use crate::image::PlaneRef;

/// A corner of the lattice where a ring turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Corner {
    pub(super) row: usize,
    pub(super) column: usize,
    /// Whether two pixels of the label touch here only.
    pub(super) is_pinch: bool,
}

/// One way around a ring.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The corners where it turns, in order.
    pub(super) corners: Vec<Corner>,
    /// The left sides that it runs along, by their place in the list.
    pub(super) passed: Vec<usize>,
}

/// A left side that is an edge: its place in the list, and its pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftSide {
    pub(super) index: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

/// The left sides of pixels that are edges, in raster order.
#[derive(Debug)]
pub(super) struct LeftSides {
    /// Where each row's sides begin, and the end of the last one's.
    row_starts: Vec<usize>,
    columns: Vec<usize>,
}

impl LeftSides {
    /// No sides, in no rows.
    pub(super) fn new() -> Self {
        Self { row_starts: vec![0], columns: Vec::new() }
    }

    /// Adds a side to the row that is being listed.
    pub(super) fn push(&mut self, column: usize) {
        self.columns.push(column);
    }

    /// Ends the row that is being listed.
    pub(super) fn end_row(&mut self) {
        self.row_starts.push(self.columns.len());
    }

    /// Number of rows that have ended.
    pub(super) fn rows(&self) -> usize {
        self.row_starts.len() - 1
    }

    /// Where the left side of a pixel is listed.
    pub(super) fn find(&self, row: usize, column: usize) -> Option<usize> {
        let start = self.row_starts[row];
        let columns = &self.columns[start..self.row_starts[row + 1]];
        columns.binary_search(&column).ok().map(|index| start + index)
    }

    fn in_order(&self) -> impl Iterator<Item = LeftSide> + '_ {
        let row = move |row: usize| {
            (self.row_starts[row]..self.row_starts[row + 1]).map(move |index| LeftSide {
                index,
                row,
                column: self.columns[index],
            })
        };
        (0..self.rows()).flat_map(row)
    }

    /// The left side from whose run of pixels the part around a hole comes to the hole, for the first left
    /// side of the hole in raster order.
    ///
    /// Nothing of the hole lies above that row, so the pixel above to the left is of the same part. It is
    /// in the run that the last left side before it starts; that side was walked already.
    fn around(&self, first: LeftSide) -> Option<usize> {
        let above = first.row.checked_sub(1)?;
        let start = self.row_starts[above];
        let columns = &self.columns[start..self.row_starts[first.row]];
        let run = columns.partition_point(|column| *column < first.column).checked_sub(1)?;
        Some(start + run)
    }
}

/// The outlines of a label image, from walks around its rings.
///
/// # Errors
/// Those of `walk`; [`EngineError::Shape`] for walks that no label image has.
pub(super) fn outlines(
    labels: PlaneRef<'_, i32>,
    site: SiteFrame,
    sides: &LeftSides,
    mut walk: impl FnMut(LeftSide) -> Result<Walk>,
) -> Result<Vec<Outline>> {
    let mut parts: Vec<Part> = Vec::new();
    let mut part_of: Vec<Option<usize>> = vec![None; sides.columns.len()];
    for start in sides.in_order() {
        if part_of[start.index].is_some() {
            continue;
        }
        let Walk { corners, passed } = walk(start)?;
        let part = if doubled_area(&corners) > 0 {
            parts.push(Part { label: labels.row(start.row)[start.column], rings: Vec::new() });
            parts.len() - 1
        } else {
            let around = sides.around(start).and_then(|index| part_of[index]);
            around.ok_or_else(|| broken("a hole has no part around it"))?
        };
        for index in passed {
            part_of[index] = Some(part);
        }
        parts[part].rings.extend(split(corners)?);
    }
    // Parts were found in the order of their first vertex; a stable sort keeps it within a label.
    parts.sort_by_key(|part| part.label);
    let mut outlines: Vec<Outline> = Vec::new();
    for part in parts {
        let label = part.label;
        let polygon = part.into_polygon(site)?;
        match outlines.last_mut() {
            Some(outline) if outline.label == label => outline.parts.push(polygon),
            _ => outlines.push(Outline { label, parts: vec![polygon] }),
        }
    }
    Ok(outlines)
}

/// What is wrong with walks that no label image has.
pub(super) fn broken(problem: &str) -> EngineError {
    EngineError::Shape {
        what: "rings of a part",
        expected: "one shell".to_owned(),
        actual: problem.to_owned(),
    }
}

/// A 4-connected part of an object.
struct Part {
    label: i32,
    rings: Vec<Vec<Corner>>,
}

impl Part {
    fn into_polygon(self, site: SiteFrame) -> Result<Polygon> {
        let mut shell = None;
        let mut holes = Vec::new();
        for mut ring in self.rings {
            let start = ring.iter().enumerate().min_by_key(|(_, corner)| (corner.row, corner.column));
            let start = start.map_or(0, |(index, _)| index);
            ring.rotate_left(start);
            let place = |corner: &Corner| site.vertex(corner.row, corner.column);
            let vertices: Option<Vec<Vertex>> = ring.iter().map(place).collect();
            let vertices = vertices.ok_or_else(|| broken("a corner outside the site"))?;
            if doubled_area(&ring) > 0 {
                shell = Some(Ring::new(vertices)?);
            } else {
                holes.push(Ring::new(vertices)?);
            }
        }
        holes.sort_by_key(|hole| {
            let first = hole.vertices()[0];
            (-i64::from(first.y), first.x)
        });
        Ok(Polygon { shell: shell.ok_or_else(|| broken("none"))?, holes })
    }
}

/// Twice the enclosed area, positive for rings that are counter-clockwise with y upwards.
fn doubled_area(ring: &[Corner]) -> i128 {
    let ends = ring.iter().skip(1).chain(ring.first());
    let wide = |value: usize| i128::try_from(value).expect("an index fits 128 bits");
    let cross =
        |(from, to): (&Corner, &Corner)| wide(from.row) * wide(to.column) - wide(from.column) * wide(to.row);
    ring.iter().zip(ends).map(cross).sum()
}

/// Splits a ring where it comes to a corner the second time. Rings never cross themselves, so what lies
/// between two visits is complete, wherever the walk began.
fn split(walk: Vec<Corner>) -> Result<Vec<Vec<Corner>>> {
    let mut rings = Vec::new();
    let mut path: Vec<Corner> = Vec::new();
    let mut visited: HashMap<(usize, usize), usize> = HashMap::new();
    for corner in walk {
        if corner.is_pinch {
            let place = (corner.row, corner.column);
            if let Some(first) = visited.get(&place).copied() {
                if first >= path.len() {
                    return Err(broken("a ring crosses itself"));
                }
                rings.push(path.drain(first..).collect());
            }
            visited.insert(place, path.len());
        }
        path.push(corner);
    }
    rings.push(path);
    Ok(rings)
}
