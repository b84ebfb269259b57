//! GeoJSON (RFC 7946), written object by object.

use std::fmt::Write;

use super::shape::{Feature, Position, Rings, Shape};

/// What comes before the objects.
pub const START: &str = "{\"type\":\"FeatureCollection\",\"features\":[";
/// What comes after them.
pub const END: &str = "]}";

/// Writes the objects of a collection.
#[derive(Debug)]
pub struct Writer {
    /// The properties of objects without labels, as JSON.
    properties: String,
    is_first: bool,
}

impl Writer {
    /// A writer for objects of a type.
    pub fn new(type_name: &str) -> Self {
        Self { properties: property("type", type_name), is_first: true }
    }

    /// Append an object.
    pub fn write(&mut self, text: &mut String, feature: &Feature) {
        if !self.is_first {
            text.push(',');
        }
        self.is_first = false;
        // Writing to a text does not fail.
        let _ = write!(text, "{{\"type\":\"Feature\",\"id\":{},\"geometry\":", feature.object);
        geometry(text, &feature.shape);
        text.push_str(",\"properties\":");
        match &feature.label {
            Some(label) => text.push_str(&property("label", label)),
            None => text.push_str(&self.properties),
        }
        text.push('}');
    }
}

fn property(key: &str, value: &str) -> String {
    serde_json::json!({ key: value }).to_string()
}

fn geometry(text: &mut String, shape: &Shape) {
    match shape {
        Shape::Point(point) => {
            text.push_str("{\"type\":\"Point\",\"coordinates\":");
            position(text, *point);
        }
        Shape::Polygons(parts) => match &parts[..] {
            [part] => {
                text.push_str("{\"type\":\"Polygon\",\"coordinates\":");
                polygon(text, part);
            }
            parts => {
                text.push_str("{\"type\":\"MultiPolygon\",\"coordinates\":[");
                for (index, part) in parts.iter().enumerate() {
                    comma(text, index);
                    polygon(text, part);
                }
                text.push(']');
            }
        },
    }
    text.push('}');
}

fn polygon(text: &mut String, rings: &Rings) {
    text.push('[');
    for (index, ring) in rings.iter().enumerate() {
        comma(text, index);
        text.push('[');
        // Rings are closed.
        for (index, point) in ring.iter().chain(ring.first()).enumerate() {
            comma(text, index);
            position(text, *point);
        }
        text.push(']');
    }
    text.push(']');
}

fn comma(text: &mut String, index: usize) {
    if index > 0 {
        text.push(',');
    }
}

fn position(text: &mut String, Position { x, y }: Position) {
    // Adding 0 makes 0 of -0.
    let _ = write!(text, "[{},{}]", x + 0.0, y + 0.0);
}
