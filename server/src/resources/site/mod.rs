//! Sites: the fields of view of a well, each at its place in the well's grid.
//!
//! Rows come from the `metaconfig` step.

pub mod handlers;
pub mod queries;

/// A site as stored, with the names of what it lies in.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Site {
    /// Row id.
    pub id: i64,
    /// Row in the well's grid, from 0.
    pub y: i64,
    /// Column in the well's grid, from 0.
    pub x: i64,
    /// Height of its images in pixels.
    pub height: i64,
    /// Width of its images in pixels.
    pub width: i64,
    /// Name of the well.
    pub well_name: String,
    /// Name of the plate.
    pub plate_name: String,
}

/// Which sites to list; what is absent does not narrow.
#[derive(Debug, Clone, Copy, Default)]
pub struct SiteFilter<'a> {
    /// Those of the plate with this name.
    pub plate_name: Option<&'a str>,
    /// Those of wells with this name.
    pub well_name: Option<&'a str>,
    /// Those in this row of the well's grid.
    pub y: Option<i64>,
    /// Those in this column of the well's grid.
    pub x: Option<i64>,
}
