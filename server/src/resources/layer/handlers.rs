//! HTTP of channel layers.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ChannelLayer, LayerFilter, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::ApiResult;
use crate::http::{AuthUser, Data, Path, Query, data, emit_id};
use crate::resources::experiment::authorize;

/// A channel layer on the wire.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChannelLayer)]
pub struct ChannelLayerBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Zoom level of full resolution; null until the pyramid step has run.
    #[schema(example = 7)]
    max_zoom: Option<i64>,
    /// Time point.
    #[schema(example = 0)]
    tpoint: i64,
    /// Focal plane.
    #[schema(example = 0)]
    zplane: i64,
    /// Grey value shown as white.
    #[schema(example = 4095)]
    max_intensity: i64,
    /// Grey value shown as black.
    #[schema(example = 100)]
    min_intensity: i64,
    /// Size at full resolution; null until the pyramid step has run.
    image_size: Option<ImageSizeBody>,
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = ImageSize)]
pub struct ImageSizeBody {
    /// Number of columns.
    #[schema(example = 2560)]
    pub width: i64,
    /// Number of rows.
    #[schema(example = 2160)]
    pub height: i64,
}

impl From<ChannelLayer> for ChannelLayerBody {
    fn from(layer: ChannelLayer) -> Self {
        let size = layer.pyramid_width.zip(layer.pyramid_height);
        Self {
            id: emit_id(layer.id),
            max_zoom: layer.pyramid_depth.map(|depth| depth - 1),
            tpoint: layer.tpoint,
            zplane: layer.zplane,
            max_intensity: layer.max_intensity,
            min_intensity: layer.min_intensity,
            image_size: size.map(|(width, height)| ImageSizeBody { width, height }),
        }
    }
}

/// The channel layers of an experiment.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/channel_layers", tag = "layers",
    params(("experiment_id" = String, Path),
        ("channel_name" = Option<String>, Query, description = "Only those of this channel"),
        ("tpoint" = Option<i64>, Query, description = "Only those of this time point"),
        ("zplane" = Option<i64>, Query, description = "Only those of this focal plane")),
    responses((status = 200, body = Data<Vec<ChannelLayerBody>>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_channel_layers(
    State(app): State<App>,
    user: AuthUser,
    Path(id): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let filter = LayerFilter {
        channel_name: query.text("channel_name"),
        tpoint: query.number("tpoint")?,
        zplane: query.number("zplane")?,
    };
    let experiment = authorize(&app, &user, &id, Access::Read).await?;
    let layers = queries::list(&mut app.environment.db.read().await?, experiment, filter).await?;
    Ok(data(layers.into_iter().map(ChannelLayerBody::from).collect::<Vec<_>>()))
}
