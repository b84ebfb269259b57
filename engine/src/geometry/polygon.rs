//! Polygons with holes, and the outline of an object, which may have several parts.

use super::ring::{MapRect, Ring, Vertex, distance};

/// A shell and its holes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Polygon {
    /// The outer border.
    pub shell: Ring,
    /// Borders of the holes.
    pub holes: Vec<Ring>,
}

/// The outline of one object: one polygon for each of its parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Outline {
    /// Value of the object in the label image.
    pub label: i32,
    /// Its parts.
    pub parts: Vec<Polygon>,
}

/// The balance point of an area, in map pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Centroid {
    /// To the right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
}

impl Polygon {
    /// Shell, then holes.
    pub fn rings(&self) -> impl Iterator<Item = &Ring> + Clone + '_ {
        std::iter::once(&self.shell).chain(&self.holes)
    }

    /// Area without the holes, in square pixels. Exact for areas below 2⁵² square pixels.
    pub fn area(&self) -> f64 {
        self.doubled_area() as f64 / 2.0
    }

    /// Whichever way the rings run.
    fn doubled_area(&self) -> i128 {
        let holes: i128 = self.holes.iter().map(|hole| hole.doubled_area().abs()).sum();
        self.shell.doubled_area().abs() - holes
    }

    /// Length of all borders, of the holes too, in pixels.
    pub fn perimeter(&self) -> f64 {
        self.rings().map(Ring::length).sum()
    }

    /// Centre of the area without the holes; of the border, when the area is zero.
    pub fn centroid(&self) -> Centroid {
        centroid_of(self, std::slice::from_ref(self))
    }

    /// The smallest rectangle that holds the polygon.
    pub fn bounds(&self) -> MapRect {
        self.shell.bounds()
    }
}

impl Outline {
    /// Area of all parts in square pixels: the number of pixels, for a pixel-edge outline.
    pub fn area(&self) -> f64 {
        self.parts.iter().map(Polygon::doubled_area).sum::<i128>() as f64 / 2.0
    }

    /// Length of all borders in pixels.
    pub fn perimeter(&self) -> f64 {
        self.parts.iter().map(Polygon::perimeter).sum()
    }

    /// Centre of the area of all parts; `None` for an outline without parts.
    pub fn centroid(&self) -> Option<Centroid> {
        self.parts.first().map(|first| centroid_of(first, &self.parts))
    }

    /// The smallest rectangle that holds all parts; `None` for an outline without parts.
    pub fn bounds(&self) -> Option<MapRect> {
        self.parts.iter().map(Polygon::bounds).reduce(|all, part| MapRect {
            x_min: all.x_min.min(part.x_min),
            y_min: all.y_min.min(part.y_min),
            x_max: all.x_max.max(part.x_max),
            y_max: all.y_max.max(part.y_max),
        })
    }

    /// The rings of all parts, each part's shell before its holes.
    pub fn rings(&self) -> impl Iterator<Item = &Ring> + Clone + '_ {
        self.parts.iter().flat_map(Polygon::rings)
    }
}

/// Area and first moments about `origin`, in exact integers. A point nearby is chosen as the origin, so that
/// the conversion to floats loses nothing.
struct Moments {
    origin: Vertex,
    doubled_area: i128,
    /// Six times the integrals of `x` and `y` over the area.
    six_x: i128,
    six_y: i128,
}

impl Moments {
    /// Whichever way rings run, shells count as positive and holes as negative.
    fn about(origin: Vertex, polygons: &[Polygon]) -> Self {
        let mut sums = Self { origin, doubled_area: 0, six_x: 0, six_y: 0 };
        for polygon in polygons {
            sums.add(&polygon.shell, 1);
            for hole in &polygon.holes {
                sums.add(hole, -1);
            }
        }
        sums
    }

    fn add(&mut self, ring: &Ring, sign: i128) {
        let (ox, oy) = (i128::from(self.origin.x), i128::from(self.origin.y));
        let (mut doubled_area, mut six_x, mut six_y) = (0, 0, 0);
        for (from, to) in ring.edges() {
            let (x0, y0) = (i128::from(from.x) - ox, i128::from(from.y) - oy);
            let (x1, y1) = (i128::from(to.x) - ox, i128::from(to.y) - oy);
            let cross = x0 * y1 - x1 * y0;
            doubled_area += cross;
            six_x += (x0 + x1) * cross;
            six_y += (y0 + y1) * cross;
        }
        let sign = if doubled_area < 0 { -sign } else { sign };
        self.doubled_area += sign * doubled_area;
        self.six_x += sign * six_x;
        self.six_y += sign * six_y;
    }
}

/// Centre of the area of polygons, the first of which is given again.
fn centroid_of(first: &Polygon, polygons: &[Polygon]) -> Centroid {
    let origin = first.shell.vertices()[0];
    let moments = Moments::about(origin, polygons);
    if moments.doubled_area == 0 {
        return border_centroid(polygons, origin);
    }
    let scale = 3.0 * moments.doubled_area as f64;
    Centroid {
        x: f64::from(origin.x) + moments.six_x as f64 / scale,
        y: f64::from(origin.y) + moments.six_y as f64 / scale,
    }
}

/// The mean of the borders, for polygons that are only lines.
fn border_centroid(polygons: &[Polygon], first: Vertex) -> Centroid {
    let (mut length, mut x, mut y) = (0.0, 0.0, 0.0);
    for (from, to) in polygons.iter().flat_map(Polygon::rings).flat_map(Ring::edges) {
        let edge = distance(from, to);
        length += edge;
        x += edge * (f64::from(from.x) + f64::from(to.x)) / 2.0;
        y += edge * (f64::from(from.y) + f64::from(to.y)) / 2.0;
    }
    if length == 0.0 {
        return Centroid { x: f64::from(first.x), y: f64::from(first.y) };
    }
    Centroid { x: x / length, y: y / length }
}
