//! HTTP of features and their values.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::download::{self, Download};
use super::selection::ObjectFilter;
use super::upload::{self, NewValues, Values};
use super::{Feature, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{
    AuthUser, Data, JsonBody, LargeBody, Message, Path, Query, RequestBody, attachment, data, emit_id,
    integer, ok, parse_id, plain_text, to_its_end,
};
use crate::resources::experiment::handlers::Rename;
use crate::resources::experiment::{authorize, check_name};
use crate::resources::mapobject;

/// A feature on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Feature)]
pub struct FeatureBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Name, unique in the type of objects.
    #[schema(example = "Morphology_Area")]
    name: String,
}

impl From<Feature> for FeatureBody {
    fn from(feature: Feature) -> Self {
        Self { id: emit_id(feature.id), name: feature.name }
    }
}

/// Values of features of the objects at a site and time point.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UploadValues {
    /// Name of the plate.
    #[schema(example = "plate01")]
    #[serde(deserialize_with = "plain_text")]
    plate_name: String,
    /// Name of the well.
    #[schema(example = "C05")]
    #[serde(deserialize_with = "plain_text")]
    well_name: String,
    /// Row of the site in the well; a number, or text that is one.
    #[schema(example = 1)]
    #[serde(deserialize_with = "integer")]
    well_pos_y: i64,
    /// Column of the site in the well; a number, or text that is one.
    #[schema(example = 0)]
    #[serde(deserialize_with = "integer")]
    well_pos_x: i64,
    /// Time point; a number, or text that is one.
    #[schema(example = 0)]
    #[serde(deserialize_with = "integer")]
    tpoint: i64,
    /// Names of the features; unknown ones are made.
    names: Vec<String>,
    /// Labels of the objects; those that no object has are ignored.
    labels: Vec<i64>,
    /// For every label a row with a number, or null where it is missing, for every name. Numbers are kept as 64-bit
    /// floating point: integers beyond 2⁵³ are rounded.
    #[schema(value_type = Vec<Vec<Option<f64>>>)]
    values: Values,
}

impl RequestBody for UploadValues {
    const REQUIRED: &'static [&'static str] =
        &["plate_name", "well_name", "well_pos_y", "well_pos_x", "tpoint", "names", "labels", "values"];
}

impl From<UploadValues> for NewValues {
    fn from(body: UploadValues) -> Self {
        Self {
            plate: body.plate_name,
            well: body.well_name,
            y: body.well_pos_y,
            x: body.well_pos_x,
            tpoint: body.tpoint,
            names: body.names,
            labels: body.labels,
            values: body.values,
        }
    }
}

impl<'a> ObjectFilter<'a> {
    /// The filter that a request asks for.
    fn of(query: &'a Query) -> ApiResult<Self> {
        Ok(Self {
            plate: query.text("plate_name"),
            well: query.text("well_name"),
            y: query.number_of(&["well_pos_y", "well_pox_y"])?,
            x: query.number_of(&["well_pos_x", "well_pox_x"])?,
            tpoint: query.number("tpoint")?,
        })
    }
}

/// A table as it is being made.
fn csv(download: Download<impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, attachment(&download.file_name)),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
    ];
    (headers, Body::from_stream(download.lines)).into_response()
}

/// Features of a type of objects, by name.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/mapobject_types/{mapobject_type_id}/features", tag = "features",
    params(("experiment_id" = String, Path), ("mapobject_type_id" = String, Path),
        ("name" = Option<String>, Query, description = "Only the one with this name")),
    responses((status = 200, body = Data<Vec<FeatureBody>>), (status = 403), (status = 404)))]
pub async fn list_features(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, mapobject_type)): Path<(String, String)>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mapobject_type = parse_id("mapobject type", &mapobject_type)?;
    let mut tx = app.environment.db.read().await?;
    mapobject::get(&mut tx, experiment, mapobject_type).await?;
    let features = queries::list(&mut tx, mapobject_type, query.text("name")).await?;
    Ok(data(features.into_iter().map(FeatureBody::from).collect::<Vec<_>>()))
}

/// Rename a feature.
#[utoipa::path(put, path = "/api/experiments/{experiment_id}/features/{feature_id}", tag = "features", request_body = Rename,
    params(("experiment_id" = String, Path), ("feature_id" = String, Path)),
    responses((status = 200, body = Message), (status = 400), (status = 403), (status = 404),
        (status = 409, description = "Name taken")))]
pub async fn rename_feature(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, feature)): Path<(String, String)>,
    JsonBody(body): JsonBody<Rename>,
) -> ApiResult<impl IntoResponse> {
    check_name("name", &body.name)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let id = parse_id("feature", &feature)?;
    let mut tx = app.environment.db.write().await?;
    let renamed = queries::rename(&mut tx, experiment, id, &body.name).await.map_err(|error| {
        ApiError::on_conflict(error, format!("the type has a feature named \"{}\" already", body.name))
    })?;
    if !renamed {
        return Err(super::unknown(id));
    }
    tx.commit().await?;
    Ok(ok())
}

/// Delete a feature with its values of all objects.
#[utoipa::path(delete, path = "/api/experiments/{experiment_id}/features/{feature_id}", tag = "features",
    params(("experiment_id" = String, Path), ("feature_id" = String, Path)),
    responses((status = 200, body = Message), (status = 403), (status = 404)))]
pub async fn delete_feature(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, feature)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    super::delete(&app.environment, experiment, parse_id("feature", &feature)?).await?;
    Ok(ok())
}

/// Store values of features of the objects at a site and time point. What is stored of other features and other
/// objects stays.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/mapobject_types/{mapobject_type_id}/feature-values",
    tag = "features", request_body = UploadValues,
    params(("experiment_id" = String, Path), ("mapobject_type_id" = String, Path)),
    responses((status = 200, body = Message),
        (status = 400, description = "Names, labels and values do not fit together"), (status = 403),
        (status = 404, description = "No such site or time point, no objects there, or one whose label is not given"),
        (status = 409, description = "A feature was deleted meanwhile"),
        (status = 413, description = "The body is too large"), (status = 507, description = "No space left")))]
pub async fn upload_values(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, mapobject_type)): Path<(String, String)>,
    LargeBody(body): LargeBody<UploadValues>,
) -> ApiResult<impl IntoResponse> {
    let values = NewValues::from(body);
    values.check()?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let mapobject_type = parse_id("mapobject type", &mapobject_type)?;
    to_its_end(async move { upload::store(&app.environment, experiment, mapobject_type, values).await })
        .await?;
    Ok(ok())
}

/// Values of all features of the objects of a type as CSV: a line for every object and time point, by site and
/// object; `nan` where a value is missing. Every number is written so that it reads back as the same 64-bit floating
/// point number.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/mapobject_types/{mapobject_type_id}/feature-values",
    tag = "features",
    params(("experiment_id" = String, Path), ("mapobject_type_id" = String, Path),
        ("plate_name" = Option<String>, Query, description = "Only objects on this plate"),
        ("well_name" = Option<String>, Query, description = "Only objects in wells with this name"),
        ("well_pos_y" = Option<i64>, Query, description = "Only objects in this row of the well; also `well_pox_y`"),
        ("well_pos_x" = Option<i64>, Query, description = "Only objects in this column of the well; also `well_pox_x`"),
        ("tpoint" = Option<i64>, Query, description = "Only objects at this time point")),
    responses((status = 200, content_type = "text/csv", body = String),
        (status = 400, description = "A filter that objects of this type do not have"), (status = 403),
        (status = 404, description = "No such type, plate, well, position or time point")))]
pub async fn get_values(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, mapobject_type)): Path<(String, String)>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let filter = ObjectFilter::of(&query)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mapobject_type = parse_id("mapobject type", &mapobject_type)?;
    Ok(csv(download::values(app.environment, experiment, mapobject_type, filter).await?))
}

/// Where the objects of a type are as CSV, in the order of their values: plate, well, position, time point, focal
/// plane, label, and whether they touch the edge of their site.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/mapobject_types/{mapobject_type_id}/metadata",
    tag = "features",
    params(("experiment_id" = String, Path), ("mapobject_type_id" = String, Path),
        ("plate_name" = Option<String>, Query, description = "Only objects on this plate"),
        ("well_name" = Option<String>, Query, description = "Only objects in wells with this name"),
        ("well_pos_y" = Option<i64>, Query, description = "Only objects in this row of the well; also `well_pox_y`"),
        ("well_pos_x" = Option<i64>, Query, description = "Only objects in this column of the well; also `well_pox_x`"),
        ("tpoint" = Option<i64>, Query, description = "Only objects at this time point")),
    responses((status = 200, content_type = "text/csv", body = String),
        (status = 400, description = "A filter that objects of this type do not have"), (status = 403),
        (status = 404, description = "No such type, plate, well, position or time point")))]
pub async fn get_metadata(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, mapobject_type)): Path<(String, String)>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let filter = ObjectFilter::of(&query)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mapobject_type = parse_id("mapobject type", &mapobject_type)?;
    Ok(csv(download::metadata(app.environment, experiment, mapobject_type, filter).await?))
}
