//! HTTP of vector tiles.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Content, VectorFormat, VectorRequest};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{Path, Query, TileUser, not_modified, parse_id, revalidated};
use crate::resources::experiment::authorize;

/// Largest tolerance that means anything: maps have fewer pixels along a side.
const MAX_TOLERANCE_PX: f64 = 4_294_967_296.0;

impl VectorRequest {
    /// The tile that a query asks for.
    fn of(query: &Query) -> ApiResult<Self> {
        query.require(&[&["x"], &["y"], &["z"]])?;
        let name = query.text("format").unwrap_or("geojson");
        let format = VectorFormat::find(name).ok_or_else(|| {
            ApiError::malformed(format!("`format` must be `geojson` or `mvt`, got \"{name}\""))
        })?;
        let tolerance_px = match query.text("tolerance") {
            None => None,
            Some(text) => {
                let number = text.parse().ok().filter(|number| (0.0..=MAX_TOLERANCE_PX).contains(number));
                Some(number.ok_or_else(|| {
                    ApiError::malformed(format!("`tolerance` must be 0 or more pixels, got \"{text}\""))
                })?)
            }
        };
        Ok(Self {
            z: query.required_number(&["z"])?,
            y: query.required_number(&["y"])?,
            x: query.required_number(&["x"])?,
            // Readers of Mapbox vector tiles do not expect what lies far outside.
            clip: query.text("clip").map_or(format == VectorFormat::Mvt, |_| query.flag(&["clip"])),
            format,
            tolerance_px,
            result_name: None,
        })
    }
}

/// The objects that a tile of a segmentation layer touches.
///
/// Coordinates of GeoJSON are pixels of full resolution, x to the right, y upwards: the map lies in y ≤ 0. Outlines are not
/// cut at the tile's border unless asked for, so an object comes with every tile it touches.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/segmentation_layers/{layer_id}/tiles", tag = "layers",
    params(("experiment_id" = String, Path), ("layer_id" = String, Path),
        ("x" = u64, Query, description = "Column"), ("y" = u64, Query, description = "Row, downwards"),
        ("z" = u64, Query, description = "Zoom level, 0 is the smallest"),
        ("format" = inline(Option<VectorFormat>), Query, description = "`geojson` (default) or `mvt`, Mapbox vector tile"),
        ("clip" = Option<bool>, Query, description = "Cut outlines a 64th of the tile beyond its border; default for `mvt`"),
        ("tolerance" = Option<f64>, Query, description = "Pixels of full resolution by which outlines may be simplified; 0 for exact ones")),
    responses(
        (status = 200, content(
            (Object = "application/geo+json"), (Vec<u8> = "application/vnd.mapbox-vector-tile"))),
        (status = 304, description = "The client has this tile"), (status = 400), (status = 403), (status = 404)),
    security(("token" = []), ("bearer" = []), ("cookie" = [])))]
pub async fn get_segmentation_tile(
    State(app): State<App>,
    TileUser(user): TileUser,
    Path((experiment, layer)): Path<(String, String)>,
    query: Query,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let request = VectorRequest::of(&query)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    respond(&app, experiment, &layer, &request, &headers).await
}

/// The objects that a tile of a segmentation layer touches, with the labels that a tool gave them; those without a label
/// are left out.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/segmentation_layers/{layer_id}/labeled_tiles", tag = "layers",
    params(("experiment_id" = String, Path), ("layer_id" = String, Path),
        ("x" = u64, Query, description = "Column"), ("y" = u64, Query, description = "Row, downwards"),
        ("z" = u64, Query, description = "Zoom level, 0 is the smallest"),
        ("result_name" = String, Query, description = "Name of the tool result"),
        ("format" = inline(Option<VectorFormat>), Query, description = "`geojson` (default) or `mvt`, Mapbox vector tile"),
        ("clip" = Option<bool>, Query, description = "Cut outlines a 64th of the tile beyond its border; default for `mvt`"),
        ("tolerance" = Option<f64>, Query, description = "Pixels of full resolution by which outlines may be simplified; 0 for exact ones")),
    responses(
        (status = 200, content(
            (Object = "application/geo+json"), (Vec<u8> = "application/vnd.mapbox-vector-tile"))),
        (status = 304, description = "The client has this tile"), (status = 400), (status = 403), (status = 404, description = "No such layer or result")),
    security(("token" = []), ("bearer" = []), ("cookie" = [])))]
pub async fn get_labeled_tile(
    State(app): State<App>,
    TileUser(user): TileUser,
    Path((experiment, layer)): Path<(String, String)>,
    query: Query,
    headers: HeaderMap,
) -> ApiResult<Response> {
    query.require(&[&["x"], &["y"], &["z"], &["result_name"]])?;
    let result_name = Some(query.required_text(&["result_name"])?.to_owned());
    let request = VectorRequest { result_name, ..VectorRequest::of(&query)? };
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    respond(&app, experiment, &layer, &request, &headers).await
}

async fn respond(
    app: &App,
    experiment: i64,
    layer: &str,
    request: &VectorRequest,
    headers: &HeaderMap,
) -> ApiResult<Response> {
    let layer = parse_id("segmentation layer", layer)?;
    let tile = super::find(&app.environment, experiment, layer, request).await?;
    let etag = tile.etag();
    let caching = revalidated(&etag)?;
    if not_modified(headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let media_type = [(header::CONTENT_TYPE, HeaderValue::from_static(tile.media_type()))];
    let body = match tile.content(&app.environment, &app.tiles).await? {
        Content::Whole(bytes) => Body::from(bytes),
        Content::Pieces(pieces) => Body::from_stream(pieces),
    };
    Ok((caching, media_type, body).into_response())
}
