//! Exact predicates on line segments.

use std::cmp::Ordering;

use super::ring::{Vertex, cross_of};

/// Twice the signed area of the triangle `a`, `b`, `c`: positive when `c` is left of `a → b`.
pub(crate) fn orientation(a: Vertex, b: Vertex, c: Vertex) -> i128 {
    cross_of(a, b) + cross_of(b, c) + cross_of(c, a)
}

/// A straight line from one vertex to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub from: Vertex,
    pub to: Vertex,
}

impl Segment {
    /// Whether the point lies on the segment, its ends included.
    pub fn has(self, point: Vertex) -> bool {
        self.box_has(point) && orientation(self.from, self.to, point) == 0
    }

    fn box_has(self, point: Vertex) -> bool {
        let within = |a: i32, b: i32, value: i32| (a.min(b)..=a.max(b)).contains(&value);
        within(self.from.x, self.to.x, point.x) && within(self.from.y, self.to.y, point.y)
    }

    fn boxes_meet(self, other: Self) -> bool {
        let meet = |a: i32, b: i32, c: i32, d: i32| a.min(b) <= c.max(d) && c.min(d) <= a.max(b);
        meet(self.from.x, self.to.x, other.from.x, other.to.x)
            && meet(self.from.y, self.to.y, other.from.y, other.to.y)
    }

    /// Whether two segments share a point, their ends included.
    pub fn meets(self, other: Self) -> bool {
        if !self.boxes_meet(other) {
            return false;
        }
        let sides = |line: Self, ends: Self| {
            let side = |point| orientation(line.from, line.to, point).cmp(&0);
            (side(ends.from), side(ends.to))
        };
        let apart = |(a, b): (Ordering, Ordering)| a == b && a != Ordering::Equal;
        let (here, there) = (sides(self, other), sides(other, self));
        if apart(here) || apart(there) {
            return false;
        }
        // On one line the boxes decide, and they meet.
        true
    }

    /// Whether two segments share a point other than one common end.
    pub fn conflicts(self, other: Self) -> bool {
        let ends = [self.from, self.to];
        let shared: Vec<Vertex> =
            ends.into_iter().filter(|end| [other.from, other.to].contains(end)).collect();
        match shared[..] {
            [] => self.meets(other),
            [common] => {
                let rest = |segment: Self| if segment.from == common { segment.to } else { segment.from };
                // Two segments from one point meet again only when one lies along the other.
                self.has(rest(other)) || other.has(rest(self))
            }
            _ => true,
        }
    }
}

/// How often a closed line, given by its vertices in order, winds around a point; `None` on the line.
pub(crate) fn winding(vertices: &[Vertex], point: Vertex) -> Option<i32> {
    let mut turns = 0;
    let ends = vertices.iter().skip(1).chain(vertices.first());
    for (from, to) in vertices.iter().zip(ends) {
        let edge = Segment { from: *from, to: *to };
        if edge.has(point) {
            return None;
        }
        let upwards = from.y <= point.y && point.y < to.y;
        let downwards = to.y <= point.y && point.y < from.y;
        if !upwards && !downwards {
            continue;
        }
        let side = orientation(*from, *to, point);
        if upwards && side > 0 {
            turns += 1;
        } else if downwards && side < 0 {
            turns -= 1;
        }
    }
    Some(turns)
}
