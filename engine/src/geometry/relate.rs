//! Which points, rectangles and rings a polygon has something in common with.

use super::polygon::{Outline, Polygon};
use super::ring::{MapRect, Ring, Vertex};
use super::segment::{Segment, winding};

/// Whether the point is inside a ring by the even-odd rule; `None` on the ring.
fn inside(ring: &Ring, point: Vertex) -> Option<bool> {
    winding(ring.vertices(), point).map(|turns| turns % 2 != 0)
}

impl Polygon {
    /// Whether the polygon has the point inside or on a border. Points inside a hole are outside.
    pub fn covers(&self, point: Vertex) -> bool {
        let mut odd = false;
        for ring in self.rings() {
            match inside(ring, point) {
                None => return true,
                Some(is_inside) => odd ^= is_inside,
            }
        }
        odd
    }

    /// Whether polygon and rectangle share a point, borders included: the rule for objects in a tile.
    pub fn intersects(&self, rect: &MapRect) -> bool {
        if !self.bounds().intersects(rect) {
            return false;
        }
        self.meets_ring(&rect.to_ring()) || rect.contains(self.shell.vertices()[0])
    }

    /// Whether the polygon, border included, has a point in common with the line of a ring.
    pub fn meets_ring(&self, ring: &Ring) -> bool {
        if !self.bounds().intersects(&ring.bounds()) {
            return false;
        }
        self.covers(ring.vertices()[0])
            || self.rings().flat_map(Ring::edges).any(|(from, to)| {
                let edge = Segment { from, to };
                ring.edges().any(|(from, to)| edge.meets(Segment { from, to }))
            })
    }
}

impl Outline {
    /// Whether a part of the object shares a point with the rectangle, borders included.
    pub fn intersects(&self, rect: &MapRect) -> bool {
        self.parts.iter().any(|part| part.intersects(rect))
    }
}
