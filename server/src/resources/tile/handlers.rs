//! HTTP of raster tiles.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{EncodedTile, TileFormat, TileRequest};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{Path, Query, TileUser, not_modified, parse_id, revalidated};
use crate::resources::experiment::authorize;

impl TileRequest {
    /// The tile that a query asks for.
    fn of(query: &Query) -> ApiResult<Self> {
        query.require(&[&["x"], &["y"], &["z"]])?;
        let format = query.text("format").unwrap_or("jpeg");
        Ok(Self {
            z: query.required_number(&["z"])?,
            y: query.required_number(&["y"])?,
            x: query.required_number(&["x"])?,
            format: TileFormat::find(format).ok_or_else(|| {
                ApiError::malformed(format!("`format` must be `jpeg` or `png`, got \"{format}\""))
            })?,
            min: query.number("min")?,
            max: query.number("max")?,
        })
    }
}

/// One tile of a channel layer: always 256×256 pixels, black where there is nothing.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/channel_layers/{layer_id}/tiles", tag = "layers",
    params(("experiment_id" = String, Path), ("layer_id" = String, Path),
        ("x" = u64, Query, description = "Column"), ("y" = u64, Query, description = "Row, downwards"),
        ("z" = u64, Query, description = "Zoom level, 0 is the smallest"),
        ("format" = inline(Option<TileFormat>), Query, description = "`jpeg` (default) or `png`"),
        ("min" = Option<u16>, Query, description = "Grey value to show as black"),
        ("max" = Option<u16>, Query, description = "Grey value to show as white")),
    responses((status = 200, description = "The tile", content(([u8] = "image/jpeg"), ([u8] = "image/png")),
            headers(("ETag" = String, description = "For `If-None-Match`"))),
        (status = 304, description = "The client has this tile"), (status = 400), (status = 403), (status = 404)),
    security(("token" = []), ("bearer" = []), ("cookie" = [])))]
pub async fn get_channel_tile(
    State(app): State<App>,
    TileUser(user): TileUser,
    Path((experiment, layer)): Path<(String, String)>,
    query: Query,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let request = TileRequest::of(&query)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let layer = parse_id("channel layer", &layer)?;
    let tile = super::get(&app.environment, &app.tiles, experiment, layer, &request).await?;
    respond(tile, request.format, &headers)
}

fn respond(tile: EncodedTile, format: TileFormat, headers: &HeaderMap) -> ApiResult<Response> {
    let caching = revalidated(&tile.etag)?;
    if not_modified(headers, &tile.etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let media_type = [(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()))];
    Ok((caching, media_type, tile.bytes).into_response())
}
