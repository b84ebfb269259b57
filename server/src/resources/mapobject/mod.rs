//! Objects on the map, such as cells: kinds of them, the layers that show their outlines, and the zoom
//! levels at which they do.

pub mod handlers;
pub mod queries;
pub mod zoom;

/// A segmentation layer as listed: the objects of one type at one time point and focal plane. The sizes are
/// null until the pyramid step has run.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SegmentationLayer {
    /// Row id.
    pub id: i64,
    /// Time point; null when the objects are the same at all of them.
    pub tpoint: Option<i64>,
    /// Focal plane; null when the objects are the same in all of them.
    pub zplane: Option<i64>,
    /// Height of the map in pixels.
    pub pyramid_height: Option<i64>,
    /// Width of the map in pixels.
    pub pyramid_width: Option<i64>,
}

/// Which segmentation layers of an experiment to list; what is not given does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct SegmentationLayerFilter<'a> {
    /// Only those of this type of objects.
    pub mapobject_type_name: Option<&'a str>,
    /// Only this time point's.
    pub tpoint: Option<i64>,
    /// Only this focal plane's.
    pub zplane: Option<i64>,
}
