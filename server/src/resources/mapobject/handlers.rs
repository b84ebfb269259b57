//! HTTP of objects on the map: their types, their layers, and what one of them is.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    MapobjectParent, MapobjectType, SegmentationLayer, SegmentationLayerFilter, check_type_name, queries,
};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, Data, JsonBody, Message, Path, Query, RequestBody, data, emit_id, ok, parse_id};
use crate::resources::experiment::authorize;
use crate::resources::experiment::handlers::Rename;
use crate::resources::feature::handlers::FeatureBody;
use crate::resources::feature::{Feature, queries as features};
use crate::resources::layer::handlers::ImageSizeBody;

/// A type of objects on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MapobjectType)]
pub struct MapobjectTypeBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Name, unique in the experiment.
    #[schema(example = "Cells")]
    name: String,
    /// What was measured of its objects.
    features: Vec<FeatureBody>,
    /// Its layers.
    layers: Vec<SegmentationLayerBody>,
}

/// A type of objects to create.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateMapobjectType {
    /// Name, unique in the experiment: 1 to 50 characters.
    #[schema(
        example = "Cells",
        min_length = 1,
        max_length = 50,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
}

impl RequestBody for CreateMapobjectType {
    const REQUIRED: &'static [&'static str] = &["name"];
}

/// What an object is, and where. What its type has no use for is null: a plate has no well.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MapobjectInfo)]
pub struct MapobjectInfoBody {
    /// Id, as it was asked for.
    #[schema(example = "17")]
    id: String,
    /// Name of its type.
    #[schema(example = "Cells")]
    #[serde(rename = "type")]
    type_name: String,
    /// Name of the experiment.
    #[schema(example = "screen")]
    experiment_name: String,
    /// Name of the plate.
    #[schema(example = "plate01")]
    plate_name: String,
    /// Name of the well.
    #[schema(example = "C05")]
    well_name: Option<String>,
    /// Column of the site in the well.
    #[schema(example = 0)]
    well_pos_x: Option<i64>,
    /// Row of the site in the well.
    #[schema(example = 1)]
    well_pos_y: Option<i64>,
    /// The first time point it is segmented at.
    #[schema(example = 0)]
    tpoint: Option<i64>,
    /// The first focal plane it is segmented in at that time point.
    #[schema(example = 0)]
    zplane: Option<i64>,
    /// Its number in label images.
    #[schema(example = 7)]
    label: Option<i64>,
    /// The objects of other types that it lies in, as the analysis found them.
    parents: Vec<ParentBody>,
}

/// An object that another one lies in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MapobjectParent)]
pub struct ParentBody {
    /// Id.
    #[schema(example = "16")]
    id: String,
    /// Name of its type.
    #[schema(example = "Nuclei")]
    #[serde(rename = "type")]
    type_name: String,
    /// Its number in label images.
    #[schema(example = 3)]
    label: Option<i64>,
}

impl From<MapobjectParent> for ParentBody {
    fn from(MapobjectParent { id, type_name, label }: MapobjectParent) -> Self {
        Self { id: emit_id(id), type_name, label }
    }
}

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

/// A type with those of its experiment's features and layers that belong to it.
fn with_parts(kind: MapobjectType, features: &[Feature], layers: &[SegmentationLayer]) -> MapobjectTypeBody {
    let own = features.iter().filter(|feature| feature.mapobject_type_id == kind.id);
    let features = own.cloned().map(FeatureBody::from).collect();
    let own = layers.iter().filter(|layer| layer.mapobject_type_id == kind.id);
    let layers = own.cloned().map(SegmentationLayerBody::from).collect();
    MapobjectTypeBody { id: emit_id(kind.id), name: kind.name, features, layers }
}

/// Types of objects of an experiment, by name.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/mapobject_types", tag = "objects",
    params(("experiment_id" = String, Path), ("name" = Option<String>, Query, description = "Only the one with this name")),
    responses((status = 200, body = Data<Vec<MapobjectTypeBody>>), (status = 403), (status = 404)))]
pub async fn list_mapobject_types(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mut tx = app.environment.db.read().await?;
    let name = query.text("name");
    let types = queries::list_types(&mut tx, experiment, name).await?;
    let filter = SegmentationLayerFilter { mapobject_type_name: name, ..SegmentationLayerFilter::default() };
    let layers = queries::list_layers(&mut tx, experiment, filter).await?;
    let features = features::list_of_experiment(&mut tx, experiment).await?;
    Ok(data(types.into_iter().map(|kind| with_parts(kind, &features, &layers)).collect::<Vec<_>>()))
}

/// Create a type of objects; one of this name that is there already is answered as it is.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/mapobject_types", tag = "objects",
    request_body = CreateMapobjectType, params(("experiment_id" = String, Path)),
    responses((status = 200, body = Data<MapobjectTypeBody>), (status = 400), (status = 403), (status = 404),
        (status = 409, description = "The name stands for plates, wells or sites")))]
pub async fn create_mapobject_type(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    JsonBody(body): JsonBody<CreateMapobjectType>,
) -> ApiResult<impl IntoResponse> {
    let name = check_type_name(&body.name)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let mut tx = app.environment.db.write().await?;
    let kind = super::get_or_create(&mut tx, experiment, name).await?;
    let filter =
        SegmentationLayerFilter { mapobject_type_name: Some(name), ..SegmentationLayerFilter::default() };
    let layers = queries::list_layers(&mut tx, experiment, filter).await?;
    let features = features::list(&mut tx, kind.id, None).await?;
    tx.commit().await?;
    Ok(data(with_parts(kind, &features, &layers)))
}

/// Rename a type of objects.
#[utoipa::path(put, path = "/api/experiments/{experiment_id}/mapobject_types/{mapobject_type_id}", tag = "objects",
    request_body = Rename, params(("experiment_id" = String, Path), ("mapobject_type_id" = String, Path)),
    responses((status = 200, body = Message), (status = 400, description = "Also for plates, wells and sites"),
        (status = 403), (status = 404), (status = 409, description = "Name taken")))]
pub async fn rename_mapobject_type(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, objects)): Path<(String, String)>,
    JsonBody(body): JsonBody<Rename>,
) -> ApiResult<impl IntoResponse> {
    let name = check_type_name(&body.name)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let objects = parse_id("mapobject type", &objects)?;
    let mut tx = app.environment.db.write().await?;
    super::rename(&mut tx, experiment, objects, name).await?;
    tx.commit().await?;
    Ok(ok())
}

/// Delete a type with its objects, their segmentations, features and layers.
#[utoipa::path(delete, path = "/api/experiments/{experiment_id}/mapobject_types/{mapobject_type_id}", tag = "objects",
    params(("experiment_id" = String, Path), ("mapobject_type_id" = String, Path)),
    responses((status = 200, body = Message), (status = 403), (status = 404),
        (status = 409, description = "A workflow is running")))]
pub async fn delete_mapobject_type(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, objects)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let id = parse_id("mapobject type", &objects)?;
    super::delete(&app.environment, experiment, id).await?;
    Ok(ok())
}

/// What an object is, and where.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/mapobjects/{mapobject_id}/info", tag = "objects",
    params(("experiment_id" = String, Path), ("mapobject_id" = String, Path)),
    responses((status = 200, body = Data<MapobjectInfoBody>), (status = 403), (status = 404)))]
pub async fn get_mapobject_info(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, object)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let id = parse_id("mapobject", &object)?;
    let mut tx = app.environment.db.read().await?;
    let found = queries::find_info(&mut tx, experiment, id).await?;
    let found = found.ok_or_else(|| ApiError::not_found(format!("mapobject {id}")))?;
    let parents = queries::parents(&mut tx, id).await?;
    Ok(data(MapobjectInfoBody {
        id: object,
        type_name: found.type_name,
        experiment_name: found.experiment_name,
        plate_name: found.plate_name,
        well_name: found.well_name,
        well_pos_x: found.well_pos_x,
        well_pos_y: found.well_pos_y,
        tpoint: found.tpoint,
        zplane: found.zplane,
        label: found.label,
        parents: parents.into_iter().map(ParentBody::from).collect(),
    }))
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
