//! Where a site lies on the map, and the rectangles that stand for sites, wells and plates.

use super::ring::{MapRect, Vertex};
use crate::error::{EngineError, Result};
use crate::image::Size;

/// Canvas row and column of the top-left pixel of an item, in pixels of full resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MapOffset {
    /// Row.
    pub y: i32,
    /// Column.
    pub x: i32,
}

/// An item of the map (a site, well or plate): its offset and size, all of whose corners are vertices.
///
/// ```
/// use tm_engine::geometry::{MapOffset, MapRect, SiteFrame};
/// use tm_engine::image::Size;
/// let site = SiteFrame::new(MapOffset { y: 560, x: 1200 }, Size::new(64, 80))?;
/// assert_eq!(site.rect(), MapRect { x_min: 1200, y_min: -624, x_max: 1280, y_max: -560 });
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SiteFrame {
    offset: MapOffset,
    size: Size,
    rect: MapRect,
}

impl SiteFrame {
    /// The item of `size` at `offset`.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] when a corner is beyond 32-bit coordinates.
    pub fn new(offset: MapOffset, size: Size) -> Result<Self> {
        let far = |start: i32, length: usize| {
            let end = i32::try_from(length).ok().and_then(|length| start.checked_add(length));
            // The end is negated too, which the smallest number cannot be.
            end.filter(|_| start != i32::MIN).ok_or_else(|| EngineError::Parameter {
                name: "offset",
                problem: format!("puts {size} pixels at row {}, column {} off the map", offset.y, offset.x),
            })
        };
        let (bottom, right) = (far(offset.y, size.height)?, far(offset.x, size.width)?);
        let rect = MapRect { x_min: offset.x, y_min: -bottom, x_max: right, y_max: -offset.y };
        Ok(Self { offset, size, rect })
    }

    /// Offset of the top-left pixel.
    pub fn offset(&self) -> MapOffset {
        self.offset
    }

    /// Height and width in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The area that the pixels cover: `[ox, ox + w] × [-(oy + h), -oy]`.
    pub fn rect(&self) -> MapRect {
        self.rect
    }

    /// The rectangle of the original, one pixel smaller on each side and drawn through pixel centres:
    /// `[ox + 1, ox + w - 2] × [-(oy + h - 2), -(oy + 1)]`. `None` for items too small to have one.
    pub fn original_rect(&self) -> Option<MapRect> {
        if self.size.height < 3 || self.size.width < 3 {
            return None;
        }
        Some(MapRect {
            x_min: self.rect.x_min + 1,
            y_min: self.rect.y_min + 2,
            x_max: self.rect.x_max - 2,
            y_max: self.rect.y_max - 1,
        })
    }

    /// The lattice point of a row and column within the item, `None` beyond its corners.
    pub fn vertex(&self, row: usize, column: usize) -> Option<Vertex> {
        if row > self.size.height || column > self.size.width {
            return None;
        }
        let (row, column) = (i32::try_from(row).ok()?, i32::try_from(column).ok()?);
        Some(Vertex::new(self.rect.x_min + column, self.rect.y_max - row))
    }
}
