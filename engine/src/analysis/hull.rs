//! Number of pixels in the convex hull of an object.
//!
//! The hull is that of the middles of all pixel sides, (r ± ½, c) and (r, c ± ½); a pixel is in it when its centre
//! is inside or on the boundary. Coordinates are doubled, so everything is a whole number and exact.

use super::regions::Run;

/// A corner of the hull, in half pixels.
#[derive(Clone, Copy)]
struct Corner {
    row: i64,
    column: i64,
}

/// Number of pixels whose centre lies in the convex hull of the object with these runs, in their order.
pub(super) fn convex_area(runs: &[Run]) -> usize {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return 0 };
    let mut left = Chain::default();
    // The right side is the left one in a mirror.
    let mut right = Chain::default();
    for row in runs.chunk_by(|above, below| above.row == below.row) {
        let middle = 2 * row[0].row as i64;
        let start = 2 * row[0].start as i64;
        let end = 2 * (row[row.len() - 1].end as i64 - 1);
        for (half, reach) in [(middle - 1, 0), (middle, 1), (middle + 1, 0)] {
            left.push(Corner { row: half, column: start - reach });
            right.push(Corner { row: half, column: -(end + reach) });
        }
    }
    let rows = || first.row..=last.row;
    let sides = left.columns(rows()).zip(right.columns(rows()));
    sides.map(|(start, end)| usize::try_from(1 - end - start).unwrap_or(0)).sum()
}

/// The left side of a hull, from the top down.
#[derive(Default)]
struct Chain {
    corners: Vec<Corner>,
}

impl Chain {
    /// Takes a point into the hull, below or beside those before it.
    fn push(&mut self, point: Corner) {
        if let Some(last) = self.corners.last().filter(|last| last.row == point.row) {
            if last.column <= point.column {
                return;
            }
            self.corners.pop();
        }
        while let [.., before, last] = self.corners[..] {
            let last_turn = (last.column - before.column) * (point.row - before.row);
            let direct = (point.column - before.column) * (last.row - before.row);
            if last_turn < direct {
                break;
            }
            self.corners.pop();
        }
        self.corners.push(point);
    }

    /// The first column whose pixel centre is inside, for rows of pixels from the top down.
    fn columns(&self, rows: impl Iterator<Item = usize>) -> impl Iterator<Item = i64> {
        let mut edges = self.corners.windows(2).peekable();
        rows.filter_map(move |row| {
            let row = 2 * row as i64;
            while edges.next_if(|edge| edge[1].row < row).is_some() {}
            let &[from, to] = *edges.peek()? else { return None };
            let height = to.row - from.row;
            let column = from.column * height + (to.column - from.column) * (row - from.row);
            // Half pixels to pixels, rounded up.
            Some(-(-column).div_euclid(2 * height))
        })
    }
}
