//! Wells: the vessels of a plate, and the grid of sites in each.
//!
//! Rows come from the `metaconfig` step; a client can only describe them.

pub mod handlers;
pub mod queries;

/// A well as stored, with the size of its site grid.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Well {
    /// Row id.
    pub id: i64,
    /// Name, such as `D03`.
    pub name: String,
    /// A JSON object.
    pub description: String,
    /// Name of the plate.
    pub plate_name: String,
    /// Number of rows of sites; 0 without sites.
    pub grid_height: i64,
    /// Number of columns of sites; 0 without sites.
    pub grid_width: i64,
}
