//! HTTP of open data.

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::key::Key;
use super::queries::NamedLayer;
use super::{Listing, Served};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{Data, Path, TileUser, data, emit_id};
use crate::resources::experiment::authorize;
use crate::resources::plate::Plate;

/// The plates and layers of an experiment that are served as Zarr.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZarrListing)]
pub struct ListingBody {
    /// Plates that have images.
    plates: Vec<PlateBody>,
    /// Layers whose pyramid is built.
    layers: Vec<LayerBody>,
}

/// A plate: an OME-Zarr plate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZarrPlate)]
pub struct PlateBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Name.
    #[schema(example = "plate01")]
    name: String,
    /// Path of the plate on this server.
    #[schema(example = "/api/experiments/1/zarr/plates/plate01-17.ome.zarr")]
    url: String,
}

/// A channel layer: an OME-Zarr image with all its levels.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZarrLayer)]
pub struct LayerBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Name of the channel.
    #[schema(example = "DAPI")]
    channel_name: String,
    /// Time point.
    #[schema(example = 0)]
    tpoint: i64,
    /// Focal plane.
    #[schema(example = 0)]
    zplane: i64,
    /// Path of the image on this server.
    #[schema(example = "/api/experiments/1/zarr/layers/DAPI_t0_z0-17.ome.zarr")]
    url: String,
}

impl ListingBody {
    fn new(listing: Listing, base: &str) -> Self {
        let url = |path: &str| format!("{base}/{path}");
        let plate = |Served { what: Plate { id, name, .. }, path }| PlateBody {
            id: emit_id(id),
            name,
            url: url(&path),
        };
        let layer = |Served { what: NamedLayer { id, channel_name, tpoint, zplane }, path }| LayerBody {
            id: emit_id(id),
            channel_name,
            tpoint,
            zplane,
            url: url(&path),
        };
        Self {
            plates: listing.plates.into_iter().map(plate).collect(),
            layers: listing.layers.into_iter().map(layer).collect(),
        }
    }
}

/// The plates and channel layers of an experiment as OME-Zarr.
///
/// Each `url` is one to open with napari, ome-zarr-py, zarr-python or Vizarr. Its last segment is a name for
/// people followed by an id; only the id counts, so that it stays valid when a plate or channel is renamed.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/zarr/", tag = "zarr",
    params(("experiment_id" = String, Path)),
    responses((status = 200, body = Data<ListingBody>), (status = 403), (status = 404)),
    security(("token" = []), ("bearer" = []), ("cookie" = [])))]
pub async fn list_zarr(
    State(app): State<App>,
    TileUser(user): TileUser,
    Path(id): Path<String>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &id, Access::Read).await?;
    let listing = super::list(&app.environment, experiment).await?;
    let base = format!("{}/api/experiments/{experiment}/zarr", app.config.base_path);
    Ok(data(ListingBody::new(listing, &base)))
}

/// One key of a plate or channel layer: a `zarr.json`, a chunk or a shard.
///
/// `plates/<name>.ome.zarr/…` is a plate: field images of axes t, c, z, y, x, and below each that has segmentations
/// `labels`, a label image for every type of objects, filled from their outlines when asked for. `layers/<name>.ome.zarr/…` is a
/// layer: its level 0 is full resolution, corrected and aligned as the layer is, rendered when asked for. Chunks that are
/// not there are pixels of 0 to a reader.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/zarr/{key}", tag = "zarr",
    params(("experiment_id" = String, Path),
        ("key" = String, Path, description = "Path below `zarr/`, such as `layers/DAPI_t0_z0-17.ome.zarr/0/c/3/4`"),
        ("Range" = Option<String>, Header, description = "One range of bytes, such as `bytes=0-99` or `bytes=-16`"),
        ("If-Range" = Option<String>, Header, description = "ETag or date for which the range is wanted, else everything"),
        ("If-None-Match" = Option<String>, Header, description = "ETags that need not be sent again"),
        ("If-Modified-Since" = Option<String>, Header, description = "Date since when it is wanted again")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 206, content_type = "application/octet-stream", body = Vec<u8>), (status = 304, description = "The client has this"), (status = 403),
        (status = 404), (status = 416, description = "The range begins beyond the end")),
    security(("token" = []), ("bearer" = []), ("cookie" = [])))]
pub async fn get_zarr_key(
    State(app): State<App>,
    TileUser(user): TileUser,
    Path((experiment, key)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let key = Key::parse(&key).ok_or_else(|| ApiError::not_found(format!("\"{key}\"")))?;
    let content = super::open(&app.environment, &app.tiles, experiment, &key).await?;
    content.answer(&method, &headers).await
}
