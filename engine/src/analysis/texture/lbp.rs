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
use std::ops::Range;

use crate::image::Plane;
use crate::simd::{self, RowKernel};

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
    radius: isize,
    /// Whole pixels from the middle to the points at 45°, along rows and columns.
    whole: isize,
    /// The rest, as a share of a pixel.
    rest: f64,
}

/// Rows and columns to the points of a circle: -1, 0 or 1 times a distance, in the order of the bits.
const DIRECTIONS: [[isize; 2]; 8] = [[0, 1], [1, 1], [1, 0], [1, -1], [0, -1], [-1, -1], [-1, 0], [-1, 1]];

impl Patterns {
    pub(super) fn of(radii: &[u32], compatible: bool) -> Self {
        let circle = |radius: &u32| {
            let aslant = f64::from(*radius) * FRAC_1_SQRT_2;
            // At most a hundred.
            Circle { radius: *radius as isize, whole: aslant as isize, rest: aslant.fract() }
        };
        let circles: Vec<Circle> = radii.iter().map(circle).collect();
        // Every point lies in the crop, that of a pixel one beside the box too.
        let padding = radii.iter().max().map_or(0, |radius| *radius as usize) + 2;
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
        let mut patterns = Vec::new();
        let mut count = |row, columns| {
            circle.patterns(values, row, columns, &mut patterns);
            for pattern in &patterns {
                counts[usize::from(BIN_OF_PATTERN[usize::from(*pattern)])] += 1;
            }
        };
        if self.compatible {
            let size = values.size();
            let beside = self.padding - 1;
            (beside..size.height - beside).for_each(|row| count(row, beside..size.width - beside));
            return counts.map(|count| count as f64);
        }
        for run in region.runs {
            let start = run.start - region.bounds.x + self.padding;
            count(run.row - region.bounds.y + self.padding, start..start + run.columns().len());
        }
        counts.map(|count| count as f64 / region.area as f64)
    }
}

impl Circle {
    /// The patterns of pixels side by side: one bit for each point, in the order of its angle, that says whether it
    /// is brighter than the pixel in the middle.
    fn patterns(&self, values: &Plane<i32>, row: usize, columns: Range<usize>, patterns: &mut Vec<u8>) {
        patterns.clear();
        patterns.resize(columns.len(), 0);
        let beside = |down: isize, right: isize| {
            let start = columns.start.saturating_add_signed(right);
            &values.row(row.saturating_add_signed(down))[start..start + columns.len()]
        };
        let middle = beside(0, 0);
        for (bit, [down, right]) in DIRECTIONS.into_iter().enumerate() {
            if down == 0 || right == 0 {
                let points = beside(down * self.radius, right * self.radius);
                simd::run(Brighter { points, middle, bit, patterns });
                continue;
            }
            let (near, far) = (self.whole, self.whole + 1);
            let points = [
                beside(down * near, right * near),
                beside(down * near, right * far),
                beside(down * far, right * near),
                beside(down * far, right * far),
            ];
            simd::run(BrighterBetween { points, rest: self.rest, middle, bit, patterns });
        }
    }
}

/// Sets a bit where points are brighter than the pixels in the middle.
struct Brighter<'a> {
    points: &'a [i32],
    middle: &'a [i32],
    bit: usize,
    patterns: &'a mut [u8],
}

impl RowKernel for Brighter<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((pattern, middle), point) in self.patterns.iter_mut().zip(self.middle).zip(self.points) {
            *pattern |= u8::from(point > middle) << self.bit;
        }
    }
}

/// The same for points between four pixels.
struct BrighterBetween<'a> {
    /// Near and far along rows, and of each of these near and far along columns.
    points: [&'a [i32]; 4],
    rest: f64,
    middle: &'a [i32],
    bit: usize,
    patterns: &'a mut [u8],
}

impl RowKernel for BrighterBetween<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { points: [near, near_far, far_near, far], rest, middle, bit, patterns } = self;
        let pixels = patterns.iter_mut().zip(middle).zip(near).zip(near_far).zip(far_near).zip(far);
        for (((((pattern, middle), near), near_far), far_near), far) in pixels {
            // Differences are interpolated, not values: on even ground nothing is brighter by rounding.
            let rise = |point: &i32| f64::from(point - middle);
            let near = (1.0 - rest) * rise(near) + rest * rise(near_far);
            let far = (1.0 - rest) * rise(far_near) + rest * rise(far);
            *pattern |= u8::from((1.0 - rest) * near + rest * far > 0.0) << bit;
        }
    }
}
