//! Sums of the coordinates of an object's pixels, and the ellipse that has the same second moments.

use super::{Position, Region};

/// Sums over the pixels of an object, with coordinates from the first row and column of its bounding box.
pub(super) struct Moments {
    area: u128,
    x: u128,
    y: u128,
    xx: u128,
    xy: u128,
    yy: u128,
    left: usize,
    top: usize,
}

/// An ellipse; lengths in pixels.
pub(super) struct Ellipse {
    pub(super) major_axis: f64,
    pub(super) minor_axis: f64,
    pub(super) eccentricity: f64,
}

impl Moments {
    pub(super) fn of(region: Region<'_>) -> Self {
        let (left, top) = (region.bounds.x, region.bounds.y);
        let mut sums = Self { area: 0, x: 0, y: 0, xx: 0, xy: 0, yy: 0, left, top };
        for run in region.runs {
            let (start, end) = ((run.start - left) as u128, (run.end - left) as u128);
            let (pixels, y) = (end - start, (run.row - top) as u128);
            let x = sum_below(end) - sum_below(start);
            sums.area += pixels;
            sums.x += x;
            sums.y += pixels * y;
            sums.xx += sum_of_squares_below(end) - sum_of_squares_below(start);
            sums.xy += x * y;
            sums.yy += pixels * y * y;
        }
        sums
    }

    /// Mean column.
    pub(super) fn centroid_x(&self) -> f64 {
        self.left as f64 + self.x as f64 / self.area as f64
    }

    /// Mean row.
    pub(super) fn centroid_y(&self) -> f64 {
        self.top as f64 + self.y as f64 / self.area as f64
    }

    /// The pixel that the centroid lies on or right of and below, both cut off to whole numbers.
    pub(super) fn centroid_pixel(&self) -> Position {
        // Means of coordinates of the image, so they fit.
        let mean = |sum: u128| (sum / self.area) as usize;
        Position { row: self.top + mean(self.y), column: self.left + mean(self.x) }
    }

    pub(super) fn ellipse(&self) -> Ellipse {
        // Central moments times the area: whole numbers, of which only the mixed one can be negative.
        let area = self.area as f64;
        let central = |square: u128, one: u128, other: u128| {
            let (square, product) = (self.area * square, one * other);
            let value = square.abs_diff(product) as f64 / (area * area);
            if square < product { -value } else { value }
        };
        let a = central(self.xx, self.x, self.x);
        let c = central(self.yy, self.y, self.y);
        let b = central(self.xy, self.x, self.y);
        let larger = f64::midpoint(a + c, (4.0 * b * b + (a - c) * (a - c)).sqrt());
        if larger == 0.0 {
            return Ellipse { major_axis: 0.0, minor_axis: 0.0, eccentricity: 0.0 };
        }
        // The product of both is the determinant; a difference would lose digits of thin objects.
        let smaller = ((a * c - b * b) / larger).clamp(0.0, larger);
        Ellipse {
            major_axis: 4.0 * larger.sqrt(),
            minor_axis: 4.0 * smaller.sqrt(),
            eccentricity: (1.0 - smaller / larger).sqrt(),
        }
    }
}

/// 0 + 1 + … + (end − 1).
fn sum_below(end: u128) -> u128 {
    end * end.saturating_sub(1) / 2
}

/// 0² + 1² + … + (end − 1)².
fn sum_of_squares_below(end: u128) -> u128 {
    let last = end.saturating_sub(1);
    last * end * (2 * last + 1) / 6
}
