//! Mapbox vector tiles, version 2.1: one layer, named like the type of its objects.
//!
//! Coordinates are 4096ths of the tile's side, y downwards, rounded to the nearest. Shells run clockwise as seen on
//! screen, holes the other way. A ring that rounding leaves without area is left out; an object that has no other
//! becomes a point.

use std::collections::HashMap;

use tm_engine::geometry::MapRect;

use super::shape::{Feature, Position, Rings, Shape};
use crate::resources::segmentation::outline::put;

/// Units along a side of the tile.
const EXTENT: u32 = 4096;

/// How far beyond the tile outlines go, as a share of its side.
pub const BUFFER: f64 = 1.0 / 64.0;

/// A point in units of the tile.
type Point = (i64, i64);

/// Writes the objects of a tile.
#[derive(Debug)]
pub struct Writer {
    name: String,
    rect: MapRect,
    features: Vec<u8>,
    values: Vec<u8>,
    /// Place of each value among the values.
    places: HashMap<String, u64>,
    has_labels: bool,
}

impl Writer {
    /// A writer for objects of a type in a tile that covers this part of the map.
    pub fn new(type_name: &str, rect: MapRect, has_labels: bool) -> Self {
        Self {
            name: type_name.to_owned(),
            rect,
            features: Vec::new(),
            values: Vec::new(),
            places: HashMap::new(),
            has_labels,
        }
    }

    /// About how much was written, in bytes.
    pub fn len(&self) -> usize {
        self.features.len() + self.values.len()
    }

    /// Append an object.
    pub fn write(&mut self, feature: &Feature) {
        let value = feature.label.clone().unwrap_or_else(|| self.name.clone());
        let next = self.places.len() as u64;
        let place = *self.places.entry(value).or_insert_with_key(|value| {
            let mut text = Vec::new();
            put_bytes(&mut text, 1, value.as_bytes());
            put_bytes(&mut self.values, 4, &text);
            next
        });
        let (kind, geometry) = self.geometry(&feature.shape);
        let mut message = Vec::new();
        put_number(&mut message, 1, feature.object.cast_unsigned());
        let mut tags = Vec::new();
        put(&mut tags, 0);
        put(&mut tags, place);
        put_bytes(&mut message, 2, &tags);
        put_number(&mut message, 3, kind);
        put_bytes(&mut message, 4, &geometry);
        put_bytes(&mut self.features, 2, &message);
    }

    /// The tile; empty without objects.
    pub fn finish(self) -> Vec<u8> {
        if self.features.is_empty() {
            return Vec::new();
        }
        let mut layer = Vec::with_capacity(self.len() + 64);
        put_number(&mut layer, 15, 2);
        put_bytes(&mut layer, 1, self.name.as_bytes());
        layer.extend(self.features);
        put_bytes(&mut layer, 3, if self.has_labels { b"label" } else { b"type" });
        layer.extend(self.values);
        put_number(&mut layer, 5, EXTENT.into());
        let mut tile = Vec::with_capacity(layer.len() + 8);
        put_bytes(&mut tile, 3, &layer);
        tile
    }

    /// Kind and commands of a geometry.
    fn geometry(&self, shape: &Shape) -> (u64, Vec<u8>) {
        let mut commands = Commands { bytes: Vec::new(), cursor: (0, 0) };
        match shape {
            Shape::Point(point) => {
                commands.move_to(&[self.unit(*point)]);
                return (1, commands.bytes);
            }
            Shape::Polygons(parts) => parts.iter().for_each(|part| self.polygon(&mut commands, part)),
        }
        if commands.bytes.is_empty() {
            let first = self.first_of(shape);
            commands.move_to(&[first]);
            return (1, commands.bytes);
        }
        (3, commands.bytes)
    }

    fn polygon(&self, commands: &mut Commands, rings: &Rings) {
        for (index, ring) in rings.iter().enumerate() {
            let mut points: Vec<Point> = ring.iter().map(|point| self.unit(*point)).collect();
            points.dedup();
            if points.len() > 1 && points.first() == points.last() {
                points.pop();
            }
            let area = doubled_area(&points);
            if points.len() < 3 || area == 0 {
                // Holes are nothing without their shell.
                if index == 0 {
                    return;
                }
                continue;
            }
            if (area > 0) != (index == 0) {
                points.reverse();
            }
            commands.ring(&points);
        }
    }

    fn first_of(&self, shape: &Shape) -> Point {
        let first = match shape {
            Shape::Point(point) => Some(*point),
            Shape::Polygons(parts) => parts.iter().flatten().flatten().next().copied(),
        };
        first.map_or((0, 0), |point| self.unit(point))
    }

    fn unit(&self, point: Position) -> Point {
        let side = f64::from(self.rect.x_max) - f64::from(self.rect.x_min);
        let scale = f64::from(EXTENT) / side;
        // Saturates far outside, where nobody looks.
        let unit = |distance: f64| (distance * scale).round() as i64;
        (unit(point.x - f64::from(self.rect.x_min)), unit(f64::from(self.rect.y_max) - point.y))
    }
}

/// Twice the area of a ring, positive when it runs clockwise with y downwards.
fn doubled_area(ring: &[Point]) -> i128 {
    let ends = ring.iter().skip(1).chain(ring.first());
    let cross = |((x0, y0), (x1, y1)): (&Point, &Point)| {
        i128::from(*x0) * i128::from(*y1) - i128::from(*x1) * i128::from(*y0)
    };
    ring.iter().zip(ends).map(cross).sum()
}

/// Drawing commands; each point is said relative to the one before it.
struct Commands {
    bytes: Vec<u8>,
    cursor: Point,
}

impl Commands {
    fn move_to(&mut self, points: &[Point]) {
        self.command(1, points);
    }

    fn ring(&mut self, points: &[Point]) {
        self.move_to(&points[..1]);
        self.command(2, &points[1..]);
        put(&mut self.bytes, 7 | 1 << 3);
    }

    fn command(&mut self, id: u64, points: &[Point]) {
        put(&mut self.bytes, id | (points.len() as u64) << 3);
        for (x, y) in points {
            for step in [x.wrapping_sub(self.cursor.0), y.wrapping_sub(self.cursor.1)] {
                put(&mut self.bytes, ((step << 1) ^ (step >> 63)).cast_unsigned());
            }
            self.cursor = (*x, *y);
        }
    }
}

fn put_number(bytes: &mut Vec<u8>, field: u64, value: u64) {
    put(bytes, field << 3);
    put(bytes, value);
}

fn put_bytes(bytes: &mut Vec<u8>, field: u64, content: &[u8]) {
    put(bytes, field << 3 | 2);
    put(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}
