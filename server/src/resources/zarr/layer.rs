//! Layers as they are served: the stored levels, and full resolution, rendered by the kernel that renders tiles, but
//! not rescaled: corrected, moved and placed values at the stored depth.

use tm_engine::image::{Rect, Size};

use super::key::{LayerKey, layer_name};
use super::{blocking, not_there, of_text, of_tile, stored};
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::http::Content;
use crate::resources::image::{WindowPlan, correction_of, queries as images};
use crate::resources::layer::maps::LayerView;
use crate::resources::layer::pyramid::is_complete;
use crate::resources::layer::{LayerSource, MapError, MapLayout};
use crate::resources::tile::{ChunkKey, EncodedTile, Tiles};
use crate::storage::StorageError;
use crate::storage::images::{
    ChannelLook, INNER_CHUNK, LayerLook, encode_chunk, full_resolution_document, layer_document,
};

/// What is at a key of a layer.
///
/// # Errors
/// 404 where there is nothing.
pub async fn open(
    environment: &Environment,
    tiles: &Tiles,
    experiment: i64,
    id: i64,
    key: LayerKey,
) -> ApiResult<Content> {
    let unknown = || ApiError::not_found(format!("channel layer {id}"));
    let view = environment.maps.layer(environment, id).await?;
    let layout = view.layout.as_ref().filter(|_| view.source.experiment_id == experiment);
    let layout = layout.ok_or_else(unknown)?;
    let path = environment.data.layer(experiment, id);
    let directory = path.clone();
    if !blocking(move || Ok(is_complete(&directory))).await? {
        return Err(unknown());
    }
    match key {
        LayerKey::Layer => Ok(of_text(layer_document(&look(environment, &view.source, layout).await?))),
        LayerKey::Level(0) => Ok(of_text(full_resolution_document(view.source.depth, layout.size()))),
        LayerKey::Chunk { level: 0, y, x } => {
            let chunk = chunk(environment, tiles, &view, y, x).await?;
            chunk.ok_or_else(|| not_there(&key.path()))
        }
        LayerKey::Level(_) | LayerKey::Chunk { .. } => stored(&path, &key.path()).await,
    }
}

/// What programs need to know of a layer. Colour and pixel size are those of the channel's images.
///
/// # Errors
/// When database or disk fail.
pub async fn look(
    environment: &Environment,
    source: &LayerSource,
    layout: &MapLayout,
) -> Result<LayerLook, MapError> {
    let plane = images::plane_of_channel(&mut environment.db.read().await?, source.channel_id).await?;
    let shown = match plane {
        None => ChannelLook::default(),
        Some(plane) => {
            let plate = plane.plate_images(environment, source.experiment_id);
            let read = move |_: &_| ChannelLook::read(&plate, &plane.field, plane.index.c);
            match environment.compute.interactive(read).await? {
                // The plate was deleted or made anew since.
                Err(StorageError::NotFound { .. }) => ChannelLook::default(),
                shown => shown?,
            }
        }
    };
    Ok(LayerLook {
        name: layer_name(&source.channel_name, source.tpoint, source.zplane),
        channel: source.channel_name.clone(),
        depth: source.depth,
        levels: layout.depth(),
        limits: source.limits,
        shown,
    })
}

/// A chunk of full resolution: from memory, or rendered once for all who wait for it. `None` where no image is.
async fn chunk(
    environment: &Environment,
    tiles: &Tiles,
    view: &LayerView,
    y: usize,
    x: usize,
) -> Result<Option<Content>, MapError> {
    let window = Rect::new(y * INNER_CHUNK, x * INNER_CHUNK, Size::new(INNER_CHUNK, INNER_CHUNK));
    let has_sites = view.layout.as_ref().is_some_and(|layout| !layout.sites_in(window).is_empty());
    if !has_sites {
        return Ok(None);
    }
    let key = ChunkKey { layer: view.source.id, version: view.version, y, x };
    Ok(of_tile(tiles.get_or_render(key, render(environment, view, window)).await?))
}

/// The encoded chunk; no bytes where no image is stored.
async fn render(environment: &Environment, view: &LayerView, window: Rect) -> Result<EncodedTile, MapError> {
    let source = &view.source;
    let plan = WindowPlan::new(environment, view, window).await?;
    let correction = correction_of(environment, source.experiment_id, source.statistics.as_ref()).await?;
    let images = environment.images.clone();
    let rendered = environment.compute.interactive(move |engine| {
        let parts = plan.read(&images)?;
        let settled = parts.missing.is_empty();
        if parts.is_empty() {
            return Ok(EncodedTile::new(Vec::new().into(), settled));
        }
        let pixels = parts.compose(engine, window.size, correction.as_deref())?;
        Ok(EncodedTile::new(encode_chunk(&pixels)?.into(), settled))
    });
    rendered.await?
}
