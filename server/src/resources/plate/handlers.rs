//! HTTP of plates.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PlateWithAcquisitions, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, Data, JsonBody, Message, Path, Query, RequestBody, data, emit_id, ok, parse_id};
use crate::resources::acquisition::AcquisitionBody;
use crate::resources::experiment::handlers::Rename;
use crate::resources::experiment::{authorize, check_name};

/// A plate on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plate)]
pub struct PlateBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Name, unique in the experiment.
    #[schema(example = "plate01")]
    name: String,
    /// Free text.
    #[schema(example = "as imaged on Monday")]
    description: String,
    /// Its acquisitions, by id.
    acquisitions: Vec<AcquisitionBody>,
    /// `WAITING`, `UPLOADING` or `COMPLETE`.
    #[schema(example = "COMPLETE")]
    status: &'static str,
}

impl From<PlateWithAcquisitions> for PlateBody {
    fn from(plate: PlateWithAcquisitions) -> Self {
        let status = plate.status().name();
        Self {
            id: emit_id(plate.plate.id),
            name: plate.plate.name,
            description: plate.plate.description,
            acquisitions: plate.acquisitions.into_iter().map(AcquisitionBody::from).collect(),
            status,
        }
    }
}

/// A plate to create.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreatePlate {
    /// Name, unique in the experiment.
    #[schema(
        example = "plate01",
        min_length = 1,
        max_length = 256,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// Free text.
    #[schema(example = "as imaged on Monday")]
    description: Option<String>,
}

impl RequestBody for CreatePlate {
    const REQUIRED: &'static [&'static str] = &["name"];
}

fn name_taken(name: &str) -> String {
    format!("the experiment has a plate named \"{name}\" already")
}

/// Plates of an experiment.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/plates", tag = "plates",
    params(("experiment_id" = String, Path), ("name" = Option<String>, Query, description = "Only the one with this name")),
    responses((status = 200, body = Data<Vec<PlateBody>>), (status = 403), (status = 404)))]
pub async fn list_plates(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let plates = super::list(&mut app.environment.db.read().await?, experiment, query.text("name")).await?;
    Ok(data(plates.into_iter().map(PlateBody::from).collect::<Vec<_>>()))
}

/// Create a plate.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/plates", tag = "plates", request_body = CreatePlate,
    params(("experiment_id" = String, Path)),
    responses((status = 200, body = Data<PlateBody>), (status = 400), (status = 403), (status = 404),
        (status = 409, description = "Name taken")))]
pub async fn create_plate(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    JsonBody(body): JsonBody<CreatePlate>,
) -> ApiResult<impl IntoResponse> {
    let name = check_name("name", &body.name)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let mut tx = app.environment.db.write().await?;
    let id = queries::insert(
        &mut tx,
        experiment,
        name,
        body.description.as_deref().unwrap_or_default(),
        app.environment.now(),
    )
    .await
    .map_err(|error| ApiError::on_conflict(error, name_taken(name)))?;
    let plate = super::get(&mut tx, experiment, id).await?;
    tx.commit().await?;
    Ok(data(PlateBody::from(plate)))
}

/// One plate.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/plates/{plate_id}", tag = "plates",
    params(("experiment_id" = String, Path), ("plate_id" = String, Path)),
    responses((status = 200, body = Data<PlateBody>), (status = 403), (status = 404)))]
pub async fn get_plate(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, plate)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let plate = parse_id("plate", &plate)?;
    let plate = super::get(&mut app.environment.db.read().await?, experiment, plate).await?;
    Ok(data(PlateBody::from(plate)))
}

/// Rename a plate.
#[utoipa::path(put, path = "/api/experiments/{experiment_id}/plates/{plate_id}", tag = "plates", request_body = Rename,
    params(("experiment_id" = String, Path), ("plate_id" = String, Path)),
    responses((status = 200, body = Message), (status = 400), (status = 403), (status = 404),
        (status = 409, description = "Name taken")))]
pub async fn rename_plate(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, plate)): Path<(String, String)>,
    JsonBody(body): JsonBody<Rename>,
) -> ApiResult<impl IntoResponse> {
    let name = check_name("name", &body.name)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let plate = parse_id("plate", &plate)?;
    let mut tx = app.environment.db.write().await?;
    let renamed = queries::rename(&mut tx, experiment, plate, name, app.environment.now())
        .await
        .map_err(|error| ApiError::on_conflict(error, name_taken(name)))?;
    if !renamed {
        return Err(super::unknown(plate));
    }
    tx.commit().await?;
    Ok(ok())
}

/// Delete a plate with its acquisitions, wells, sites and images, and the layers that may show them.
#[utoipa::path(delete, path = "/api/experiments/{experiment_id}/plates/{plate_id}", tag = "plates",
    params(("experiment_id" = String, Path), ("plate_id" = String, Path)),
    responses((status = 200, body = Message), (status = 403), (status = 404),
        (status = 409, description = "A workflow is running")))]
pub async fn delete_plate(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, plate)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    super::delete(&app.environment, experiment, parse_id("plate", &plate)?).await?;
    Ok(ok())
}
