//! Raster tiles: squares of 256 pixels of a channel layer, shown in 8 bits.
//!
//! Full resolution is rendered from the channel images when asked for (read the chunks that the tile
//! touches, correct, place, rescale), the levels below it are read from the layer's pyramid and
//! rescaled. Encoded tiles are kept in memory; what is not there is black.

mod cache;
pub mod handlers;

use bytes::Bytes;
use tm_engine::Engine;
use tm_engine::geometry::MapRect;
use tm_engine::image::{BitDepth, GreyPlane, Plane, Rect, Size};
use tm_engine::kernels::rescale::Limits;
use utoipa::ToSchema;

pub use cache::{CacheKey, ChunkKey, EncodedTile, LabelsKey, Tiles};

use super::image::{WindowPlan, correction_of};
use super::layer::layout::TILE_PX;
use super::layer::maps::LayerView;
use super::layer::{LayerSource, MapError, pyramid};
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::storage::{StorageError, encode};

const TILE: Size = Size::new(TILE_PX, TILE_PX);
const JPEG_QUALITY: u8 = 95;

/// A tile within a layer: zoom level (0 is the smallest), row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TileAddress {
    /// How often full resolution was halved.
    halvings: usize,
    y: usize,
    x: usize,
}

impl TileAddress {
    /// The tile at row `y` and column `x` of zoom level `z`, in a layer of `depth` levels; `None` when
    /// there is no such level, or no map can reach that far.
    pub fn new(z: u64, y: u64, x: u64, depth: usize) -> Option<Self> {
        let z = usize::try_from(z).ok()?;
        let position = |value: u64| usize::try_from(value).ok().filter(|value| *value < 1 << 32);
        Some(Self { halvings: depth.checked_sub(1)?.checked_sub(z)?, y: position(y)?, x: position(x)? })
    }

    /// How often full resolution was halved to come to its level.
    pub fn halvings(self) -> usize {
        self.halvings
    }

    /// The pixels of its level that it covers.
    pub fn window(self) -> Rect {
        Rect::new(self.y * TILE_PX, self.x * TILE_PX, TILE)
    }

    /// The square of the map that it covers, borders included, in pixels of full resolution with y upwards:
    /// with `S = 256 · 2^halvings`, `[x·S, (x+1)·S] × [-(y+1)·S, -y·S]`. `None` beyond 32-bit coordinates,
    /// where no object can be.
    pub fn map_rect(self) -> Option<MapRect> {
        let scale = u32::try_from(self.halvings).ok().and_then(|halvings| 1usize.checked_shl(halvings))?;
        let side = TILE_PX.checked_mul(scale)?;
        let lattice = |tiles: usize| i32::try_from(tiles.checked_mul(side)?).ok();
        Some(MapRect {
            x_min: lattice(self.x)?,
            y_min: -lattice(self.y + 1)?,
            x_max: lattice(self.x + 1)?,
            y_max: -lattice(self.y)?,
        })
    }
}

/// How a tile is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum TileFormat {
    /// Small, with errors nobody sees.
    Jpeg,
    /// The exact 8-bit values.
    Png,
}

impl TileFormat {
    /// The format of this name.
    pub fn find(name: &str) -> Option<Self> {
        match name {
            "jpeg" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            _ => None,
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    fn encode(self, plane: Plane<u8>) -> Result<Bytes, MapError> {
        Ok(match self {
            Self::Jpeg => encode::jpeg(&plane, JPEG_QUALITY)?,
            Self::Png => encode::png(&GreyPlane::U8(plane)),
        }
        .into())
    }
}

/// What a client asks for, as it was written.
#[derive(Debug, Clone, Copy)]
pub struct TileRequest {
    /// Zoom level.
    pub z: u64,
    /// Row.
    pub y: u64,
    /// Column.
    pub x: u64,
    /// How to encode it.
    pub format: TileFormat,
    /// Grey value to show as black instead of the layer's.
    pub min: Option<i64>,
    /// Grey value to show as white instead of the layer's.
    pub max: Option<i64>,
}

impl TileRequest {
    /// The limits to show a layer with; `None` shows 8-bit values as they are.
    ///
    /// # Errors
    /// 400 when they are not values of the layer's depth, or the lower is not below the upper one.
    fn limits(&self, source: &LayerSource) -> ApiResult<Option<Limits>> {
        if self.min.is_none() && self.max.is_none() {
            return Ok((source.depth == BitDepth::Sixteen).then_some(source.limits));
        }
        let largest = source.depth.max_value();
        let value = |name: &str, given: Option<i64>, default: u16| match given {
            None => Ok(default),
            Some(value) => u16::try_from(value).ok().filter(|value| *value <= largest).ok_or_else(|| {
                ApiError::malformed(format!("`{name}` must be from 0 to {largest}, got {value}"))
            }),
        };
        let lower = value("min", self.min, source.limits.lower)?;
        let upper = value("max", self.max, source.limits.upper)?;
        let limits = Limits::new(lower, upper);
        limits
            .map(Some)
            .map_err(|_| ApiError::malformed(format!("`min` must be below `max`, got {lower} and {upper}")))
    }
}

/// Everything that decides what a tile looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TileKey {
    layer: i64,
    version: u64,
    address: TileAddress,
    limits: Option<Limits>,
    format: TileFormat,
}

/// An encoded tile: from memory, or rendered once for all who wait for it.
///
/// # Errors
/// 404 for an unknown layer, 400 for limits that make no sense.
pub async fn get(
    environment: &Environment,
    tiles: &Tiles,
    experiment: i64,
    layer: i64,
    request: &TileRequest,
) -> ApiResult<EncodedTile> {
    let view = environment.maps.layer(environment, layer).await?;
    if view.source.experiment_id != experiment {
        return Err(ApiError::not_found(format!("channel layer {layer}")));
    }
    let limits = request.limits(&view.source)?;
    let depth = view.layout.as_ref().map_or(0, |layout| layout.depth());
    let Some(address) = TileAddress::new(request.z, request.y, request.x, depth) else {
        return Ok(tiles.black(request.format)?);
    };
    let key = TileKey { layer, version: view.version, address, limits, format: request.format };
    if let Some(tile) = tiles.get(&key.into()).await {
        return Ok(tile);
    }
    if is_outside(&view, address) {
        return Ok(tiles.black(request.format)?);
    }
    Ok(tiles.get_or_render(key, render(environment, &view, &key)).await?)
}

fn is_outside(view: &LayerView, address: TileAddress) -> bool {
    view.layout.as_ref().is_none_or(|layout| {
        let (level, window) = (layout.reduced_size(address.halvings), address.window());
        window.y >= level.height || window.x >= level.width
    })
}

async fn render(environment: &Environment, view: &LayerView, key: &TileKey) -> Result<EncodedTile, MapError> {
    if key.address.halvings == 0 {
        render_full(environment, view, key).await
    } else {
        render_level(environment, view, key).await
    }
}

async fn render_full(
    environment: &Environment,
    view: &LayerView,
    key: &TileKey,
) -> Result<EncodedTile, MapError> {
    let TileKey { address, limits, format, .. } = *key;
    let plan = WindowPlan::new(environment, view, address.window()).await?;
    let correction =
        correction_of(environment, view.source.experiment_id, view.source.statistics.as_ref()).await?;
    let images = environment.images.clone();
    let rendered = environment.compute.interactive(move |engine| {
        let parts = plan.read(&images)?;
        let plane = parts.render(engine, TILE, correction.as_deref(), limits)?;
        Ok(EncodedTile::new(format.encode(plane)?, parts.missing.is_empty()))
    });
    rendered.await?
}

async fn render_level(
    environment: &Environment,
    view: &LayerView,
    key: &TileKey,
) -> Result<EncodedTile, MapError> {
    let TileKey { address, limits, format, .. } = *key;
    let path = environment.data.layer(view.source.experiment_id, view.source.id);
    let images = environment.images.clone();
    let rendered = environment.compute.interactive(move |engine| {
        // Asked before reading: blocks that come meanwhile must not be missing for long.
        let complete = pyramid::is_complete(&path);
        let pixels = match images.get_layer(&path) {
            Ok(pyramid) => pyramid.read_window(address.halvings, address.window())?,
            Err(StorageError::NotFound { .. }) => GreyPlane::zeros(BitDepth::Eight, TILE),
            Err(error) => return Err(error.into()),
        };
        Ok(EncodedTile::new(format.encode(shown(engine, pixels, limits)?)?, complete))
    });
    rendered.await?
}

/// Grey values as 8 bits.
fn shown(engine: &Engine, pixels: GreyPlane, limits: Option<Limits>) -> Result<Plane<u8>, MapError> {
    Ok(match (pixels, limits) {
        (GreyPlane::U8(plane), None) => plane,
        (GreyPlane::U8(plane), Some(limits)) => engine.rescale(&plane, limits)?,
        (GreyPlane::U16(plane), limits) => {
            engine.rescale(&plane, limits.unwrap_or(Limits::full(BitDepth::Sixteen)))?
        }
    })
}
