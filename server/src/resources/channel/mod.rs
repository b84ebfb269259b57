//! Channels: the colours (wavelengths) an experiment was imaged in.
//!
//! Rows come from the `metaconfig` step; a client can only rename them.

pub mod handlers;
pub mod queries;

/// A channel as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Channel {
    /// Row id.
    pub id: i64,
    /// Name, unique in the experiment.
    pub name: String,
    /// Bits per pixel as stored: 8 or 16.
    pub bit_depth: i64,
}
