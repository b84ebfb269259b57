//! Vectors of outlines: label images to polygons and back, measures, borders.

use ndarray::ArrayD;
use tm_engine::Engine;
use tm_engine::geometry::{
    FillRule, MapOffset, MapRect, Outline, Polygon, Ring, SiteFrame, Vertex, rasterise, simplify,
};
use tm_engine::image::{Plane, Size};
use tm_engine::kernels::contours::{self, border_labels};
use tm_tests::compare::assert_close;
use tm_tests::vectors::{Vector, Vectors, plane, rows};

fn offset_of(vector: &Vector) -> MapOffset {
    MapOffset { y: vector.parse("y_offset"), x: vector.parse("x_offset") }
}

fn site_of(vector: &Vector) -> SiteFrame {
    let [height, width]: [usize; 2] = vector.parse("shape");
    SiteFrame::new(offset_of(vector), Size::new(height, width)).expect("on the map")
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

/// And the image back from what is expected.
pub fn exact(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("outline_exact");
    let labels = plane::<i32>(&vector.input("labels"));
    let expected = outlines_named(&vector);
    let outlines = engine.trace_outlines(&labels, offset_of(&vector)).expect("labels are traced");
    assert_same_outlines(&expected, &outlines);
    let site = SiteFrame::new(offset_of(&vector), labels.size()).expect("on the map");
    let back: Plane<i32> = rasterise(&expected, site, FillRule::PixelCentres).expect("it fits");
    assert_eq!(back, labels);
}

pub fn rasterise_exact(vectors: &Vectors, _: &Engine) {
    let vector = vectors.load("rasterise_exact");
    let labels = rasterise(&input_outlines(&vector), site_of(&vector), FillRule::PixelCentres);
    assert_eq!(labels.expect("it fits"), plane::<i32>(&vector.expected("labels")));
}

pub fn centre(vectors: &Vectors, _: &Engine) {
    let vector = vectors.load("outline_centre");
    let labels = plane::<i32>(&vector.input("labels"));
    let outlines = contours::centre::trace(labels.view(), offset_of(&vector)).expect("labels are traced");
    assert_same_outlines(&outlines_named(&vector), &outlines);
}

pub fn rasterise_centre(vectors: &Vectors, _: &Engine) {
    let vector = vectors.load("rasterise_centre");
    let outlines = input_outlines(&vector);
    for (name, rule) in [("half_open", FillRule::HalfOpen), ("inclusive", FillRule::Inclusive)] {
        let labels = rasterise(&outlines, site_of(&vector), rule).expect("it fits");
        assert_eq!(labels, plane::<i32>(&vector.expected(name)), "{name}");
    }
}

/// The vector has the rings; their vertices are those of the vectors that they come from.
pub fn measure(vectors: &Vectors, _: &Engine) {
    let table = vectors.load("polygon_measure");
    let mut actual = Vec::new();
    for (rings, source, added) in
        [("centre_rings", "outline_centre", 0.0), ("exact_rings", "outline_exact", 1000.0)]
    {
        for outline in outlines_of(&table.input(rings), &vectors.load(source).expected("xy")) {
            for (part, polygon) in (0u32..).zip(&outline.parts) {
                let centroid = polygon.centroid();
                let label = f64::from(outline.label) + added;
                actual.extend([label, part.into(), polygon.area(), centroid.x, centroid.y]);
            }
        }
    }
    let expected: Vec<f64> = table.expected::<f64>("table").iter().copied().collect();
    assert_close("area and centroid", &expected, &actual, table.tolerance("abs"));
}

pub fn border_objects(vectors: &Vectors, _: &Engine) {
    let vector = vectors.load("border_objects");
    let labels = plane::<i32>(&vector.input("labels"));
    let site = SiteFrame::new(MapOffset::default(), labels.size()).expect("on the map");
    let rectangle = site.original_rect().expect("large enough").to_ring();
    let outlines = contours::centre::trace(labels.view(), MapOffset::default()).expect("labels are traced");
    let at_edge = border_labels(&labels);
    for row in rows::<i32>(&vector.expected("table")) {
        let label = row[0];
        let outline = outlines.iter().find(|outline| outline.label == label);
        let meets =
            outline.is_some_and(|outline| outline.parts.iter().any(|part| part.meets_ring(&rectangle)));
        let flags = [outline.is_some(), meets, at_edge.contains(&label)];
        assert_eq!(flags.map(i32::from), row[1..], "label {label}");
    }
}

pub fn static_outline(vectors: &Vectors, _: &Engine) {
    for row in rows::<i32>(&vectors.load("static_outline").expected("table")) {
        let size = Size::new(index(row[2]), index(row[3]));
        let site = SiteFrame::new(MapOffset { y: row[0], x: row[1] }, size).expect("on the map");
        let rect = MapRect { x_min: row[4], y_min: row[5], x_max: row[6], y_max: row[7] };
        assert_eq!(site.original_rect(), Some(rect));
        assert!(rect.to_ring().doubled_area() > 0, "counter-clockwise");
    }
}

/// For `dz0`, `dz1`, …: levels below full resolution.
pub fn simplification(vectors: &Vectors, _: &Engine) {
    let vector = vectors.load("simplify");
    let vertices_of = |array: &ArrayD<i32>| -> Vec<Vertex> {
        array.rows().into_iter().map(|row| Vertex::new(row[0], row[1])).collect()
    };
    let mut vertices = vertices_of(&vector.input("ring"));
    if vertices.first() == vertices.last() {
        vertices.pop();
    }
    let ring = Ring::new(vertices).expect("a ring");
    let polygon = Polygon { shell: ring.clone(), holes: Vec::new() };
    let counts: Vec<usize> = vector.parse("n_vertices");
    assert_eq!(counts.len(), vector.expected_names().len());
    for (step, expected) in (0u32..).zip(counts) {
        assert_eq!(vertices_of(&vector.expected(&format!("dz{step}"))).len(), expected);
        let tolerance = f64::from(step * step + 1);
        let simple = simplify(&polygon, tolerance).expect("the tolerance is in range");
        simple.check().expect("the polygon is valid");
        // The rings of the vector are closed.
        let count = simple.shell.vertices().len() + 1;
        assert!(
            count.abs_diff(expected) as f64 <= vector.tolerance("n_vertices_rel") * expected as f64,
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
