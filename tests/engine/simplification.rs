//! Simplified outlines: valid, near the original, and sharing borders where they are simplified together.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tm_engine::geometry::{
    FillRule, MapOffset, Outline, Polygon, Ring, SiteFrame, Vertex, rasterise, simplify, simplify_shared,
};
use tm_engine::image::{Plane, Size};
use tm_engine::{Engine, EngineError};

use crate::outlines::{OFFSET, label_images, site_of, trace};
use crate::vectors::outlines::distance_to_ring;

fn vertices(ring: &Ring) -> BTreeSet<Vertex> {
    ring.vertices().iter().copied().collect()
}

/// What a simplified polygon must be, given what it came from.
fn assert_simplified(original: &Polygon, simple: &Polygon, tolerance: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(simple.check(), Ok(()), "{:?} from {:?}", simple, original);
    prop_assert_eq!(simple.holes.len(), original.holes.len());
    for (original, simple) in original.rings().zip(simple.rings()) {
        for vertex in original.vertices() {
            let distance = distance_to_ring(*vertex, simple);
            prop_assert!(distance <= tolerance + 1e-9, "{:?} is {} away", vertex, distance);
        }
    }
    Ok(())
}

/// Edges of outlines, with their direction and the label on their left.
fn edges(outlines: &[Outline]) -> BTreeSet<(Vertex, Vertex)> {
    outlines.iter().flat_map(Outline::rings).flat_map(Ring::edges).collect()
}

fn tolerances() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), Just(2.0), Just(5.0), 0.0..8.0f64]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_simplified_polygon_is_valid_and_near_the_original(
        labels in label_images(true), tolerance in tolerances(),
    ) {
        for polygon in trace(&labels).iter().flat_map(|outline| &outline.parts) {
            let simple = simplify(polygon, tolerance).expect("the tolerance is in range");
            assert_simplified(polygon, &simple, tolerance)?;
            for (original, simple) in polygon.rings().zip(simple.rings()) {
                prop_assert!(vertices(original).is_superset(&vertices(simple)));
            }
        }
    }

    #[test]
    fn outlines_simplified_together_are_valid_and_near_the_originals(
        labels in label_images(true), tolerance in tolerances(),
    ) {
        let outlines = trace(&labels);
        let simple = simplify_shared(&outlines, site_of(&labels), tolerance).expect("they are pixel edges");
        prop_assert_eq!(simple.len(), outlines.len());
        let all: BTreeSet<Vertex> = outlines.iter().flat_map(Outline::rings).flat_map(vertices).collect();
        for (original, simple) in outlines.iter().zip(&simple) {
            prop_assert_eq!(original.label, simple.label);
            prop_assert_eq!(original.parts.len(), simple.parts.len());
            for (original, simple) in original.parts.iter().zip(&simple.parts) {
                assert_simplified(original, simple, tolerance)?;
                prop_assert!(all.is_superset(&simple.rings().flat_map(vertices).collect()));
            }
        }
    }

    #[test]
    fn outlines_that_cover_a_site_still_cover_it_when_simplified_together(
        labels in label_images(false), tolerance in tolerances(),
    ) {
        let site = site_of(&labels);
        let simple = simplify_shared(&trace(&labels), site, tolerance).expect("they are pixel edges");
        // Every edge inside the site is the edge of a neighbour too, the other way round.
        let edges = edges(&simple);
        for (from, to) in &edges {
            let rect = site.rect();
            let on_border = [from, to].iter().all(|v| v.x == rect.x_min)
                || [from, to].iter().all(|v| v.x == rect.x_max)
                || [from, to].iter().all(|v| v.y == rect.y_min)
                || [from, to].iter().all(|v| v.y == rect.y_max);
            prop_assert_eq!(edges.contains(&(*to, *from)), !on_border, "{:?} to {:?}", from, to);
        }
        let area: f64 = simple.iter().map(Outline::area).sum();
        prop_assert_eq!(area, labels.size().area() as f64);
    }

    #[test]
    fn with_tolerance_zero_shapes_stay(labels in label_images(true)) {
        let (outlines, site) = (trace(&labels), site_of(&labels));
        let simple = simplify_shared(&outlines, site, 0.0).expect("they are pixel edges");
        prop_assert_eq!(&rasterise(&simple, site, FillRule::PixelCentres).expect("it fits"), &labels);
        for outline in &outlines {
            for part in &outline.parts {
                prop_assert_eq!(&simplify(part, 0.0).expect("the tolerance is in range"), part);
            }
        }
    }
}

fn polygon(shell: &[(i32, i32)], holes: &[&[(i32, i32)]]) -> Polygon {
    let ring = |corners: &[(i32, i32)]| {
        Ring::new(corners.iter().map(|(x, y)| Vertex::new(*x, *y)).collect()).expect("a ring")
    };
    Polygon { shell: ring(shell), holes: holes.iter().map(|hole| ring(hole)).collect() }
}

#[test]
fn a_hole_under_a_bulge_keeps_the_bulge() {
    // Without the bulge's tip at (50, 120) the upper border would pass below the hole.
    let shell = [(0, 0), (100, 0), (100, 100), (60, 100), (50, 120), (40, 100), (0, 100)];
    let hole = [(50, 115), (51, 113), (49, 113)];
    let with_hole = polygon(&shell, &[&hole]);
    with_hole.check().expect("the polygon is valid");
    let simple = simplify(&with_hole, 25.0).expect("the tolerance is in range");
    simple.check().expect("the polygon is valid");
    assert!(simple.shell.vertices().contains(&Vertex::new(50, 120)), "{simple:?}");
    let without = simplify(&polygon(&shell, &[]), 25.0).expect("the tolerance is in range");
    assert!(!without.shell.vertices().contains(&Vertex::new(50, 120)), "{without:?}");
}

#[test]
fn the_smallest_ring_left_is_a_triangle() {
    let square = polygon(&[(0, 0), (2, 0), (2, 2), (0, 2)], &[]);
    let simple = simplify(&square, 1000.0).expect("the tolerance is in range");
    assert_eq!(simple.shell.vertices().len(), 3);
    simple.check().expect("the polygon is valid");
}

#[test]
fn a_border_between_two_cells_is_simplified_once() {
    // Two cells in a staircase, in a site larger than both.
    let size = Size::new(40, 60);
    let labels = Plane::from_fn(size, |row, column| {
        let inside = (5..35).contains(&row) && (5..55).contains(&column);
        if !inside {
            0
        } else if column < 15 + row {
            1
        } else {
            2
        }
    });
    let outlines = trace(&labels);
    let together = simplify_shared(&outlines, site_of(&labels), 1.5).expect("they are pixel edges");
    let count = |outlines: &[Outline]| -> usize {
        outlines.iter().flat_map(Outline::rings).map(|ring| ring.vertices().len()).sum()
    };
    assert!(count(&outlines) > 100, "a staircase has many corners");
    assert!(count(&together) <= 10, "{together:?}");
    let area: f64 = together.iter().map(Outline::area).sum();
    assert_eq!(area, 30.0 * 50.0, "neither gap nor overlap");
}

#[test]
fn tolerances_out_of_range_are_refused() {
    let square = polygon(&[(0, 0), (2, 0), (2, 2), (0, 2)], &[]);
    let outline = Outline { label: 1, parts: vec![square.clone()] };
    let site = SiteFrame::new(MapOffset::default(), Size::new(9, 9)).expect("on the map");
    for tolerance in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(simplify(&square, tolerance), Err(EngineError::Parameter { .. })), "{tolerance}");
        let together = simplify_shared(std::slice::from_ref(&outline), site, tolerance);
        assert!(matches!(together, Err(EngineError::Parameter { .. })), "{tolerance}");
    }
    let whole = simplify(&square, f64::MAX).expect("the tolerance is in range");
    assert_eq!(whole.shell.vertices().len(), 3);
}

#[test]
fn only_outlines_along_pixels_are_simplified_together() {
    let slanted = Outline { label: 1, parts: vec![polygon(&[(0, 0), (2, 0), (0, 2)], &[])] };
    let site = SiteFrame::new(OFFSET, Size::new(9, 9)).expect("on the map");
    assert!(matches!(simplify_shared(&[slanted], site, 1.0), Err(EngineError::Parameter { .. })));
    assert_eq!(simplify_shared(&[], site, 1.0).expect("nothing to do"), []);
}

#[test]
fn a_large_object_with_a_jagged_border_is_simplified_in_reasonable_time() {
    // A comb of 2 000 teeth with four corners each, whose stretches are long and thin.
    let labels = Plane::from_fn(Size::new(40, 4000), |row, column| i32::from(row >= 20 || column % 2 == 0));
    let outlines = Engine::cpu().trace_outlines(&labels, OFFSET).expect("labels are traced");
    let original = &outlines[0].parts[0];
    assert_eq!(original.shell.vertices().len(), 8002);
    for tolerance in [1.0, 17.0, 100.0] {
        let simple = simplify(original, tolerance).expect("the tolerance is in range");
        simple.check().expect("the polygon is valid");
    }
}
