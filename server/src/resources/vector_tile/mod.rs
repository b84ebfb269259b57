//! Vector tiles: the objects of a segmentation layer that a tile of the map touches, as GeoJSON or Mapbox vector tile.
//!
//! ```text
//! tile → rectangle of the map → its sites, by the layout → the objects of (layer, site), by bounding box
//! ```
//!
//! so the cost follows the objects in the tile, not those in the experiment. What a zoom level shows of objects says
//! [`zoom`](super::mapobject::zoom). Outlines are simplified to `(max_zoom - z)² + 1` pixels of full resolution unless the
//! request says otherwise; an object of which only the position is known is a point at every level.
//!
//! A tile is known by everything that decides what it looks like ([`VectorKey`]), the layer's version among it, and its
//! ETag is made of that: what a client has already is not made again. Tiles of up to [`KEPT_BYTES`] are kept in
//! memory; a larger one is written to the client piece by piece and never held as a whole.

mod geojson;
pub mod handlers;
mod mvt;
mod pieces;
pub mod queries;
mod shape;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use tm_engine::geometry::MapRect;
use utoipa::ToSchema;

use super::layer::layout::LayoutError;
use super::layer::{MapError, MapLayout};
use super::mapobject::StaticType;
use super::mapobject::zoom::{MapobjectKind, Shown, ZoomThresholds};
use super::tile::{EncodedTile, TileAddress, Tiles};
use super::tools::{ToolResult, queries as tools};
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::http::etag_of;
use pieces::Pieces;
use queries::LayerRow;

/// Largest tile that is made as a whole and kept, in bytes.
pub const KEPT_BYTES: usize = 4 << 20;
/// Largest Mapbox vector tile, in bytes: its length is said before its content, so it cannot be sent in pieces.
const MVT_BYTES: usize = 32 << 20;

/// How a tile is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum VectorFormat {
    /// GeoJSON in pixels of full resolution, y upwards.
    GeoJson,
    /// Mapbox vector tile.
    Mvt,
}

impl VectorFormat {
    /// The format of this name.
    pub fn find(name: &str) -> Option<Self> {
        match name {
            "geojson" => Some(Self::GeoJson),
            "mvt" => Some(Self::Mvt),
            _ => None,
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::GeoJson => "application/geo+json",
            Self::Mvt => "application/vnd.mapbox-vector-tile",
        }
    }
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct VectorRequest {
    /// Zoom level.
    pub z: u64,
    /// Row.
    pub y: u64,
    /// Column.
    pub x: u64,
    /// How to write it.
    pub format: VectorFormat,
    /// Whether outlines are cut a little beyond the tile.
    pub clip: bool,
    /// Largest distance between an outline and what is drawn, in pixels of full resolution, instead of the zoom level's.
    pub tolerance_px: Option<f64>,
    /// Name of the tool result to label objects with, in tiles with labels.
    pub result_name: Option<String>,
}

/// Everything that decides what a tile looks like.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VectorKey {
    layer: i64,
    version: i64,
    type_name: String,
    map: u64,
    /// `None` where there is nothing to show.
    address: Option<TileAddress>,
    shown: Shown,
    format: VectorFormat,
    clip: bool,
    /// Bits of the tolerance in pixels.
    tolerance: u64,
    /// Id of the result whose labels are shown, and its version.
    result: Option<(i64, i64)>,
}

/// A tile that is known, but not written yet.
#[derive(Debug, Clone)]
pub struct VectorTile {
    key: VectorKey,
    layer: LayerRow,
    layout: Option<Arc<MapLayout>>,
    rect: Option<MapRect>,
    result: Option<ToolResult>,
}

/// The content of a tile.
pub enum Content {
    /// As a whole.
    Whole(Bytes),
    /// Piece by piece.
    Pieces(BoxStream<'static, Result<Bytes, MapError>>),
}

/// Why a tile was not made as a whole.
#[derive(Debug, Clone)]
enum Unmade {
    TooLarge,
    Failed(MapError),
}

impl From<MapError> for Unmade {
    fn from(error: MapError) -> Self {
        Self::Failed(error)
    }
}

/// Find out what a tile will be made of.
///
/// # Errors
/// 404 for an unknown layer or result.
pub async fn find(
    environment: &Environment,
    experiment: i64,
    layer: i64,
    request: &VectorRequest,
) -> ApiResult<VectorTile> {
    let mut tx = environment.db.read().await?;
    let found = queries::find_layer(&mut tx, experiment, layer).await?;
    let layer = found.ok_or_else(|| ApiError::not_found(format!("segmentation layer {layer}")))?;
    let result = match &request.result_name {
        None => None,
        Some(name) => {
            let result = tools::find_result_by_name(&mut tx, layer.mapobject_type_id, name).await?;
            Some(result.ok_or_else(|| {
                ApiError::not_found(format!("result \"{name}\" of tools on \"{}\"", layer.type_name))
            })?)
        }
    };
    drop(tx);
    let keyed = match layer.pyramid_depth {
        None => None,
        Some(_) => match environment.maps.keyed_layout(environment, experiment).await {
            Ok(keyed) => Some(keyed),
            Err(MapError::Layout(LayoutError::NoSites)) => None,
            Err(error) => return Err(error.into()),
        },
    };
    let (map, layout) = keyed.unzip();
    let depth = layout.as_ref().map_or(0, |layout| layout.depth());
    let address = TileAddress::new(request.z, request.y, request.x, depth);
    let rect = address.and_then(TileAddress::map_rect);
    let shown = thresholds(&layer, depth).shown_at(request.z);
    let halvings = address.map_or(0, TileAddress::halvings) as f64;
    let mut hasher = DefaultHasher::new();
    map.hash(&mut hasher);
    let key = VectorKey {
        layer: layer.id,
        version: layer.version,
        type_name: layer.type_name.clone(),
        map: hasher.finish(),
        address: address.filter(|_| rect.is_some() && shown != Shown::Nothing),
        shown,
        format: request.format,
        clip: request.clip,
        tolerance: request.tolerance_px.unwrap_or(halvings * halvings + 1.0).to_bits(),
        result: result.as_ref().map(|result| (result.id, result.version)),
    };
    Ok(VectorTile { key, layer, layout, rect, result })
}

/// The thresholds of a layer on a map of this many zoom levels.
fn thresholds(layer: &LayerRow, depth: usize) -> ZoomThresholds {
    let kind = match StaticType::find(&layer.type_name) {
        Some(StaticType::Plates) => MapobjectKind::Plates,
        Some(StaticType::Wells) => MapobjectKind::Wells,
        Some(StaticType::Sites) => MapobjectKind::Sites,
        None if layer.points_only => MapobjectKind::Points,
        None => MapobjectKind::Outlines,
    };
    let by_kind = ZoomThresholds::of(kind, depth.saturating_sub(1) as u64);
    let stored =
        |stored: Option<i64>, default| stored.and_then(|level| u64::try_from(level).ok()).unwrap_or(default);
    ZoomThresholds {
        outlines: stored(layer.polygon_threshold, by_kind.outlines),
        points: stored(layer.centroid_threshold, by_kind.points),
    }
}

impl VectorTile {
    /// Strong ETag, in quotes.
    pub fn etag(&self) -> Arc<str> {
        // Another version may write the same tile in another way.
        etag_of(&(env!("CARGO_PKG_VERSION"), &self.key))
    }

    /// Its media type.
    pub fn media_type(&self) -> &'static str {
        self.key.format.media_type()
    }

    /// Its content: from memory, made once for all who wait for it, or in pieces.
    ///
    /// # Errors
    /// When the database fails, and 400 for a Mapbox vector tile that would be too large.
    pub async fn content(self, environment: &Environment, tiles: &Tiles) -> ApiResult<Content> {
        let key = self.key.clone().into();
        if let Some(tile) = tiles.get(&key).await {
            return Ok(Content::Whole(tile.bytes));
        }
        match tiles.get_or_render(key, self.make(environment)).await {
            Ok(tile) => Ok(Content::Whole(tile.bytes)),
            Err(Unmade::Failed(error)) => Err(error.into()),
            Err(Unmade::TooLarge) => match self.key.format {
                VectorFormat::GeoJson => Ok(Content::Pieces(self.into_stream(environment.clone()))),
                VectorFormat::Mvt => Err(ApiError::malformed(format!(
                    "the tile has too many objects for `format` mvt (more than {} MB); ask for geojson, or zoom in",
                    MVT_BYTES >> 20
                ))),
            },
        }
    }

    /// Make the whole tile, unless it is too large.
    async fn make(&self, environment: &Environment) -> Result<EncodedTile, Unmade> {
        let limit = match self.key.format {
            VectorFormat::GeoJson => KEPT_BYTES,
            VectorFormat::Mvt => MVT_BYTES,
        };
        let mut pieces = Pieces::new(environment.clone(), self.clone());
        let mut content = Vec::new();
        while let Some(piece) = pieces.next().await? {
            content.extend_from_slice(&piece);
            if content.len().max(pieces.held_bytes()) > limit {
                return Err(Unmade::TooLarge);
            }
        }
        Ok(EncodedTile { bytes: content.into(), etag: self.etag(), settled: true })
    }

    fn into_stream(self, environment: Environment) -> BoxStream<'static, Result<Bytes, MapError>> {
        let pieces = Pieces::new(environment, self);
        let pieces = stream::unfold(Some(pieces), async |pieces| {
            let mut pieces = pieces?;
            match pieces.next().await {
                Ok(piece) => Some((Ok(Bytes::from(piece?)), Some(pieces))),
                Err(error) => {
                    tracing::error!(%error, "a vector tile ends early");
                    Some((Err(error), None))
                }
            }
        });
        pieces.boxed()
    }
}
