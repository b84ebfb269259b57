//! HTTP of objects on the map.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::{SegmentationLayer, SegmentationLayerFilter, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::ApiResult;
use crate::http::{AuthUser, Data, Path, Query, data, emit_id};
use crate::resources::experiment::authorize;
use crate::resources::layer::handlers::ImageSizeBody;

/// A segmentation layer on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SegmentationLayer)]
pub struct SegmentationLayerBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Time point; null when the objects are the same at all of them.
    #[schema(example = 0)]
    tpoint: Option<i64>,
    /// Focal plane; null when the objects are the same in all of them.
    #[schema(example = 0)]
    zplane: Option<i64>,
    /// Size at full resolution; null until the pyramid step has run.
    image_size: Option<ImageSizeBody>,
}

impl From<SegmentationLayer> for SegmentationLayerBody {
    fn from(layer: SegmentationLayer) -> Self {
        let size = layer.pyramid_width.zip(layer.pyramid_height);
        Self {
            id: emit_id(layer.id),
            tpoint: layer.tpoint,
            zplane: layer.zplane,
            image_size: size.map(|(width, height)| ImageSizeBody { width, height }),
        }
    }
}

/// The segmentation layers of an experiment.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/segmentation_layers", tag = "layers",
    params(("experiment_id" = String, Path),
        ("mapobject_type_name" = Option<String>, Query, description = "Only those of this type of objects"),
        ("tpoint" = Option<i64>, Query, description = "Only those of this time point"),
        ("zplane" = Option<i64>, Query, description = "Only those of this focal plane")),
    responses((status = 200, body = Data<Vec<SegmentationLayerBody>>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_segmentation_layers(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let filter = SegmentationLayerFilter {
        mapobject_type_name: query.text("mapobject_type_name"),
        tpoint: query.number("tpoint")?,
        zplane: query.number("zplane")?,
    };
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let layers = queries::list_layers(&mut app.environment.db.read().await?, experiment, filter).await?;
    Ok(data(layers.into_iter().map(SegmentationLayerBody::from).collect::<Vec<_>>()))
}
