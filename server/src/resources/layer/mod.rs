//! Channel layers: the map of one channel at one time point and focal plane, zoomable.
//!
//! [`layout`] says where every site lies on the map. Full resolution is never stored: it is rendered
//! from the channel images. [`pyramid`] stores the levels below it.

pub mod handlers;
pub mod layout;
pub mod maps;
pub mod pyramid;
pub mod queries;

use std::sync::Arc;

use tm_engine::EngineError;
use tm_engine::image::BitDepth;
use tm_engine::kernels::rescale::Limits;

pub use layout::MapLayout;
pub use maps::Maps;

use crate::compute::ComputeError;
use crate::error::ApiError;
use crate::storage::StorageError;
use crate::store::StoreError;

/// A channel layer as listed; the last three are null until the pyramid step has run.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ChannelLayer {
    /// Row id.
    pub id: i64,
    /// Its channel.
    pub channel_id: i64,
    /// Time point.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
    /// Grey value shown as black.
    pub min_intensity: i64,
    /// Grey value shown as white.
    pub max_intensity: i64,
    /// Height of the map in pixels.
    pub pyramid_height: Option<i64>,
    /// Width of the map in pixels.
    pub pyramid_width: Option<i64>,
    /// Number of zoom levels.
    pub pyramid_depth: Option<i64>,
}

/// Which layers of an experiment to list; what is not given does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct LayerFilter<'a> {
    /// Only this channel's.
    pub channel_name: Option<&'a str>,
    /// Only this time point's.
    pub tpoint: Option<i64>,
    /// Only this focal plane's.
    pub zplane: Option<i64>,
}

/// What a layer's pixels are made of and how they are shown.
#[derive(Debug, Clone)]
pub struct LayerSource {
    /// Row id.
    pub id: i64,
    /// The experiment it belongs to.
    pub experiment_id: i64,
    /// Its channel.
    pub channel_id: i64,
    /// Name of the channel.
    pub channel_name: String,
    /// Time point.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
    /// Bits per stored pixel.
    pub depth: BitDepth,
    /// Grey values shown as black and white.
    pub limits: Limits,
    /// The statistics its pixels are corrected with, if any.
    pub statistics: Option<StatisticsFile>,
    /// Row id of the alignment its images are moved by, if any.
    pub alignment: Option<i64>,
}

/// A set of illumination statistics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, sqlx::FromRow)]
pub struct StatisticsFile {
    /// Row id.
    pub id: i64,
    /// Name of its directory; see [`crate::storage::DataDir::statistics`].
    pub file: String,
}

/// Why pixels of a map could not be had or made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MapError {
    /// There is no such thing (any more); holds what was looked for.
    #[error("{0} not found")]
    NotFound(String),
    /// The experiment cannot be laid out.
    #[error(transparent)]
    Layout(#[from] layout::LayoutError),
    /// The database failed.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The files failed.
    #[error(transparent)]
    Storage(Arc<StorageError>),
    /// The engine refused.
    #[error(transparent)]
    Engine(Arc<EngineError>),
    /// Pixel work ended without a result.
    #[error(transparent)]
    Compute(Arc<ComputeError>),
}

impl MapError {
    /// Whether the disk is full: a retry may help once there is room.
    pub fn is_storage_full(&self) -> bool {
        match self {
            Self::Store(error) => matches!(**error, StoreError::Full(_)),
            Self::Storage(error) => error.is_storage_full(),
            Self::NotFound(_) | Self::Layout(_) | Self::Engine(_) | Self::Compute(_) => false,
        }
    }

    /// Whether the same work may succeed when it is tried again.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store(error) => matches!(**error, StoreError::Driver(_)),
            Self::Storage(error) => matches!(**error, StorageError::Io(_)) && !error.is_storage_full(),
            Self::Compute(_) => true,
            Self::NotFound(_) | Self::Layout(_) | Self::Engine(_) => false,
        }
    }
}

impl From<StoreError> for MapError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<StorageError> for MapError {
    fn from(error: StorageError) -> Self {
        Self::Storage(Arc::new(error))
    }
}

impl From<EngineError> for MapError {
    fn from(error: EngineError) -> Self {
        Self::Engine(Arc::new(error))
    }
}

impl From<ComputeError> for MapError {
    fn from(error: ComputeError) -> Self {
        Self::Compute(Arc::new(error))
    }
}

impl From<MapError> for ApiError {
    fn from(error: MapError) -> Self {
        match error {
            MapError::NotFound(what) => Self::not_found(what),
            full if full.is_storage_full() => Self::no_space(full),
            other => Self::internal(other),
        }
    }
}
