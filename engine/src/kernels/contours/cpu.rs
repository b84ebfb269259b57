//! Pixel-edge outlines on the CPU: every ring is walked once, from its first left side in raster order.

use std::collections::HashMap;

use super::check_labels;
use crate::error::{EngineError, Result};
use crate::geometry::{MapOffset, Outline, Polygon, Ring, SiteFrame, Vertex};
use crate::image::PlaneRef;

/// Traces the outlines of all labels of a site whose top-left pixel lies at `offset` on the map.
///
/// # Errors
/// [`EngineError::Parameter`] for negative labels, and for a site off the map (32-bit coordinates).
pub fn trace(labels: PlaneRef<'_, i32>, offset: MapOffset) -> Result<Vec<Outline>> {
    let site = SiteFrame::new(offset, labels.size())?;
    check_labels(labels)?;
    let padded = Padded::new(labels);
    let mut sides = LeftSides::of(&padded);
    let mut parts: Vec<Part> = Vec::new();
    for row in 0..padded.height {
        for index in sides.row_starts[row]..sides.row_starts[row + 1] {
            if sides.part[index].is_some() {
                continue;
            }
            let start = Place { row, column: sides.columns[index] };
            let (walk, passed) = padded.walk(start, &sides);
            let part = if doubled_area(&walk) > 0 {
                parts.push(Part { label: padded.at(start), rings: Vec::new() });
                parts.len() - 1
            } else {
                sides.part_around(start).ok_or_else(|| broken("a hole has no part around it"))?
            };
            for index in passed {
                sides.part[index] = Some(part);
            }
            parts[part].rings.extend(split(walk));
        }
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

fn broken(problem: &str) -> EngineError {
    EngineError::Shape {
        what: "rings of a part",
        expected: "one shell".to_owned(),
        actual: problem.to_owned(),
    }
}

/// A pixel of the padded image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    row: usize,
    column: usize,
}

impl Place {
    fn step(self, direction: (isize, isize)) -> Self {
        Self {
            row: self.row.wrapping_add_signed(direction.0),
            column: self.column.wrapping_add_signed(direction.1),
        }
    }
}

/// A corner of the unpadded lattice where a ring turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Corner {
    row: usize,
    column: usize,
    /// Whether two pixels of the label touch here only.
    is_pinch: bool,
}

/// A side of a pixel, in the order in which a ring that turns left comes to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Top,
    Left,
    Bottom,
    Right,
}

impl Side {
    /// Rows and columns to the pixel ahead, for an edge along this side.
    const fn ahead(self) -> (isize, isize) {
        match self {
            Self::Top => (0, -1),
            Self::Left => (1, 0),
            Self::Bottom => (0, 1),
            Self::Right => (-1, 0),
        }
    }

    /// Rows and columns to the pixel beyond this side.
    const fn beyond(self) -> (isize, isize) {
        match self {
            Self::Top => (-1, 0),
            Self::Left => (0, -1),
            Self::Bottom => (1, 0),
            Self::Right => (0, 1),
        }
    }

    const fn after_left_turn(self) -> Self {
        match self {
            Self::Top => Self::Left,
            Self::Left => Self::Bottom,
            Self::Bottom => Self::Right,
            Self::Right => Self::Top,
        }
    }

    const fn after_right_turn(self) -> Self {
        match self {
            Self::Top => Self::Right,
            Self::Left => Self::Top,
            Self::Bottom => Self::Left,
            Self::Right => Self::Bottom,
        }
    }

    /// Row and column of the lattice corner where the edge along this side ends, from its pixel.
    const fn end(self) -> (usize, usize) {
        match self {
            Self::Top => (0, 0),
            Self::Left => (1, 0),
            Self::Bottom => (1, 1),
            Self::Right => (0, 1),
        }
    }
}

/// The label image with a border of one pixel of background, so that every pixel has neighbours.
struct Padded {
    height: usize,
    width: usize,
    labels: Vec<i32>,
}

impl Padded {
    fn new(source: PlaneRef<'_, i32>) -> Self {
        let (height, width) = (source.size().height + 2, source.size().width + 2);
        let mut labels = vec![0; height * width];
        for row in 0..source.size().height {
            let start = (row + 1) * width + 1;
            labels[start..start + source.size().width].copy_from_slice(source.row(row));
        }
        Self { height, width, labels }
    }

    fn at(&self, place: Place) -> i32 {
        self.labels[place.row * self.width + place.column]
    }

    fn row(&self, row: usize) -> &[i32] {
        &self.labels[row * self.width..(row + 1) * self.width]
    }

    /// Walks the ring along the left side of a pixel: the corners where it turns, and the left sides it
    /// runs along.
    fn walk(&self, start: Place, sides: &LeftSides) -> (Vec<Corner>, Vec<usize>) {
        let label = self.at(start);
        let (mut place, mut side) = (start, Side::Left);
        let (mut corners, mut passed) = (Vec::new(), Vec::new());
        loop {
            if side == Side::Left {
                passed.extend(sides.find(place));
            }
            let (row, column) = side.end();
            let corner =
                |is_pinch| Corner { row: place.row + row - 1, column: place.column + column - 1, is_pinch };
            let ahead = place.step(side.ahead());
            let ahead_right = ahead.step(side.beyond());
            let right_has_it = self.at(ahead_right) == label;
            if self.at(ahead) != label {
                corners.push(corner(right_has_it));
                side = side.after_left_turn();
            } else if right_has_it {
                corners.push(corner(false));
                (place, side) = (ahead_right, side.after_right_turn());
            } else {
                place = ahead;
            }
            if place == start && side == Side::Left {
                return (corners, passed);
            }
        }
    }
}

/// The left sides of pixels that are edges, in raster order, and the part that each belongs to.
struct LeftSides {
    /// Where each row's sides begin, and the end of the last one's.
    row_starts: Vec<usize>,
    columns: Vec<usize>,
    part: Vec<Option<usize>>,
}

impl LeftSides {
    fn of(padded: &Padded) -> Self {
        let mut row_starts = vec![0];
        let mut columns = Vec::new();
        for row in 0..padded.height {
            for (column, pair) in padded.row(row).windows(2).enumerate() {
                if pair[1] != 0 && pair[0] != pair[1] {
                    columns.push(column + 1);
                }
            }
            row_starts.push(columns.len());
        }
        let part = vec![None; columns.len()];
        Self { row_starts, columns, part }
    }

    /// Where the left side of a pixel is listed.
    fn find(&self, place: Place) -> Option<usize> {
        let start = self.row_starts[place.row];
        let row = &self.columns[start..self.row_starts[place.row + 1]];
        row.binary_search(&place.column).ok().map(|index| start + index)
    }

    /// The part around a hole whose first left side in raster order belongs to this pixel.
    ///
    /// Nothing of the hole lies above that row, so the pixel above to the left is of the same part. It is
    /// in the run that the last left side before it starts; that side was walked already.
    fn part_around(&self, first: Place) -> Option<usize> {
        let above = first.row.checked_sub(1)?;
        let start = self.row_starts[above];
        let row = &self.columns[start..self.row_starts[above + 1]];
        let run = row.partition_point(|column| *column < first.column).checked_sub(1)?;
        self.part[start + run]
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
fn split(walk: Vec<Corner>) -> Vec<Vec<Corner>> {
    let mut rings = Vec::new();
    let mut path: Vec<Corner> = Vec::new();
    let mut visited: HashMap<(usize, usize), usize> = HashMap::new();
    for corner in walk {
        if corner.is_pinch {
            let place = (corner.row, corner.column);
            if let Some(first) = visited.get(&place).copied() {
                rings.push(path.drain(first..).collect());
            }
            visited.insert(place, path.len());
        }
        path.push(corner);
    }
    rings.push(path);
    rings
}
