//! Vertices, rings and rectangles.

use crate::error::{EngineError, Result};

/// A point of the map lattice: `x` to the right, `y` upwards, in pixels of full resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Vertex {
    /// Column.
    pub x: i32,
    /// Minus the row.
    pub y: i32,
}

impl Vertex {
    /// The point at (`x`, `y`).
    pub const fn new(x: i32, y: i32) -> Self {
        Self { x, y }
    }
}

/// A closed line: at least three vertices, the first not repeated at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ring {
    vertices: Vec<Vertex>,
}

impl Ring {
    /// A ring through these vertices in order and back to the first.
    ///
    /// # Errors
    /// [`EngineError::Shape`] for fewer than three vertices; [`EngineError::Parameter`] when the first is
    /// repeated at the end.
    pub fn new(vertices: Vec<Vertex>) -> Result<Self> {
        if vertices.len() < 3 {
            return Err(EngineError::Shape {
                what: "ring",
                expected: "at least 3 vertices".to_owned(),
                actual: format!("{} vertices", vertices.len()),
            });
        }
        if vertices.first() == vertices.last() {
            return Err(EngineError::Parameter {
                name: "ring",
                problem: "repeats its first vertex at the end".to_owned(),
            });
        }
        Ok(Self { vertices })
    }

    /// The vertices in order.
    pub fn vertices(&self) -> &[Vertex] {
        &self.vertices
    }

    /// The vertices in order.
    pub fn into_vertices(self) -> Vec<Vertex> {
        self.vertices
    }

    /// The edges in order, the one that closes the ring last.
    pub fn edges(&self) -> impl Iterator<Item = (Vertex, Vertex)> + '_ {
        let ends = self.vertices.iter().skip(1).chain(self.vertices.first());
        self.vertices.iter().copied().zip(ends.copied())
    }

    /// Twice the enclosed area in square pixels, positive for a counter-clockwise ring (y upwards).
    pub fn doubled_area(&self) -> i128 {
        self.edges().map(|(from, to)| cross_of(from, to)).sum()
    }

    /// Length in pixels.
    pub fn length(&self) -> f64 {
        self.edges().map(|(from, to)| distance(from, to)).sum()
    }

    /// The smallest rectangle that holds the ring.
    pub fn bounds(&self) -> MapRect {
        let first = self.vertices[0];
        let start = MapRect { x_min: first.x, y_min: first.y, x_max: first.x, y_max: first.y };
        self.vertices.iter().fold(start, |rect, vertex| MapRect {
            x_min: rect.x_min.min(vertex.x),
            y_min: rect.y_min.min(vertex.y),
            x_max: rect.x_max.max(vertex.x),
            y_max: rect.y_max.max(vertex.y),
        })
    }
}

/// `x₀·y₁ - x₁·y₀`: twice the signed area of the triangle with the origin.
pub(crate) fn cross_of(from: Vertex, to: Vertex) -> i128 {
    i128::from(from.x) * i128::from(to.y) - i128::from(to.x) * i128::from(from.y)
}

/// Distance of two vertices in pixels.
pub(crate) fn distance(from: Vertex, to: Vertex) -> f64 {
    let (dx, dy) = (f64::from(to.x) - f64::from(from.x), f64::from(to.y) - f64::from(from.y));
    dx.hypot(dy)
}

/// A rectangle of the map with its border: `[x_min, x_max] × [y_min, y_max]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MapRect {
    /// Left.
    pub x_min: i32,
    /// Bottom.
    pub y_min: i32,
    /// Right.
    pub x_max: i32,
    /// Top.
    pub y_max: i32,
}

impl MapRect {
    /// Whether a point lies inside or on the border.
    pub fn contains(&self, point: Vertex) -> bool {
        (self.x_min..=self.x_max).contains(&point.x) && (self.y_min..=self.y_max).contains(&point.y)
    }

    /// Whether two rectangles share a point, of their borders too.
    pub fn intersects(&self, other: &Self) -> bool {
        self.x_min <= other.x_max
            && other.x_min <= self.x_max
            && self.y_min <= other.y_max
            && other.y_min <= self.y_max
    }

    /// Whether a point lies on the border.
    pub fn has_on_border(&self, point: Vertex) -> bool {
        let on_side =
            [self.x_min, self.x_max].contains(&point.x) || [self.y_min, self.y_max].contains(&point.y);
        on_side && self.contains(point)
    }

    /// The corners: upper right, upper left, lower left, lower right (counter-clockwise, y upwards).
    pub fn corners(&self) -> [Vertex; 4] {
        [
            Vertex::new(self.x_max, self.y_max),
            Vertex::new(self.x_min, self.y_max),
            Vertex::new(self.x_min, self.y_min),
            Vertex::new(self.x_max, self.y_min),
        ]
    }

    /// The border as a ring, in the order of [`corners`](Self::corners).
    pub fn to_ring(self) -> Ring {
        Ring { vertices: self.corners().to_vec() }
    }
}
