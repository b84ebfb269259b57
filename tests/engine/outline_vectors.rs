//! The numeric vectors of outlines: label images to polygons and back, measures, borders, tiles.

use ndarray::{Array2, ArrayD};
use serde_json::Value;
use tm_engine::Engine;
use tm_engine::geometry::{
    FillRule, MapOffset, MapRect, Outline, Polygon, Ring, SiteFrame, Vertex, rasterise, simplify,
};
use tm_engine::image::{Plane, Size};
use tm_engine::kernels::contours::{border_labels, centre};
use tm_tests::backends::engines;
use tm_tests::compare::assert_close;
use tm_tests::vectors::{Vector, plane};

fn number(value: &Value) -> i32 {
    i32::try_from(value.as_i64().expect("a whole number")).expect("32 bits")
}

fn offset_of(vector: &Vector) -> MapOffset {
    MapOffset { y: number(vector.parameter("y_offset")), x: number(vector.parameter("x_offset")) }
}

fn index(value: i32) -> usize {
    usize::try_from(value).expect("not negative")
}

/// Outlines from ring arrays: `[label, part, is_hole, first_vertex, n_vertices]` and `[x, y]`.
fn outlines_of(rings: &ArrayD<i32>, xy: &ArrayD<i32>) -> Vec<Outline> {
    let mut outlines: Vec<Outline> = Vec::new();
    for row in rings.rows() {
        let (first, count) = (index(row[3]), index(row[4]));
        let vertices = (first..first + count).map(|i| Vertex::new(xy[[i, 0]], xy[[i, 1]])).collect();
        let ring = Ring::new(vertices).expect("a ring");
        if outlines.last().is_none_or(|outline| outline.label != row[0]) {
            outlines.push(Outline { label: row[0], parts: Vec::new() });
        }
        let parts = &mut outlines.last_mut().expect("one was added").parts;
        if row[2] == 0 {
            assert_eq!(index(row[1]), parts.len(), "parts are in order");
            parts.push(Polygon { shell: ring, holes: Vec::new() });
        } else {
            parts[index(row[1])].holes.push(ring);
        }
    }
    outlines
}

fn outlines_named(vector: &Vector) -> Vec<Outline> {
    outlines_of(&vector.expected("rings"), &vector.expected("xy"))
}

fn input_outlines(vector: &Vector) -> Vec<Outline> {
    outlines_of(&vector.input("rings"), &vector.input("xy"))
}

fn assert_same_outlines(expected: &[Outline], actual: &[Outline]) {
    assert!(!expected.is_empty(), "the vector has outlines");
    for (expected, actual) in expected.iter().zip(actual) {
        assert_eq!(expected, actual, "label {}", expected.label);
    }
    assert_eq!(expected.len(), actual.len());
}

#[test]
fn vectors_outline_exact() {
    let vector = Vector::load("outline_exact");
    let labels = plane::<i32>(&vector.input("labels"));
    for engine in engines() {
        let outlines = engine.trace_outlines(&labels, offset_of(&vector)).expect("labels are traced");
        assert_same_outlines(&outlines_named(&vector), &outlines);
    }
}

#[test]
fn vectors_rasterise_exact() {
    let vector = Vector::load("rasterise_exact");
    let expected = plane::<i32>(&vector.expected("labels"));
    let site = SiteFrame::new(offset_of(&vector), expected.size()).expect("on the map");
    let labels = rasterise(&input_outlines(&vector), site, FillRule::PixelCentres).expect("it fits");
    assert_eq!(labels, expected);
}

#[test]
fn vectors_outline_centre() {
    let vector = Vector::load("outline_centre");
    let labels = plane::<i32>(&vector.input("labels"));
    let outlines = centre::trace(labels.view(), offset_of(&vector)).expect("labels are traced");
    assert_same_outlines(&outlines_named(&vector), &outlines);
}

#[test]
fn vectors_rasterise_centre() {
    let vector = Vector::load("rasterise_centre");
    let outlines = input_outlines(&vector);
    for (name, rule) in [("half_open", FillRule::HalfOpen), ("inclusive", FillRule::Inclusive)] {
        let expected = plane::<i32>(&vector.expected(name));
        let site = SiteFrame::new(offset_of(&vector), expected.size()).expect("on the map");
        assert_eq!(rasterise(&outlines, site, rule).expect("it fits"), expected, "{name}");
    }
}

#[test]
fn vectors_polygon_measure() {
    let table = Vector::load("polygon_measure");
    let mut actual = Vec::new();
    for (name, added) in [("outline_centre", 0.0), ("outline_exact", 1000.0)] {
        for outline in outlines_named(&Vector::load(name)) {
            for (part, polygon) in (0u32..).zip(&outline.parts) {
                let centroid = polygon.centroid();
                let label = f64::from(outline.label) + added;
                actual.extend([label, part.into(), polygon.area(), centroid.x, centroid.y]);
            }
        }
    }
    let expected: Vec<f64> = table.expected::<f64>("table").iter().copied().collect();
    assert_close("area and centroid", &expected, &actual, table.tolerance());
}

#[test]
fn vectors_border_objects() {
    let vector = Vector::load("border_objects");
    let labels = plane::<i32>(&vector.input("labels"));
    let site = SiteFrame::new(MapOffset::default(), labels.size()).expect("on the map");
    let rectangle = site.original_rect().expect("large enough").to_ring();
    let outlines = centre::trace(labels.view(), MapOffset::default()).expect("labels are traced");
    let at_edge = border_labels(&labels);
    let expected = vector.expected::<i64>("table");
    for row in expected.rows() {
        let label = i32::try_from(row[0]).expect("32 bits");
        let outline = outlines.iter().find(|outline| outline.label == label);
        let meets =
            outline.is_some_and(|outline| outline.parts.iter().any(|part| part.meets_ring(&rectangle)));
        let flags = [outline.is_some(), meets, at_edge.contains(&label)];
        assert_eq!(flags.map(i64::from), [row[1], row[2], row[3]], "label {label}");
    }
    assert!(!expected.is_empty(), "the vector has labels");
}

#[test]
fn vectors_static_outline() {
    let table: Array2<i64> =
        Vector::load("static_outline").expected("table").into_dimensionality().expect("a table");
    for row in table.rows() {
        let row: Vec<i32> = row.iter().map(|value| i32::try_from(*value).expect("32 bits")).collect();
        let size = Size::new(index(row[2]), index(row[3]));
        let site = SiteFrame::new(MapOffset { y: row[0], x: row[1] }, size).expect("on the map");
        let rect = MapRect { x_min: row[4], y_min: row[5], x_max: row[6], y_max: row[7] };
        assert_eq!(site.original_rect(), Some(rect));
        assert!(rect.to_ring().doubled_area() > 0, "counter-clockwise");
    }
    assert!(table.nrows() > 0, "the vector has items");
}

/// The geometry of the vector; which zoom level shows what is for the server to decide, and taken from it.
#[test]
fn vectors_tile_query() {
    let vector = Vector::load("tile_query");
    let max_zoom = number(vector.parameter("maxzoom"));
    let boxes = vector.input::<i64>("boxes_x0_row0_x1_row1");
    let polygons: Vec<Polygon> = boxes
        .rows()
        .into_iter()
        .map(|row| {
            let [x_min, top, x_max, bottom] = [0, 1, 2, 3].map(|i| i32::try_from(row[i]).expect("32 bits"));
            let shell = MapRect { x_min, y_min: -bottom, x_max, y_max: -top }.to_ring();
            Polygon { shell, holes: Vec::new() }
        })
        .collect();
    let table = vector.expected::<i64>("table");
    for row in table.rows() {
        let row: Vec<i32> = row.iter().map(|value| i32::try_from(*value).expect("32 bits")).collect();
        let side = 256 << (max_zoom - row[0]);
        let (y, x) = (row[1], row[2]);
        let tile =
            MapRect { x_min: x * side, y_min: -(y + 1) * side, x_max: (x + 1) * side, y_max: -y * side };
        let hits = polygons.iter().map(|polygon| match row[3] {
            0 => false,
            1 => {
                let centroid = polygon.centroid();
                (f64::from(tile.x_min)..=f64::from(tile.x_max)).contains(&centroid.x)
                    && (f64::from(tile.y_min)..=f64::from(tile.y_max)).contains(&centroid.y)
            }
            _ => polygon.intersects(&tile),
        });
        assert_eq!(hits.map(i32::from).collect::<Vec<_>>(), row[4..], "tile {:?}", &row[..3]);
    }
    assert!(!table.is_empty(), "the vector has tiles");
}

#[test]
fn vectors_simplify() {
    let vector = Vector::load("simplify");
    let vertices_of = |array: &ArrayD<i32>| -> Vec<Vertex> {
        array.rows().into_iter().map(|row| Vertex::new(row[0], row[1])).collect()
    };
    let ring = Ring::new(vertices_of(&vector.input("ring"))).expect("a ring");
    let polygon = Polygon { shell: ring.clone(), holes: Vec::new() };
    for step in 0..5u32 {
        let tolerance = f64::from(step * step + 1);
        let simple = simplify(&polygon, tolerance).expect("the tolerance is in range");
        simple.check().expect("the polygon is valid");
        // The vector's rings are closed.
        let count = simple.shell.vertices().len() + 1;
        let expected = vertices_of(&vector.expected(&format!("dz{step}"))).len();
        assert!(
            count.abs_diff(expected) * 4 <= expected,
            "{count} vertices, expected {expected} at {tolerance}"
        );
        assert!(simple.shell.vertices().iter().all(|vertex| ring.vertices().contains(vertex)));
        for vertex in ring.vertices() {
            let distance = distance_to_ring(*vertex, &simple.shell);
            assert!(distance <= tolerance + 1e-9, "{vertex:?} is {distance} away at {tolerance}");
        }
    }
}

/// Distance of a point from the line of a ring.
pub fn distance_to_ring(point: Vertex, ring: &Ring) -> f64 {
    let distances = ring.edges().map(|(from, to)| {
        let [x0, y0, x1, y1, px, py] = [from.x, from.y, to.x, to.y, point.x, point.y].map(f64::from);
        let (dx, dy) = (x1 - x0, y1 - y0);
        let along = (((px - x0) * dx + (py - y0) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
        (px - x0 - along * dx).hypot(py - y0 - along * dy)
    });
    distances.fold(f64::INFINITY, f64::min)
}

/// The example of the vectors, through the whole engine: an exact outline gives its image back.
#[test]
fn vectors_outline_exact_and_back() {
    let vector = Vector::load("outline_exact");
    let labels = plane::<i32>(&vector.input("labels"));
    let outlines = Engine::cpu().trace_outlines(&labels, offset_of(&vector)).expect("labels are traced");
    let site = SiteFrame::new(offset_of(&vector), labels.size()).expect("on the map");
    let back: Plane<i32> = rasterise(&outlines, site, FillRule::PixelCentres).expect("it fits");
    assert_eq!(back, labels);
}
