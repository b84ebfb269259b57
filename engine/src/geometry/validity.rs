//! What makes a polygon valid, and the reason when it is not.

use super::polygon::Polygon;
use super::ring::{Ring, Vertex};
use super::segment::{Segment, winding};

/// Why a polygon is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A ring comes to a vertex twice.
    #[error("a ring comes twice to ({}, {})", .0.x, .0.y)]
    Repeated(Vertex),
    /// Two edges of one ring cross or touch other than at a common end.
    #[error("a ring meets itself at its edge from ({}, {})", .0.x, .0.y)]
    MeetsItself(Vertex),
    /// A ring encloses nothing, or runs the wrong way: shells are counter-clockwise, holes clockwise.
    #[error("the ring from ({}, {}) has the wrong orientation", .0.x, .0.y)]
    Orientation(Vertex),
    /// Two rings cross, or share more than single points.
    #[error("two rings cross at the edge from ({}, {})", .0.x, .0.y)]
    RingsCross(Vertex),
    /// A hole is not inside its shell.
    #[error("the hole from ({}, {}) is not inside its shell", .0.x, .0.y)]
    HoleOutside(Vertex),
    /// A hole lies within another one.
    #[error("the hole from ({}, {}) lies within another one", .0.x, .0.y)]
    HoleInHole(Vertex),
}

impl Polygon {
    /// Checks that rings are simple, shells counter-clockwise and holes clockwise (y upwards), holes inside
    /// their shell and apart from each other. Rings may touch at single vertices.
    ///
    /// Compares edges whose extents in x overlap; meant for tests and for polygons from elsewhere.
    ///
    /// # Errors
    /// The first reason found.
    pub fn check(&self) -> Result<(), Invalid> {
        for ring in self.rings() {
            check_vertices(ring)?;
        }
        check_edges(self)?;
        for (index, ring) in self.rings().enumerate() {
            let area = ring.doubled_area();
            if (index == 0 && area <= 0) || (index > 0 && area >= 0) {
                return Err(Invalid::Orientation(ring.vertices()[0]));
            }
        }
        for (index, hole) in self.holes.iter().enumerate() {
            let start = hole.vertices()[0];
            if !is_within(hole, &self.shell) {
                return Err(Invalid::HoleOutside(start));
            }
            let others = self.holes.iter().enumerate().filter(|(other, _)| *other != index);
            if others.into_iter().any(|(_, other)| is_within(hole, other)) {
                return Err(Invalid::HoleInHole(start));
            }
        }
        Ok(())
    }
}

/// Whether a ring that crosses the other nowhere lies within it. Its first vertex or edge that is not on
/// the other decides; two rings on the same line lie within each other.
fn is_within(ring: &Ring, other: &Ring) -> bool {
    for (from, to) in ring.edges() {
        if let Some(turns) = winding(other.vertices(), from) {
            return turns != 0;
        }
        // Middles of edges, on a lattice twice as fine where that fits.
        let double = |vertex: Vertex| Some(Vertex::new(vertex.x.checked_mul(2)?, vertex.y.checked_mul(2)?));
        let fine: Option<Vec<Vertex>> = other.vertices().iter().copied().map(double).collect();
        let middle = from.x.checked_add(to.x).zip(from.y.checked_add(to.y));
        if let (Some(fine), Some((x, y))) = (fine, middle)
            && let Some(turns) = winding(&fine, Vertex::new(x, y))
        {
            return turns != 0;
        }
    }
    true
}

fn check_vertices(ring: &Ring) -> Result<(), Invalid> {
    let mut sorted = ring.vertices().to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Invalid::Repeated(pair[0])),
        None => Ok(()),
    }
}

/// An edge of a polygon: its ring, and its place in it.
struct Edge {
    ring: usize,
    segment: Segment,
}

fn check_edges(polygon: &Polygon) -> Result<(), Invalid> {
    let mut edges = Vec::new();
    for (ring, border) in polygon.rings().enumerate() {
        edges.extend(border.edges().map(|(from, to)| Edge { ring, segment: Segment { from, to } }));
    }
    edges.sort_by_key(|edge| edge.segment.from.x.min(edge.segment.to.x));
    let mut open: Vec<&Edge> = Vec::new();
    for edge in &edges {
        let left = edge.segment.from.x.min(edge.segment.to.x);
        open.retain(|other| other.segment.from.x.max(other.segment.to.x) >= left);
        for other in &open {
            if !edge.segment.conflicts(other.segment) {
                continue;
            }
            let start = edge.segment.from;
            return Err(if edge.ring == other.ring {
                Invalid::MeetsItself(start)
            } else {
                Invalid::RingsCross(start)
            });
        }
        open.push(edge);
    }
    Ok(())
}
