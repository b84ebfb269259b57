//! Cycles: rounds of staining and imaging; an experiment without rounds has one, of index 0.
//!
//! Rows come from the `metaconfig` step.

pub mod handlers;
pub mod queries;

/// A cycle as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Cycle {
    /// Row id.
    pub id: i64,
    /// Position in the order of cycles, from 0.
    pub cycle_index: i64,
    /// Smallest time point of its images; 0 without images.
    pub tpoint: i64,
}
