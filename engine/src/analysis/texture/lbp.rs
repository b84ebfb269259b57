//! Local binary patterns: how often a pixel is darker than which of its neighbours.
//!
//! Eight points lie on a circle of radius r around a pixel, at multiples of 45°. Values between pixels are
//! interpolated (bilinear), those outside the object are 0. A point brighter than the pixel sets a bit; the code is
//! the smallest number that rotating the bits gives. There are 36 of these, which are counted in ascending order.
//! The features are the shares of the object's pixels.
//!
//! The original counted, and did not divide; it took all pixels of the bounding box and one pixel around it (D25).
//! This is what `compatible` gives.
//!
//! Ojala, Pietikäinen and Mäenpää, IEEE Transactions on Pattern Analysis and Machine Intelligence 24:971 (2002).

use std::f64::consts::FRAC_1_SQRT_2;

use crate::image::Plane;

use super::super::Region;
use super::crop::crop;

/// Number of codes that differ by more than a rotation.
const BINS: usize = 36;

/// The bin of each pattern of eight bits.
const BIN_OF_PATTERN: [u8; 256] = bins();

const fn bins() -> [u8; 256] {
    let mut bins = [0; 256];
    let (mut pattern, mut next) = (0u8, 0);
    loop {
        let mut smallest = pattern;
        let mut turn = 1;
        while turn < 8 {
            if pattern.rotate_left(turn) < smallest {
                smallest = pattern.rotate_left(turn);
            }
            turn += 1;
        }
        if smallest == pattern {
            bins[pattern as usize] = next;
            next += 1;
        } else {
            // Smaller, so it has its bin.
            bins[pattern as usize] = bins[smallest as usize];
        }
        if pattern == u8::MAX {
            return bins;
        }
        pattern += 1;
    }
}

/// The names of the columns.
pub(super) fn columns(radii: &[u32]) -> Vec<String> {
    let names = |radius: &u32| {
        let radius = *radius;
        (0..BINS).map(move |bin| format!("Texture_LBP-radius-{radius}-{bin}"))
    };
    radii.iter().flat_map(names).collect()
}

/// Circles to look at.
pub(super) struct Patterns {
    circles: Vec<Circle>,
    padding: usize,
    compatible: bool,
}

/// Where the points of a circle lie.
struct Circle {
    radius: usize,
    /// Whole pixels from the middle to the points at 45°, along rows and columns.
    whole: usize,
    /// The rest, as a share of a pixel.
    rest: f64,
}

impl Patterns {
    pub(super) fn of(radii: &[u32], compatible: bool) -> Self {
        let circle = |radius: &u32| {
            let aslant = f64::from(*radius) * FRAC_1_SQRT_2;
            // At most a hundred.
            Circle { radius: *radius as usize, whole: aslant as usize, rest: aslant.fract() }
        };
        let circles: Vec<Circle> = radii.iter().map(circle).collect();
        // Every point lies in the crop, that of a pixel one beside the box too.
        let padding = circles.iter().map(|circle| circle.radius).max().unwrap_or(0) + 2;
        Self { circles, padding, compatible }
    }

    /// The features of one object.
    pub(super) fn count(&self, region: Region<'_>, image: &Plane<u16>) -> Vec<f64> {
        if self.circles.is_empty() {
            return Vec::new();
        }
        let values = crop(region, self.padding, |row, column| i32::from(image.get(row, column)));
        self.circles.iter().flat_map(|circle| self.shares(circle, region, &values)).collect()
    }

    fn shares(&self, circle: &Circle, region: Region<'_>, values: &Plane<i32>) -> [f64; BINS] {
        let mut counts = [0usize; BINS];
        let mut count = |row: usize, column: usize| {
            counts[usize::from(BIN_OF_PATTERN[usize::from(circle.pattern(values, row, column))])] += 1;
        };
        if self.compatible {
            let size = values.size();
            for row in self.padding - 1..size.height - self.padding + 1 {
                (self.padding - 1..size.width - self.padding + 1).for_each(|column| count(row, column));
            }
            return counts.map(|count| count as f64);
        }
        for run in region.runs {
            let row = run.row - region.bounds.y + self.padding;
            run.columns().for_each(|column| count(row, column - region.bounds.x + self.padding));
        }
        counts.map(|count| count as f64 / region.area as f64)
    }
}

impl Circle {
    /// One bit for each point, in the order of its angle: whether it is brighter than the pixel in the middle.
    fn pattern(&self, values: &Plane<i32>, row: usize, column: usize) -> u8 {
        let (height, width) = (self.radius, self.radius);
        let middle = values.get(row, column);
        let rise = |row, column| f64::from(values.get(row, column) - middle);
        let (rest, whole) = (self.rest, self.whole);
        let (up, left) = (row - whole, column - whole);
        let (down, right) = (row + whole, column + whole);
        // Differences are interpolated, not values: on even ground nothing is brighter by rounding.
        let between = |near_row: usize, far_row: usize, near_column: usize, far_column: usize| {
            let near = (1.0 - rest) * rise(near_row, near_column) + rest * rise(near_row, far_column);
            let far = (1.0 - rest) * rise(far_row, near_column) + rest * rise(far_row, far_column);
            (1.0 - rest) * near + rest * far > 0.0
        };
        let bits = [
            values.get(row, column + width) > middle,
            between(down, down + 1, right, right + 1),
            values.get(row + height, column) > middle,
            between(down, down + 1, left, left - 1),
            values.get(row, column - width) > middle,
            between(up, up - 1, left, left - 1),
            values.get(row - height, column) > middle,
            between(up, up - 1, right, right + 1),
        ];
        bits.iter().enumerate().fold(0, |pattern, (bit, set)| pattern | u8::from(*set) << bit)
    }
}
