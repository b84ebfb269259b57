//! HTTP of acquisitions; their files are in [`crate::resources::file::handlers`].

use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{AcquisitionBody, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, Data, JsonBody, Message, Path, Query, RequestBody, data, ok, parse_id};
use crate::resources::experiment::handlers::Rename;
use crate::resources::experiment::{authorize, check_name};

/// An acquisition to create.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateAcquisition {
    /// Name of the plate.
    #[schema(example = "plate01")]
    plate_name: String,
    /// Name, unique in the plate.
    #[schema(
        example = "day1",
        min_length = 1,
        max_length = 256,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// Free text.
    #[schema(example = "as imaged on Monday")]
    description: Option<String>,
}

impl RequestBody for CreateAcquisition {
    const REQUIRED: &'static [&'static str] = &["plate_name", "name"];
}

fn name_taken(name: &str) -> String {
    format!("the plate has an acquisition named \"{name}\" already")
}

/// Acquisitions of an experiment.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/acquisitions", tag = "acquisitions",
    params(("experiment_id" = String, Path),
        ("plate_name" = Option<String>, Query, description = "Only those of this plate"),
        ("name" = Option<String>, Query, description = "Only those with this name")),
    responses((status = 200, body = Data<Vec<AcquisitionBody>>), (status = 403), (status = 404)))]
pub async fn list_acquisitions(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mut tx = app.environment.db.read().await?;
    let acquisitions =
        queries::list(&mut tx, experiment, query.text("plate_name"), query.text("name")).await?;
    Ok(data(acquisitions.into_iter().map(AcquisitionBody::from).collect::<Vec<_>>()))
}

/// Create an acquisition of a plate.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/acquisitions", tag = "acquisitions",
    request_body = CreateAcquisition, params(("experiment_id" = String, Path)),
    responses((status = 200, body = Data<AcquisitionBody>), (status = 400), (status = 403), (status = 404),
        (status = 409, description = "Name taken")))]
pub async fn create_acquisition(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    JsonBody(body): JsonBody<CreateAcquisition>,
) -> ApiResult<impl IntoResponse> {
    let name = check_name("name", &body.name)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let plate = body.plate_name.as_str();
    let mut tx = app.environment.db.write().await?;
    let id = queries::insert(
        &mut tx,
        experiment,
        plate,
        name,
        body.description.as_deref().unwrap_or_default(),
        app.environment.now(),
    )
    .await
    .map_err(|error| ApiError::on_conflict(error, name_taken(name)))?
    .ok_or_else(|| ApiError::not_found(format!("plate \"{plate}\"")))?;
    let acquisition = super::get(&mut tx, experiment, id).await?;
    tx.commit().await?;
    Ok(data(AcquisitionBody::from(acquisition)))
}

/// One acquisition.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/acquisitions/{acquisition_id}", tag = "acquisitions",
    params(("experiment_id" = String, Path), ("acquisition_id" = String, Path)),
    responses((status = 200, body = Data<AcquisitionBody>), (status = 403), (status = 404)))]
pub async fn get_acquisition(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, acquisition)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let acquisition = parse_id("acquisition", &acquisition)?;
    let acquisition = super::get(&mut app.environment.db.read().await?, experiment, acquisition).await?;
    Ok(data(AcquisitionBody::from(acquisition)))
}

/// Rename an acquisition.
#[utoipa::path(put, path = "/api/experiments/{experiment_id}/acquisitions/{acquisition_id}", tag = "acquisitions",
    request_body = Rename, params(("experiment_id" = String, Path), ("acquisition_id" = String, Path)),
    responses((status = 200, body = Message), (status = 400), (status = 403), (status = 404),
        (status = 409, description = "Name taken")))]
pub async fn rename_acquisition(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, acquisition)): Path<(String, String)>,
    JsonBody(body): JsonBody<Rename>,
) -> ApiResult<impl IntoResponse> {
    let name = check_name("name", &body.name)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let acquisition = parse_id("acquisition", &acquisition)?;
    let mut tx = app.environment.db.write().await?;
    let renamed = queries::rename(&mut tx, experiment, acquisition, name, app.environment.now())
        .await
        .map_err(|error| ApiError::on_conflict(error, name_taken(name)))?;
    if !renamed {
        return Err(super::unknown(acquisition));
    }
    tx.commit().await?;
    Ok(ok())
}

/// Delete an acquisition with its files, the images made of them, and the layers that may show them.
#[utoipa::path(delete, path = "/api/experiments/{experiment_id}/acquisitions/{acquisition_id}", tag = "acquisitions",
    params(("experiment_id" = String, Path), ("acquisition_id" = String, Path)),
    responses((status = 200, body = Message), (status = 403), (status = 404),
        (status = 409, description = "A workflow is running")))]
pub async fn delete_acquisition(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, acquisition)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    super::delete(&app.environment, experiment, parse_id("acquisition", &acquisition)?).await?;
    Ok(ok())
}
