//! Pixel-edge outlines on the CPU: every ring is walked from pixel to pixel.

use super::check_labels;
use super::rings::{self, Corner, LeftSide, LeftSides, Walk};
use super::side::Side;
use crate::error::Result;
use crate::geometry::{MapOffset, Outline, SiteFrame};
use crate::image::PlaneRef;

/// Traces the outlines of all labels of a site whose top-left pixel lies at `offset` on the map.
///
/// # Errors
/// [`crate::EngineError::Parameter`] for negative labels, and for a site off the map (32-bit coordinates).
pub fn trace(labels: PlaneRef<'_, i32>, offset: MapOffset) -> Result<Vec<Outline>> {
    let site = SiteFrame::new(offset, labels.size())?;
    check_labels(labels)?;
    let padded = Padded::new(labels);
    let sides = padded.left_sides();
    rings::outlines(labels, site, &sides, |start| Ok(padded.walk(start, &sides)))
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

    fn left_sides(&self) -> LeftSides {
        let mut sides = LeftSides::new();
        for row in 1..self.height - 1 {
            let pixels = &self.labels[row * self.width..(row + 1) * self.width];
            for (column, pair) in pixels.windows(2).enumerate() {
                if pair[1] != 0 && pair[0] != pair[1] {
                    sides.push(column);
                }
            }
            sides.end_row();
        }
        sides
    }

    /// Walks the ring along the left side of a pixel.
    fn walk(&self, start: LeftSide, sides: &LeftSides) -> Walk {
        let start = Place { row: start.row + 1, column: start.column + 1 };
        let label = self.at(start);
        let (mut place, mut side) = (start, Side::Left);
        let mut walk = Walk::default();
        loop {
            if side == Side::Left {
                walk.passed.extend(sides.find(place.row - 1, place.column - 1));
            }
            let (row, column) = side.end();
            let corner =
                |is_pinch| Corner { row: place.row + row - 1, column: place.column + column - 1, is_pinch };
            let ahead = place.step(side.ahead());
            let ahead_right = ahead.step(side.beyond());
            let right_has_it = self.at(ahead_right) == label;
            if self.at(ahead) != label {
                walk.corners.push(corner(right_has_it));
                side = side.after_left_turn();
            } else if right_has_it {
                walk.corners.push(corner(false));
                (place, side) = (ahead_right, side.after_right_turn());
            } else {
                place = ahead;
            }
            if place == start && side == Side::Left {
                return walk;
            }
        }
    }
}
