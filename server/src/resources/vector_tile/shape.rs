//! What of an object is drawn: its centroid, or its outline, simplified and clipped.

use tm_engine::EngineError;
use tm_engine::geometry::{MapRect, Outline, Polygon, Ring, simplify};

/// Rings with more vertices than this stay as they are: simplifying takes time that can grow with the square.
const SIMPLIFIED_VERTICES: usize = 20_000;

/// A point of the map: x to the right, y upwards, in pixels of full resolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// To the right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
}

/// Borders of a polygon, the shell first, without the first point again at the end.
pub type Rings = Vec<Vec<Position>>;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A centroid.
    Point(Position),
    /// The parts of an outline, one at least.
    Polygons(Vec<Rings>),
}

/// An object of a tile.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// Row id of the object.
    pub object: i64,
    /// What is drawn of it.
    pub shape: Shape,
    /// The text of its label, in tiles with labels.
    pub label: Option<String>,
}

/// A rectangle with its border.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    x_min: f64,
    y_min: f64,
    x_max: f64,
    y_max: f64,
}

impl Frame {
    /// A rectangle of the map, larger by a margin on all sides.
    pub fn around(rect: MapRect, margin: f64) -> Self {
        Self {
            x_min: f64::from(rect.x_min) - margin,
            y_min: f64::from(rect.y_min) - margin,
            x_max: f64::from(rect.x_max) + margin,
            y_max: f64::from(rect.y_max) + margin,
        }
    }

    /// Whether a point lies inside or on the border.
    pub fn contains(&self, point: Position) -> bool {
        (self.x_min..=self.x_max).contains(&point.x) && (self.y_min..=self.y_max).contains(&point.y)
    }

    /// The parts of a ring within the rectangle, joined along its border; nothing where less than an area is left.
    ///
    /// Sutherland and Hodgman, *Communications of the ACM* 17:32 (1974): parts that are apart stay connected by a
    /// line along the border.
    fn clip(&self, ring: Vec<Position>) -> Vec<Position> {
        let Self { x_min, y_min, x_max, y_max } = *self;
        let ring = cut(&ring, |p| p.x - x_min);
        let ring = cut(&ring, |p| x_max - p.x);
        let ring = cut(&ring, |p| p.y - y_min);
        let ring = cut(&ring, |p| y_max - p.y);
        if ring.len() < 3 || doubled_area(&ring) == 0.0 { Vec::new() } else { ring }
    }
}

/// The part of a ring on the side of a line where `inside` is 0 or more.
fn cut(ring: &[Position], inside: impl Fn(Position) -> f64) -> Vec<Position> {
    let mut kept = Vec::with_capacity(ring.len());
    let ends = ring.iter().skip(1).chain(ring.first());
    for (from, to) in ring.iter().zip(ends) {
        let (here, there) = (inside(*from), inside(*to));
        if here >= 0.0 {
            kept.push(*from);
        }
        if (here > 0.0 && there < 0.0) || (here < 0.0 && there > 0.0) {
            let share = here / (here - there);
            kept.push(Position { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) });
        }
    }
    kept
}

/// Twice the area of a ring, positive when it is counter-clockwise with y upwards.
pub fn doubled_area(ring: &[Position]) -> f64 {
    let ends = ring.iter().skip(1).chain(ring.first());
    ring.iter().zip(ends).map(|(from, to)| from.x * to.y - to.x * from.y).sum()
}

/// What is drawn of an outline: its parts, simplified to a tolerance in pixels and cut to a frame. `None` when nothing
/// is left in the frame.
///
/// # Errors
/// When the tolerance is negative or not finite.
pub fn polygons(
    outline: &Outline,
    tolerance_px: f64,
    frame: Option<Frame>,
) -> Result<Option<Shape>, EngineError> {
    let mut parts = Vec::with_capacity(outline.parts.len());
    for part in &outline.parts {
        let short = part.rings().all(|ring| ring.vertices().len() <= SIMPLIFIED_VERTICES);
        let rings = if tolerance_px == 0.0 || !short {
            rings_of(part, frame)
        } else {
            rings_of(&simplify(part, tolerance_px)?, frame)
        };
        parts.extend(rings);
    }
    Ok((!parts.is_empty()).then_some(Shape::Polygons(parts)))
}

fn rings_of(polygon: &Polygon, frame: Option<Frame>) -> Option<Rings> {
    let ring = |ring: &Ring| {
        let positions = ring.vertices().iter();
        let ring: Vec<_> =
            positions.map(|vertex| Position { x: vertex.x.into(), y: vertex.y.into() }).collect();
        match frame {
            Some(frame) => frame.clip(ring),
            None => ring,
        }
    };
    let shell = ring(&polygon.shell);
    if shell.is_empty() {
        return None;
    }
    let holes = polygon.holes.iter().map(ring).filter(|hole| !hole.is_empty());
    Some(std::iter::once(shell).chain(holes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(points: &[(f64, f64)]) -> Vec<Position> {
        points.iter().map(|(x, y)| Position { x: *x, y: *y }).collect()
    }

    #[test]
    fn a_ring_is_cut_to_a_frame_and_keeps_its_sense() {
        let frame = Frame::around(MapRect { x_min: 0, y_min: -10, x_max: 10, y_max: 0 }, 0.0);
        let inside = ring(&[(1.0, -2.0), (1.0, -3.0), (2.0, -3.0)]);
        assert_eq!(frame.clip(inside.clone()), inside);
        let across = frame.clip(ring(&[(-5.0, -5.0), (5.0, -5.0), (5.0, 5.0), (-5.0, 5.0)]));
        assert_eq!(doubled_area(&across), 50.0);
        assert!(across.iter().all(|point| frame.contains(*point)));
        assert_eq!(
            doubled_area(&frame.clip(ring(&[(-9.0, 9.0), (-9.0, -19.0), (19.0, -19.0), (19.0, 9.0)]))),
            200.0
        );
        for outside in [
            ring(&[(11.0, -1.0), (12.0, -1.0), (12.0, -2.0)]),
            // Touches the frame along an edge, and at a corner.
            ring(&[(10.0, -1.0), (12.0, -1.0), (12.0, -2.0), (10.0, -2.0)]),
            ring(&[(10.0, 0.0), (12.0, 0.0), (12.0, 2.0)]),
        ] {
            assert!(frame.clip(outside.clone()).is_empty(), "{outside:?}");
        }
    }
}
