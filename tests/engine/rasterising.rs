//! Polygons of any shape to label images, against naive code.

use proptest::prelude::*;
use tm_engine::geometry::{FillRule, MapOffset, Outline, Polygon, Ring, SiteFrame, Vertex, rasterise};
use tm_engine::image::{Plane, Size};

const SIZE: Size = Size::new(13, 17);
const OFFSET: MapOffset = MapOffset { y: -20, x: 50 };

fn rings() -> impl Strategy<Value = Ring> {
    let vertex = (-4i32..22, -4i32..18).prop_map(|(column, row)| Vertex::new(50 + column, 20 - row));
    prop::collection::vec(vertex, 3..9).prop_filter_map("first and last differ", |v| Ring::new(v).ok())
}

/// Where (row, column), in half pixels, lies: `None` on the ring, otherwise whether a line to the right
/// crosses it an odd number of times.
fn naive_inside(ring: &Ring, row: i64, column: i64) -> Option<bool> {
    let mut odd = false;
    for (from, to) in ring.edges() {
        let point = |v: Vertex| {
            (-2 * (i64::from(v.y) + i64::from(OFFSET.y)), 2 * (i64::from(v.x) - i64::from(OFFSET.x)))
        };
        let ((r0, c0), (r1, c1)) = (point(from), point(to));
        let cross = (c1 - c0) * (row - r0) - (r1 - r0) * (column - c0);
        let in_box = (r0.min(r1)..=r0.max(r1)).contains(&row) && (c0.min(c1)..=c0.max(c1)).contains(&column);
        if cross == 0 && in_box {
            return None;
        }
        // The point is left of an edge that runs down when the cross product is positive.
        if (r0 <= row) != (r1 <= row) && (cross > 0) == (r1 > r0) {
            odd = !odd;
        }
    }
    Some(odd)
}

/// As [`naive_inside`], with points on the ring counted as the half-open rule does: on an edge to the left
/// they are inside, on one to the right outside; moved right by less than any crossing is apart.
fn naive_half_open(ring: &Ring, row: i64, column: i64) -> bool {
    let crossings = ring.edges().filter(|(from, to)| {
        let point =
            |v: &Vertex| (-i128::from(v.y) - i128::from(OFFSET.y), i128::from(v.x) - i128::from(OFFSET.x));
        let ((r0, c0), (r1, c1)) = (point(from), point(to));
        let (row, column) = (i128::from(row), i128::from(column));
        if !(r0.min(r1) <= row && row < r0.max(r1)) {
            return false;
        }
        // column < c0 + (row - r0)·(c1 - c0)/(r1 - r0), multiplied out.
        let (height, run) = (r1 - r0, (row - r0) * (c1 - c0));
        if height > 0 { (column - c0) * height < run } else { (column - c0) * height > run }
    });
    crossings.count() % 2 == 1
}

fn paint(outlines: &[Outline], rule: FillRule) -> Plane<i32> {
    rasterise(outlines, SiteFrame::new(OFFSET, SIZE).expect("on the map"), rule).expect("it fits")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn pixel_centres_are_filled_by_the_even_odd_rule(shell in rings(), hole in rings(), other in rings()) {
        let parts = vec![
            Polygon { shell, holes: vec![hole] },
            Polygon { shell: other, holes: Vec::new() },
        ];
        let outline = Outline { label: 7, parts };
        let actual = paint(std::slice::from_ref(&outline), FillRule::PixelCentres);
        for row in 0..SIZE.height {
            for column in 0..SIZE.width {
                let (r, c) = (2 * row as i64 + 1, 2 * column as i64 + 1);
                let sides: Option<Vec<bool>> = outline.rings().map(|ring| naive_inside(ring, r, c)).collect();
                // A centre on a slanted edge belongs to one side of it; which one is not tested here.
                let Some(sides) = sides else { continue };
                let expected = sides.iter().filter(|inside| **inside).count() % 2 == 1;
                prop_assert_eq!(actual.get(row, column) == 7, expected, "row {}, column {}", row, column);
            }
        }
    }

    #[test]
    fn lattice_points_are_filled_half_open_or_with_their_border(shell in rings(), hole in rings()) {
        let outline = Outline { label: 3, parts: vec![Polygon { shell: shell.clone(), holes: vec![hole] }] };
        let half_open = paint(std::slice::from_ref(&outline), FillRule::HalfOpen);
        let inclusive = paint(std::slice::from_ref(&outline), FillRule::Inclusive);
        for row in 0..SIZE.height {
            for column in 0..SIZE.width {
                let (r, c) = (row as i64, column as i64);
                let inside = naive_half_open(&shell, r, c);
                prop_assert_eq!(half_open.get(row, column) == 3, inside, "row {}, column {}", row, column);
                let on_border = naive_inside(&shell, 2 * r, 2 * c).is_none();
                prop_assert_eq!(inclusive.get(row, column) == 3, inside || on_border);
            }
        }
    }

    #[test]
    fn a_polygon_covers_its_border_and_what_is_inside(
        shell in rings(), column in -4i32..22, row in -4i32..18,
    ) {
        let polygon = Polygon { shell: shell.clone(), holes: Vec::new() };
        let point = Vertex::new(50 + column, 20 - row);
        let expected = naive_inside(&shell, 2 * i64::from(row), 2 * i64::from(column)).unwrap_or(true);
        prop_assert_eq!(polygon.covers(point), expected);
    }
}

#[test]
fn later_outlines_overwrite_earlier_ones() {
    let outline = |label, size| {
        let site = SiteFrame::new(OFFSET, Size::new(size, size)).expect("on the map");
        Outline { label, parts: vec![Polygon { shell: site.rect().to_ring(), holes: Vec::new() }] }
    };
    let labels = paint(&[outline(1, 5), outline(2, 3), outline(3, 1)], FillRule::PixelCentres);
    assert_eq!([labels.get(0, 0), labels.get(2, 2), labels.get(3, 3), labels.get(5, 5)], [3, 2, 1, 0]);
}

#[test]
fn outlines_as_large_as_the_map_are_painted() {
    let (low, high) = (i32::MIN, i32::MAX);
    let corners = [(low, low), (high, low), (high, high), (low, high)];
    let shell = Ring::new(corners.iter().map(|(x, y)| Vertex::new(*x, *y)).collect()).expect("a ring");
    let all = Outline { label: 4, parts: vec![Polygon { shell, holes: Vec::new() }] };
    assert!((all.area() / 2f64.powi(64) - 1.0).abs() < 1e-9);
    for rule in [FillRule::PixelCentres, FillRule::HalfOpen, FillRule::Inclusive] {
        assert!(paint(std::slice::from_ref(&all), rule).pixels().iter().all(|label| *label == 4));
    }
    let corners = [(low, low), (high, low), (low, high)];
    let shell = Ring::new(corners.iter().map(|(x, y)| Vertex::new(*x, *y)).collect()).expect("a ring");
    let half = Outline { label: 4, parts: vec![Polygon { shell, holes: Vec::new() }] };
    assert_eq!(paint(&[half], FillRule::PixelCentres).get(0, 0), 0, "(50, 20) is above the diagonal");
}

#[test]
fn a_site_of_more_pixels_than_memory_has_is_refused() {
    let site = SiteFrame::new(MapOffset::default(), Size::new(1 << 30, 1 << 30)).expect("on the map");
    assert!(rasterise(&[], site, FillRule::PixelCentres).is_err());
}
