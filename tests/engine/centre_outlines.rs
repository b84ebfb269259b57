//! The outlines of the original: borders are followed all around, and nothing but the border.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tm_engine::geometry::{FillRule, MapOffset, Outline, Ring, SiteFrame, Vertex, rasterise};
use tm_engine::image::{Plane, Size};
use tm_engine::kernels::contours::centre::{self, LabelPoint};

use crate::outlines::{OFFSET, at, label_images, pixels_of};

fn trace(labels: &Plane<i32>) -> Vec<Outline> {
    centre::trace(labels.view(), OFFSET).expect("labels are traced")
}

fn is_cleared(size: Size, row: i64, column: i64) -> bool {
    row <= 0 || column <= 0 || row >= size.height as i64 - 1 || column >= size.width as i64 - 1
}

const CROSS: [(i64, i64); 5] = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)];

/// One label after clearing the image border and opening with the cross.
fn opened(labels: &Plane<i32>, label: i32) -> BTreeSet<(i64, i64)> {
    let has = |row, column| !is_cleared(labels.size(), row, column) && at(labels, row, column) == label;
    let centres = pixels_of(labels).into_iter().map(|(row, column)| (row as i64, column as i64));
    let centres = centres.filter(|(row, column)| CROSS.iter().all(|(r, c)| has(row + r, column + c)));
    centres.flat_map(|(row, column)| CROSS.map(|(r, c)| (row + r, column + c))).collect()
}

fn pixel_of(vertex: Vertex) -> (i64, i64) {
    (-i64::from(vertex.y) - i64::from(OFFSET.y), i64::from(vertex.x) - i64::from(OFFSET.x))
}

/// Pixels of one 8-connected part, and the pixels of it that the outside touches at a side.
fn part_and_border(pixels: &BTreeSet<(i64, i64)>, start: (i64, i64)) -> [BTreeSet<(i64, i64)>; 2] {
    let mut part = BTreeSet::from([start]);
    let mut waiting = vec![start];
    while let Some((row, column)) = waiting.pop() {
        for next in (-1..=1).flat_map(|r| (-1..=1).map(move |c| (row + r, column + c))) {
            if pixels.contains(&next) && part.insert(next) {
                waiting.push(next);
            }
        }
    }
    let mut outside = BTreeSet::from([(-3, -3)]);
    let mut border = BTreeSet::new();
    let mut waiting = vec![(-3, -3)];
    while let Some((row, column)) = waiting.pop() {
        for (r, c) in CROSS {
            let next = (row + r, column + c);
            if part.contains(&next) {
                border.insert(next);
            } else if (-3..30).contains(&next.0) && (-3..30).contains(&next.1) && outside.insert(next) {
                waiting.push(next);
            }
        }
    }
    [part, border]
}

/// Larger objects than the other tests have: openings leave something of them.
fn images() -> impl Strategy<Value = Plane<i32>> {
    (label_images(true), 1usize..4).prop_map(|(coarse, factor)| {
        let size = Size::new(coarse.size().height * factor, coarse.size().width * factor);
        let small = Size::new(size.height.min(26), size.width.min(26));
        Plane::from_fn(small, |row, column| coarse.get(row / factor, column / factor))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_shell_runs_along_all_outer_pixels_of_one_part_and_no_others(labels in images()) {
        for outline in trace(&labels) {
            let pixels = opened(&labels, outline.label);
            let shell = &outline.parts[0].shell;
            if pixels.is_empty() {
                continue;
            }
            let followed: BTreeSet<(i64, i64)> = shell.vertices().iter().copied().map(pixel_of).collect();
            let start = pixel_of(shell.vertices()[0]);
            let [part, border] = part_and_border(&pixels, start);
            prop_assert_eq!(Some(&start), part.iter().next(), "it starts at the first pixel in raster order");
            prop_assert_eq!(&followed, &border);
            prop_assert!(shell.doubled_area() > 0, "counter-clockwise");
            for (from, to) in shell.edges() {
                prop_assert!((from.x - to.x).abs() <= 1 && (from.y - to.y).abs() <= 1 && from != to);
            }
            // No other part has a longer border.
            let mut rest: BTreeSet<_> = pixels.difference(&part).copied().collect();
            while let Some(other) = rest.first().copied() {
                let [other, border] = part_and_border(&pixels, other);
                prop_assert!(border.len() <= shell.vertices().len());
                rest.retain(|pixel| !other.contains(pixel));
            }
            // Filled, it is the part with its holes filled.
            let site = SiteFrame::new(OFFSET, labels.size()).expect("on the map");
            let filled = rasterise(std::slice::from_ref(&outline), site, FillRule::Inclusive).expect("it fits");
            for (row, column) in &part {
                prop_assert_eq!(at(&filled, *row, *column), outline.label);
            }
        }
    }

    #[test]
    fn points_are_mean_pixels_rounded_towards_zero(labels in images(), y in -9i32..9, x in -9i32..9) {
        let points = centre::points(labels.view(), MapOffset { y, x }).expect("labels have means");
        let present: BTreeSet<i32> = labels.pixels().iter().copied().filter(|label| *label > 0).collect();
        prop_assert_eq!(points.iter().map(|point| point.label).collect::<Vec<_>>(), Vec::from_iter(present));
        for LabelPoint { label, point } in points {
            let pixels = pixels_of(&labels).into_iter().filter(|(row, column)| labels.get(*row, *column) == label);
            let (mut count, mut rows, mut columns) = (0.0, 0.0, 0.0);
            for (row, column) in pixels {
                (count, rows, columns) = (count + 1.0, rows + row as f64, columns + column as f64);
            }
            let expected = [f64::from(x) + columns / count, -(f64::from(y) + rows / count)];
            for (expected, actual) in expected.into_iter().zip([point.x, point.y].map(f64::from)) {
                // Sums of whole numbers this small divide exactly enough, but for means that are whole.
                let near = (expected - expected.round()).abs() < 1e-9;
                prop_assert_eq!(actual, if near { expected.round() } else { expected.trunc() });
            }
        }
    }

    #[test]
    fn every_label_inside_the_image_border_has_one_outline(labels in images()) {
        let size = labels.size();
        let inside = |(row, column): &(usize, usize)| !is_cleared(size, *row as i64, *column as i64);
        let expected: BTreeSet<i32> = pixels_of(&labels)
            .into_iter()
            .filter(inside)
            .map(|(row, column)| labels.get(row, column))
            .filter(|label| *label > 0)
            .collect();
        let actual: Vec<i32> = trace(&labels).iter().map(|outline| outline.label).collect();
        prop_assert_eq!(actual, expected.into_iter().collect::<Vec<_>>());
    }
}

fn to_pixels(ring: &Ring) -> Vec<(i64, i64)> {
    ring.vertices().iter().copied().map(pixel_of).collect()
}

#[test]
fn of_several_holes_the_last_in_raster_order_is_kept() {
    let labels = Plane::from_fn(Size::new(12, 18), |row, column| {
        let hole = (row == 4 || row == 5) && [4, 5, 11, 12].contains(&column);
        i32::from((1..11).contains(&row) && (1..17).contains(&column) && !hole)
    });
    let outlines = trace(&labels);
    let [hole] = &outlines[0].parts[0].holes[..] else { panic!("one hole") };
    // Along the pixels around it: the border starts left of the hole's first pixel.
    let around = [(4, 10), (3, 11), (3, 12), (4, 13), (5, 13), (6, 12), (6, 11), (5, 10)];
    assert_eq!(to_pixels(hole)[0], (4, 10));
    assert_eq!(to_pixels(hole).into_iter().collect::<BTreeSet<_>>(), around.into_iter().collect());
}

#[test]
fn an_object_that_the_opening_removes_is_a_square_around_its_mean_pixel() {
    let labels =
        Plane::from_fn(Size::new(9, 9), |row, column| i32::from(row == 4 && (2..6).contains(&column)));
    let outlines = trace(&labels);
    // The mean column, 3.5, is rounded down.
    assert_eq!(to_pixels(&outlines[0].parts[0].shell), [(3, 2), (3, 4), (5, 4), (5, 2)]);
}

#[test]
fn a_label_on_the_image_border_only_has_no_outline() {
    let labels = Plane::from_fn(Size::new(5, 7), |row, _| i32::from(row == 0));
    assert_eq!(trace(&labels), []);
}
