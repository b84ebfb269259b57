//! Fewer vertices for display: Douglas–Peucker that keeps the topology.
//!
//! Douglas and Peucker, *Cartographica* 10:112 (1973): a stretch of a line becomes one segment when none of
//! its vertices is farther from that segment than the tolerance; otherwise it is cut at its farthest vertex
//! (the first of equals). Lines keep their topology (Saalfeld, *Cartography and GIS* 26:7, 1999) because a
//! segment is refused, and the stretch cut all the same, when
//!
//! * it would share a point with another segment of the drawing, other than a common end; or
//! * a vertex of another stretch lies between the segment and what it replaces: it would change sides.
//!
//! Vertices of the result are vertices of the input. The ends of a line, the first vertex of a ring, and at
//! least two more vertices of a ring stay.

use super::grid::{Entry, Grid, bounds_of};
use super::polygon::Polygon;
use super::ring::{Ring, Vertex};
use super::segment::{Segment, winding};
use crate::error::{EngineError, Result};

/// Simplifies a polygon by itself, as the original does when it shows objects: neighbours that touched may
/// have gaps and overlaps afterwards. See [`simplify_shared`](super::simplify_shared) for the other way.
///
/// `tolerance_px` is the largest distance in map pixels between a removed vertex and the border.
///
/// ```
/// use tm_engine::geometry::{Polygon, Ring, Vertex, simplify};
/// let corners = [(0, 0), (5, -1), (10, 0), (10, 10), (0, 10)];
/// let shell = Ring::new(corners.iter().map(|(x, y)| Vertex::new(*x, *y)).collect())?;
/// let polygon = Polygon { shell, holes: Vec::new() };
/// assert_eq!(simplify(&polygon, 0.5)?, polygon);
/// assert_eq!(simplify(&polygon, 1.0)?.area(), 100.0); // without (5, -1)
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
///
/// # Errors
/// [`EngineError::Parameter`] for a tolerance that is negative or not finite.
pub fn simplify(polygon: &Polygon, tolerance_px: f64) -> Result<Polygon> {
    let lines = polygon.rings().map(closed_line).collect();
    let mut rings = simplify_lines(lines, tolerance_px)?.into_iter().map(ring_of_line);
    let shell = rings.next().unwrap_or_else(|| Ok(polygon.shell.clone()))?;
    Ok(Polygon { shell, holes: rings.collect::<Result<_>>()? })
}

/// The vertices of a ring, the first again at the end.
fn closed_line(ring: &Ring) -> Vec<Vertex> {
    let mut line = ring.vertices().to_vec();
    line.push(line[0]);
    line
}

fn ring_of_line(mut line: Vec<Vertex>) -> Result<Ring> {
    line.pop();
    Ring::new(line)
}

/// Simplifies lines of one drawing together; each keeps its ends, and they keep their topology.
pub(crate) fn simplify_lines(lines: Vec<Vec<Vertex>>, tolerance_px: f64) -> Result<Vec<Vec<Vertex>>> {
    if !tolerance_px.is_finite() || tolerance_px < 0.0 {
        return Err(EngineError::Parameter {
            name: "tolerance",
            problem: format!("must be 0 or more pixels, not {tolerance_px}"),
        });
    }
    let all: Vec<Vertex> = lines.iter().flatten().copied().collect();
    let mut drawing = Drawing {
        grid: Grid::new(bounds_of(&all), all.len()),
        limit: tolerance_px * tolerance_px,
        lines: &lines,
    };
    for (line, vertices) in lines.iter().enumerate() {
        for first in 0..vertices.len().saturating_sub(1) {
            drawing.grid.insert(drawing.entry(line, first, first + 1));
        }
    }
    Ok((0..lines.len()).map(|line| drawing.simplify_line(line)).collect())
}

/// The lines as they are at the moment: what is simplified already, and the rest as it came.
struct Drawing<'a> {
    lines: &'a [Vec<Vertex>],
    grid: Grid,
    /// The tolerance, squared.
    limit: f64,
}

impl Drawing<'_> {
    fn entry(&self, line: usize, first: usize, last: usize) -> Entry {
        let vertices = &self.lines[line];
        Entry { line, first, last, segment: Segment { from: vertices[first], to: vertices[last] } }
    }

    fn simplify_line(&mut self, line: usize) -> Vec<Vertex> {
        let lines = self.lines;
        let vertices = &lines[line];
        let Some(end) = vertices.len().checked_sub(1) else { return Vec::new() };
        let mut kept = vec![vertices[0]];
        // Stretches still to do, the next one last: lines are worked through from their start.
        let mut stretches = if end > 0 { vec![(0, end)] } else { Vec::new() };
        while let Some((first, last)) = stretches.pop() {
            if last - first > 1 {
                let (farthest, distance) = self.farthest(line, first, last);
                let candidate = self.entry(line, first, last);
                if distance > self.limit || !self.is_free(candidate) {
                    stretches.push((farthest, last));
                    stretches.push((first, farthest));
                    continue;
                }
                for vertex in first..last {
                    self.grid.remove(self.entry(line, vertex, vertex + 1));
                }
                self.grid.insert(candidate);
            }
            kept.push(vertices[last]);
        }
        kept
    }

    /// The vertex between two others that is farthest from the segment joining them, and its squared distance.
    fn farthest(&self, line: usize, first: usize, last: usize) -> (usize, f64) {
        let vertices = &self.lines[line];
        let segment = Segment { from: vertices[first], to: vertices[last] };
        let mut farthest = (first + 1, -1.0);
        for index in first + 1..last {
            let distance = squared_distance(vertices[index], segment);
            if distance > farthest.1 {
                farthest = (index, distance);
            }
        }
        farthest
    }

    /// Whether a segment can take the place of a stretch without touching, or passing over, anything else.
    fn is_free(&self, candidate: Entry) -> bool {
        let segment = candidate.segment;
        if segment.from == segment.to {
            return false;
        }
        let stretch = &self.lines[candidate.line][candidate.first..=candidate.last];
        let is_replaced = |entry: &Entry| {
            entry.line == candidate.line && entry.first >= candidate.first && entry.last <= candidate.last
        };
        let passes_over = |vertex: Vertex| {
            // Everything between a stretch and its segment is as near to the segment as the stretch.
            squared_distance(vertex, segment) <= self.limit * (1.0 + 1e-9)
                && winding(stretch, vertex).is_some_and(|turns| turns != 0)
        };
        !self.grid.any_near(bounds_of(stretch), |entry| {
            let other = entry.segment;
            !is_replaced(entry)
                && (segment.conflicts(other) || passes_over(other.from) || passes_over(other.to))
        })
    }
}

/// Squared distance of a point from a segment, in square pixels.
fn squared_distance(point: Vertex, segment: Segment) -> f64 {
    let difference =
        |a: Vertex, b: Vertex| (f64::from(a.x) - f64::from(b.x), f64::from(a.y) - f64::from(b.y));
    let (dx, dy) = difference(segment.to, segment.from);
    let (px, py) = difference(point, segment.from);
    let along = px * dx + py * dy;
    let length = dx * dx + dy * dy;
    if along <= 0.0 || length == 0.0 {
        return px * px + py * py;
    }
    if along >= length {
        let (qx, qy) = difference(point, segment.to);
        return qx * qx + qy * qy;
    }
    let across = px * dy - py * dx;
    across * across / length
}
