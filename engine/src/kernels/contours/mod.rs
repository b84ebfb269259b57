//! Outlines of objects: from a label image to polygons along pixel edges.
//!
//! A label image has a positive number at each pixel of an object and 0 elsewhere. For a site at offset
//! (oy, ox), pixel (r, c) covers the square `[ox + c, ox + c + 1] × [-(oy + r + 1), -(oy + r)]` of the map.
//!
//! * A *directed unit edge* runs along each side of a pixel whose neighbour there has another label (the
//!   outside counts as 0), with the pixel on its left (y upwards). Objects that touch share edges exactly.
//! * Where an edge ends, the next one of the same label is the one on the pixel ahead, if that one has the
//!   label and the pixel to its right does not; on the pixel ahead to the right, if both have the label; on
//!   the same pixel otherwise. At *pinch points*, where two pixels of a label touch at a corner only, a ring
//!   so stays on its pixel: parts are 4-connected.
//! * A ring that comes to a corner twice is split there, so every ring is simple.
//! * Vertices on straight lines are left out. Each ring starts at its smallest (row, column) vertex.
//! * Rings of positive area (counter-clockwise, y upwards) are shells, one for each part; the others are
//!   holes, each within the part whose edges it is made of.
//! * Outlines are in ascending order of label; parts, and the holes of a part, by (row, column) of their
//!   first vertex.
//!
//! Integers only, so bit-exact on every backend. The area of an outline is the number of its pixels, and
//! filling outlines at pixel centres gives the label image back ([`rasterise`](crate::geometry::rasterise)).
//!
//! Crack codes: Rosenfeld; Kovalevsky, CVGIP 46:141 (1989).
//!
//! ```
//! use tm_engine::geometry::{MapOffset, Vertex};
//! use tm_engine::{Engine, image::{Plane, Size}};
//! let labels = Plane::new(Size::new(2, 3), vec![
//!     0, 5, 5, //
//!     0, 0, 5,
//! ])?;
//! let outlines = Engine::cpu().trace_outlines(&labels, MapOffset { y: 10, x: 20 })?;
//! assert_eq!(outlines[0].label, 5);
//! let corners = [(21, -10), (21, -11), (22, -11), (22, -12), (23, -12), (23, -10)];
//! assert_eq!(outlines[0].parts[0].shell.vertices(), corners.map(|(x, y)| Vertex::new(x, y)));
//! assert_eq!(outlines[0].area(), 3.0);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```
//!
//! Bytes moved per pixel: read 4; and 16 per edge. On a GPU, which numbers the edges by a scan over pixels
//! and sends them back, read 8, write 4; and 8 per edge. [`centre`] has the outlines of the original
//! instead.

pub mod centre;
pub mod cpu;
pub mod gpu;
mod rings;
mod side;
mod spec;

pub use spec::SPEC;

use std::collections::BTreeSet;

use crate::error::{EngineError, Result};
use crate::image::{Plane, PlaneRef};

/// Labels at the first or last row or column, ascending: the objects that the image border cuts.
pub fn border_labels(labels: &Plane<i32>) -> Vec<i32> {
    let size = labels.size();
    let mut found = BTreeSet::new();
    for row in 0..size.height {
        let pixels = labels.row(row);
        if row == 0 || row + 1 == size.height {
            found.extend(pixels);
        } else {
            found.extend(pixels.first().into_iter().chain(pixels.last()));
        }
    }
    found.into_iter().filter(|label| *label > 0).collect()
}

/// Refuses label images with negative numbers.
fn check_labels(labels: PlaneRef<'_, i32>) -> Result<()> {
    for row in 0..labels.size().height {
        // One look at all signs is quicker than a search; most images pass it.
        let signs = labels.row(row).iter().fold(0, |signs, label| signs | label);
        if signs >= 0 {
            continue;
        }
        if let Some(column) = labels.row(row).iter().position(|label| *label < 0) {
            return Err(EngineError::Parameter {
                name: "labels",
                problem: format!(
                    "are 0 or more, not {} as at row {row}, column {column}",
                    labels.row(row)[column]
                ),
            });
        }
    }
    Ok(())
}
