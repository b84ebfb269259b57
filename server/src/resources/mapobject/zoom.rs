//! What a zoom level shows of objects: nothing, points or outlines.
//!
//! Zoom level 0 is the smallest picture, `max_zoom` full resolution. Objects appear as points first, as
//! outlines further in:
//!
//! | objects | outlines from | points from |
//! |---|---|---|
//! | plates | 0 | 0 |
//! | wells | `max_zoom - 11` | 0 |
//! | sites | `max_zoom - 8` | 0 |
//! | segmented, with outlines | `max_zoom - 4` | `max_zoom - 6` |
//! | segmented, points only | `max_zoom + 1`: never | `max_zoom - 1` |
//!
//! Levels below 0 are 0.

/// What kind of objects a layer of objects holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MapobjectKind {
    /// Rectangles of plates.
    Plates,
    /// Rectangles of wells.
    Wells,
    /// Rectangles of sites.
    Sites,
    /// Objects found in images, with outlines.
    Outlines,
    /// Objects found in images, of which only the position is known.
    Points,
}

/// The zoom levels from which objects are shown.
///
/// ```
/// use tm_server::resources::mapobject::zoom::{MapobjectKind, Shown, ZoomThresholds};
/// let cells = ZoomThresholds::of(MapobjectKind::Outlines, 9);
/// assert_eq!((cells.outlines, cells.points), (5, 3));
/// assert_eq!([2, 4, 9].map(|zoom| cells.shown_at(zoom)), [Shown::Nothing, Shown::Points, Shown::Outlines]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ZoomThresholds {
    /// The first level with outlines.
    pub outlines: u64,
    /// The first level with points; where outlines begin no later, there are none.
    pub points: u64,
}

/// How objects are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// Not at all.
    Nothing,
    /// By their centroids.
    Points,
    /// By their outlines.
    Outlines,
}

impl ZoomThresholds {
    /// Those of a kind of objects on a map whose full resolution is level `max_zoom`.
    pub fn of(kind: MapobjectKind, max_zoom: u64) -> Self {
        let above = |levels| max_zoom.saturating_sub(levels);
        match kind {
            MapobjectKind::Plates => Self { outlines: 0, points: 0 },
            MapobjectKind::Wells => Self { outlines: above(11), points: 0 },
            MapobjectKind::Sites => Self { outlines: above(8), points: 0 },
            MapobjectKind::Outlines => Self { outlines: above(4), points: above(6) },
            MapobjectKind::Points => Self { outlines: max_zoom.saturating_add(1), points: above(1) },
        }
    }

    /// What level `zoom` shows.
    pub const fn shown_at(self, zoom: u64) -> Shown {
        if zoom >= self.outlines {
            Shown::Outlines
        } else if zoom >= self.points {
            Shown::Points
        } else {
            Shown::Nothing
        }
    }
}
