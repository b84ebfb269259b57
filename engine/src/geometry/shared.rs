//! Simplifying the outlines of one site so that neighbours go on sharing their borders.

use std::collections::{BTreeSet, HashMap};

use super::polygon::{Outline, Polygon};
use super::ring::{Ring, Vertex};
use super::simplify::simplify_lines;
use super::site::SiteFrame;
use crate::error::{EngineError, Result};

/// Simplifies pixel-edge outlines together: a border between two objects is simplified once, for both.
///
/// Rings are cut into arcs at *nodes*: corners where three or more labels (the background is one) or two
/// diagonal pixels of one label meet, and every vertex on the border of the site. Nodes stay, so borders
/// also fit those of the neighbouring sites. Arcs are simplified as in [`simplify`](super::simplify), all
/// in one drawing, so no two cross, and put together again: parts and holes remain what they were.
///
/// `tolerance_px` is the largest distance in map pixels between a removed vertex and the border. With 0 the
/// shapes stay, with nodes as additional vertices.
///
/// # Errors
/// [`EngineError::Parameter`] for a tolerance that is negative or not finite, and for outlines with edges
/// that are neither horizontal nor vertical.
pub fn simplify_shared(outlines: &[Outline], site: SiteFrame, tolerance_px: f64) -> Result<Vec<Outline>> {
    let corners = Corners::of(outlines, site)?;
    let mut arcs = Arcs::default();
    let mut paths = Vec::new();
    for ring in outlines.iter().flat_map(Outline::rings) {
        paths.push(corners.arcs_of(ring).into_iter().map(|arc| arcs.add(arc)).collect::<Vec<_>>());
    }
    let simple = simplify_lines(arcs.lines, tolerance_px)?;
    let mut rings = paths.iter().map(|path| assemble(path, &simple));
    let mut next = || rings.next().unwrap_or_else(|| Ring::new(Vec::new()));
    let mut result = Vec::with_capacity(outlines.len());
    for outline in outlines {
        let mut parts = Vec::with_capacity(outline.parts.len());
        for part in &outline.parts {
            let shell = next()?;
            let holes = part.holes.iter().map(|_| next()).collect::<Result<_>>()?;
            parts.push(Polygon { shell, holes });
        }
        result.push(Outline { label: outline.label, parts });
    }
    Ok(result)
}

/// Directions in which edges leave a corner, one bit each.
const RIGHT: u8 = 1;
const LEFT: u8 = 2;
const UP: u8 = 4;
const DOWN: u8 = 8;

/// The directions from the lower or left to the upper or right end, and back; `None` for slanted edges.
fn directions(from: Vertex, to: Vertex) -> Option<[u8; 2]> {
    match ((to.x).cmp(&from.x), (to.y).cmp(&from.y)) {
        (std::cmp::Ordering::Greater, std::cmp::Ordering::Equal) => Some([RIGHT, LEFT]),
        (std::cmp::Ordering::Less, std::cmp::Ordering::Equal) => Some([LEFT, RIGHT]),
        (std::cmp::Ordering::Equal, std::cmp::Ordering::Greater) => Some([UP, DOWN]),
        (std::cmp::Ordering::Equal, std::cmp::Ordering::Less) => Some([DOWN, UP]),
        _ => None,
    }
}

/// All vertices of a site's outlines, and which of them are nodes.
struct Corners {
    by_row: BTreeSet<(i32, i32)>,
    by_column: BTreeSet<(i32, i32)>,
    nodes: BTreeSet<Vertex>,
}

impl Corners {
    fn of(outlines: &[Outline], site: SiteFrame) -> Result<Self> {
        let vertices = || outlines.iter().flat_map(Outline::rings).flat_map(Ring::vertices);
        let mut corners = Self {
            by_row: vertices().map(|vertex| (vertex.y, vertex.x)).collect(),
            by_column: vertices().map(|vertex| (vertex.x, vertex.y)).collect(),
            nodes: BTreeSet::new(),
        };
        let mut leaving: HashMap<Vertex, u8> = HashMap::new();
        for (from, to) in outlines.iter().flat_map(Outline::rings).flat_map(Ring::edges) {
            let Some([ahead, back]) = directions(from, to) else {
                return Err(EngineError::Parameter {
                    name: "outlines",
                    problem: format!(
                        "have an edge from ({}, {}) to ({}, {}), which is not along a pixel",
                        from.x, from.y, to.x, to.y
                    ),
                });
            };
            *leaving.entry(from).or_default() |= ahead;
            *leaving.entry(to).or_default() |= back;
            for passed in corners.between(from, to) {
                *leaving.entry(passed).or_default() |= ahead | back;
            }
        }
        let is_node = |(vertex, directions): &(Vertex, u8)| {
            directions.count_ones() > 2 || site.rect().has_on_border(*vertex)
        };
        corners.nodes = leaving.into_iter().filter(is_node).map(|(vertex, _)| vertex).collect();
        Ok(corners)
    }

    /// Vertices of any outline strictly between the ends of an edge, in its direction.
    fn between(&self, from: Vertex, to: Vertex) -> Vec<Vertex> {
        let mut passed: Vec<Vertex> = if from.y == to.y {
            let (low, high) = (from.x.min(to.x), from.x.max(to.x));
            let range = self.by_row.range((from.y, low)..(from.y, high));
            range.skip(1).map(|(y, x)| Vertex::new(*x, *y)).collect()
        } else {
            let (low, high) = (from.y.min(to.y), from.y.max(to.y));
            let range = self.by_column.range((from.x, low)..(from.x, high));
            range.skip(1).map(|(x, y)| Vertex::new(*x, *y)).collect()
        };
        if (to.x, to.y) < (from.x, from.y) {
            passed.reverse();
        }
        passed
    }

    /// The arcs of a ring, in its order. A ring without nodes is one closed arc.
    fn arcs_of(&self, ring: &Ring) -> Vec<Vec<Vertex>> {
        let mut around = Vec::with_capacity(ring.vertices().len());
        for (from, to) in ring.edges() {
            around.push(from);
            around.extend(self.between(from, to));
        }
        // Both sides of a closed arc begin it at the same place: the first node, or the smallest vertex.
        let first_node = around.iter().position(|vertex| self.nodes.contains(vertex));
        let smallest = around.iter().enumerate().min_by_key(|(_, vertex)| **vertex).map(|(index, _)| index);
        around.rotate_left(first_node.or(smallest).unwrap_or(0));
        around.push(around[0]);
        let mut arcs = Vec::new();
        let mut arc = Vec::new();
        for vertex in around {
            let ends = !arc.is_empty() && self.nodes.contains(&vertex);
            arc.push(vertex);
            if ends {
                arcs.push(std::mem::replace(&mut arc, vec![vertex]));
            }
        }
        if arc.len() > 1 {
            arcs.push(arc);
        }
        arcs
    }
}

/// Which arc, and whether a ring runs along it backwards.
#[derive(Clone, Copy)]
struct Step {
    arc: usize,
    backwards: bool,
}

/// Arcs without duplicates, in the order in which rings first run along them.
#[derive(Default)]
struct Arcs {
    lines: Vec<Vec<Vertex>>,
    known: HashMap<Vec<Vertex>, usize>,
}

impl Arcs {
    /// The arc in the direction that both of its sides agree on: the smaller sequence of vertices.
    fn add(&mut self, arc: Vec<Vertex>) -> Step {
        let reversed: Vec<Vertex> = arc.iter().rev().copied().collect();
        let backwards = reversed < arc;
        let line = if backwards { reversed } else { arc };
        let lines = &mut self.lines;
        let arc = *self.known.entry(line).or_insert_with_key(|line| {
            lines.push(line.clone());
            lines.len() - 1
        });
        Step { arc, backwards }
    }
}

/// A ring from its arcs, starting at its smallest (row, column) vertex.
fn assemble(path: &[Step], lines: &[Vec<Vertex>]) -> Result<Ring> {
    let mut vertices: Vec<Vertex> = Vec::new();
    for step in path {
        let line = &lines[step.arc];
        // The last vertex of an arc is the first of the next one.
        if step.backwards {
            vertices.extend(line.iter().rev().take(line.len() - 1));
        } else {
            vertices.extend(line.iter().take(line.len() - 1));
        }
    }
    let start = vertices.iter().enumerate().min_by_key(|(_, vertex)| (-i64::from(vertex.y), vertex.x));
    let start = start.map_or(0, |(index, _)| index);
    vertices.rotate_left(start);
    Ring::new(vertices)
}
