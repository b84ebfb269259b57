//! A grid of square cells that knows which segments pass near a place.

use std::collections::HashMap;

use super::ring::{MapRect, Vertex};
use super::segment::Segment;

/// A segment of a drawing: the line it belongs to, and which of the line's vertices it joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub line: usize,
    pub first: usize,
    pub last: usize,
    pub segment: Segment,
}

impl Entry {
    /// The rectangle around the segment.
    fn bounds(&self) -> MapRect {
        bounds_of(&[self.segment.from, self.segment.to])
    }
}

/// The smallest rectangle around points; that of the origin for none.
pub(crate) fn bounds_of(points: &[Vertex]) -> MapRect {
    let x = |pick: fn(i32, i32) -> i32| points.iter().map(|point| point.x).reduce(pick).unwrap_or(0);
    let y = |pick: fn(i32, i32) -> i32| points.iter().map(|point| point.y).reduce(pick).unwrap_or(0);
    MapRect { x_min: x(i32::min), y_min: y(i32::min), x_max: x(i32::max), y_max: y(i32::max) }
}

/// Segments by cell. Order within a cell is that of insertion; lookups never iterate over the map.
#[derive(Debug)]
pub(crate) struct Grid {
    cell: i64,
    cells: HashMap<(i64, i64), Vec<Entry>>,
}

impl Grid {
    /// A grid for about `count` segments within `bounds`: one cell for each, if they lay evenly.
    pub fn new(bounds: MapRect, count: usize) -> Self {
        let width = i64::from(bounds.x_max) - i64::from(bounds.x_min);
        let height = i64::from(bounds.y_max) - i64::from(bounds.y_min);
        let per_side = i64::try_from(count.isqrt()).unwrap_or(i64::MAX).max(1);
        Self { cell: (width.max(height) / per_side).max(1), cells: HashMap::new() }
    }

    fn cells_of(&self, rect: MapRect) -> impl Iterator<Item = (i64, i64)> + use<> {
        let place = |value: i32| i64::from(value).div_euclid(self.cell);
        let columns = place(rect.x_min)..=place(rect.x_max);
        let rows = place(rect.y_min)..=place(rect.y_max);
        rows.flat_map(move |row| columns.clone().map(move |column| (row, column)))
    }

    pub fn insert(&mut self, entry: Entry) {
        for cell in self.cells_of(entry.bounds()) {
            self.cells.entry(cell).or_default().push(entry);
        }
    }

    pub fn remove(&mut self, entry: Entry) {
        for cell in self.cells_of(entry.bounds()) {
            if let Some(entries) = self.cells.get_mut(&cell) {
                entries.retain(|other| *other != entry);
            }
        }
    }

    /// Whether a segment near the rectangle fulfils a condition; a segment may be asked about repeatedly.
    pub fn any_near(&self, rect: MapRect, condition: impl Fn(&Entry) -> bool) -> bool {
        self.cells_of(rect)
            .any(|cell| self.cells.get(&cell).is_some_and(|entries| entries.iter().any(&condition)))
    }
}
