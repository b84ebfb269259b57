//! Outlines as they lie in the database: a few bytes for each corner.
//!
//! ```text
//! version (1)
//! number of parts
//! for each part: number of its rings, the shell before the holes
//! for each ring: 2 · number of vertices, + 1 if its first edge is horizontal
//!                row and column of the first vertex, from the upper left corner of the bounding box
//!                length of every edge but the last one; horizontal and vertical edges take turns
//! ```
//!
//! Numbers are unsigned LEB128; lengths are zigzag-coded, positive downwards and to the right. Only outlines along
//! pixel edges can be packed, and nothing is lost.

use tm_engine::geometry::{MapOffset, Outline, Polygon, Ring, Vertex};

const VERSION: u64 = 1;

/// Where an object lies within its site: pixels from `min` to before `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// First row.
    pub min_y: i32,
    /// First column.
    pub min_x: i32,
    /// The row after the last one.
    pub max_y: i32,
    /// The column after the last one.
    pub max_x: i32,
}

/// An outline that cannot be packed, or bytes that are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutlineError(&'static str);

impl Bounds {
    /// Those of an outline in pixels of its site; `None` for an outline without parts.
    pub fn of(outline: &Outline) -> Option<Self> {
        let rect = outline.bounds()?;
        Some(Self { min_y: -rect.y_max, min_x: rect.x_min, max_y: -rect.y_min, max_x: rect.x_max })
    }
}

/// Pack an outline along pixel edges, given in pixels of its site (offset 0).
///
/// # Errors
/// [`OutlineError`] for an outline with slanted edges, or vertices on straight lines.
pub fn pack(outline: &Outline, bounds: Bounds) -> Result<Vec<u8>, OutlineError> {
    let mut packed = Vec::new();
    put(&mut packed, VERSION);
    put(&mut packed, outline.parts.len() as u64);
    for part in &outline.parts {
        put(&mut packed, 1 + part.holes.len() as u64);
        for ring in part.rings() {
            pack_ring(&mut packed, ring, bounds)?;
        }
    }
    Ok(packed)
}

fn pack_ring(packed: &mut Vec<u8>, ring: &Ring, bounds: Bounds) -> Result<(), OutlineError> {
    let vertices = ring.vertices();
    let first = vertices[0];
    let is_horizontal = first.y == vertices[1].y;
    put(packed, 2 * vertices.len() as u64 + u64::from(is_horizontal));
    let places = [(-i64::from(first.y), bounds.min_y), (i64::from(first.x), bounds.min_x)];
    let [down, right] = places.map(|(at, from)| {
        u64::try_from(at - i64::from(from)).map_err(|_| OutlineError("a vertex outside the bounds"))
    });
    put(packed, down?);
    put(packed, right?);
    let mut horizontal = is_horizontal;
    for (from, to) in ring.edges().take(vertices.len() - 1) {
        let (dx, dy) = (i64::from(to.x) - i64::from(from.x), i64::from(from.y) - i64::from(to.y));
        let (length, across) = if horizontal { (dx, dy) } else { (dy, dx) };
        if length == 0 || across != 0 {
            return Err(OutlineError("an outline that does not turn at every vertex along pixel edges"));
        }
        put(packed, ((length << 1) ^ (length >> 63)).cast_unsigned());
        horizontal = !horizontal;
    }
    Ok(())
}

/// Unpack an outline and put it where its site lies on the map (at the offset).
///
/// # Errors
/// [`OutlineError`] for bytes that [`pack`] did not make, and places beyond 32-bit coordinates.
pub fn unpack(label: i32, packed: &[u8], bounds: Bounds, site: MapOffset) -> Result<Outline, OutlineError> {
    let mut left = packed;
    if take(&mut left)? != VERSION {
        return Err(OutlineError("an outline in an unknown version"));
    }
    let origin = (i64::from(site.y) + i64::from(bounds.min_y), i64::from(site.x) + i64::from(bounds.min_x));
    let mut parts = Vec::new();
    for _ in 0..take(&mut left)? {
        let rings = take(&mut left)?;
        if rings == 0 {
            return Err(OutlineError("a part of an outline without a shell"));
        }
        let shell = unpack_ring(&mut left, origin)?;
        let holes = (1..rings).map(|_| unpack_ring(&mut left, origin)).collect::<Result<_, _>>()?;
        parts.push(Polygon { shell, holes });
    }
    if !left.is_empty() {
        return Err(OutlineError("an outline with something after its end"));
    }
    Ok(Outline { label, parts })
}

fn unpack_ring(left: &mut &[u8], origin: (i64, i64)) -> Result<Ring, OutlineError> {
    const FAR: OutlineError = OutlineError("an outline that leaves the map");
    let head = take(left)?;
    // Every vertex but the first takes a byte at least: no length is believed that cannot be true.
    let count = usize::try_from(head / 2).ok().filter(|count| *count <= left.len() + 1);
    let count = count.ok_or(OutlineError("an outline that ends early"))?;
    let mut horizontal = head % 2 == 1;
    let start =
        |origin: i64, taken: u64| i64::try_from(taken).ok().and_then(|taken| origin.checked_add(taken));
    let mut row = start(origin.0, take(left)?).ok_or(FAR)?;
    let mut column = start(origin.1, take(left)?).ok_or(FAR)?;
    let vertex = |row: i64, column: i64| {
        let (x, y) = (
            i32::try_from(column).map_err(|_| FAR)?,
            row.checked_neg().and_then(|y| i32::try_from(y).ok()).ok_or(FAR)?,
        );
        Ok(Vertex::new(x, y))
    };
    let mut vertices = Vec::with_capacity(count);
    vertices.push(vertex(row, column)?);
    for _ in 1..count {
        let coded = take(left)?;
        let length = (coded >> 1).cast_signed() ^ -(coded & 1).cast_signed();
        let moved = if horizontal { &mut column } else { &mut row };
        *moved = moved.checked_add(length).ok_or(FAR)?;
        vertices.push(vertex(row, column)?);
        horizontal = !horizontal;
    }
    Ring::new(vertices).map_err(|_| OutlineError("a ring of an outline with fewer than three vertices"))
}

/// Append an unsigned number in LEB128, which is also Protocol Buffers' form.
pub fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

fn take(left: &mut &[u8]) -> Result<u64, OutlineError> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = left.split_first().ok_or(OutlineError("an outline that ends early"))?;
        *left = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(OutlineError("an outline with a number that is too large"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tm_engine::Engine;
    use tm_engine::image::{Plane, Size};

    #[test]
    fn outlines_come_back_as_they_were_and_where_their_site_lies() {
        // Parts, holes, a hole with an island, a pinch point, the border, one pixel.
        let labels = Plane::new(
            Size::new(6, 9),
            vec![
                7, 7, 7, 7, 7, 0, 0, 0, 9, //
                7, 0, 0, 0, 7, 0, 5, 0, 0, //
                7, 0, 7, 0, 7, 0, 0, 5, 0, //
                7, 0, 0, 0, 7, 0, 5, 0, 0, //
                7, 7, 7, 7, 7, 0, 0, 0, 0, //
                0, 0, 0, 0, 0, 0, 0, 5, 5,
            ],
        )
        .unwrap();
        let far = MapOffset { y: 1000, x: 70_000 };
        let [here, there] =
            [MapOffset::default(), far].map(|at| Engine::cpu().trace_outlines(&labels, at).unwrap());
        assert_eq!(here.len(), 3);
        for (outline, moved) in here.iter().zip(&there) {
            let bounds = Bounds::of(outline).unwrap();
            let packed = pack(outline, bounds).unwrap();
            assert_eq!(&unpack(outline.label, &packed, bounds, MapOffset::default()).unwrap(), outline);
            assert_eq!(&unpack(outline.label, &packed, bounds, far).unwrap(), moved);
            for end in 0..packed.len() {
                assert!(unpack(1, &packed[..end], bounds, far).is_err(), "{end} of {packed:?}");
            }
            assert!(unpack(1, &[&packed[..], &[0]].concat(), bounds, far).is_err());
            let edge = MapOffset { y: i32::MAX, x: i32::MAX };
            assert!(unpack(1, &packed, bounds, edge).is_err());
        }
        let single = here.iter().find(|outline| outline.label == 9).unwrap();
        assert_eq!(pack(single, Bounds::of(single).unwrap()).unwrap().len(), 9);
    }

    #[test]
    fn any_bytes_are_refused_or_read_without_a_panic_or_much_memory() {
        let bounds = Bounds { min_y: 0, min_x: 0, max_y: 4, max_x: 4 };
        let huge = [1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 2, 2];
        assert!(unpack(1, &huge, bounds, MapOffset::default()).is_err());
        assert!(unpack(1, &[1, 0xff, 0xff, 0xff, 0xff, 0x7f, 0], bounds, MapOffset::default()).is_err());
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..12)
                .map(|_| {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (seed >> 60).to_le_bytes()[0]
                })
                .collect();
            // Whatever it is, it is an answer.
            let _ = unpack(1, &[&[1][..], &bytes].concat(), bounds, MapOffset::default());
        }
    }
}
