//! HTTP of experiments, and the lists of types to choose from.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::{AcquisitionMode, Experiment, NewExperiment, authorize, check_name, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, Data, JsonBody, Message, Path, Query, RequestBody, data, emit_id, ok, page};
use crate::microscopes::{self, PlateFormat};
use crate::workflow::WorkflowType;

/// An experiment on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Experiment)]
pub struct ExperimentBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Name, unique per owner.
    #[schema(example = "screen")]
    name: String,
    /// Free text.
    #[schema(example = "as imaged on Monday")]
    description: String,
    /// Name of the owner.
    #[schema(example = "ann")]
    user: String,
}

impl From<Experiment> for ExperimentBody {
    fn from(experiment: Experiment) -> Self {
        Self {
            id: emit_id(experiment.id),
            name: experiment.name,
            description: experiment.description,
            user: experiment.user_name,
        }
    }
}

/// An experiment to create.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateExperiment {
    /// Name, unique per owner.
    #[schema(
        example = "screen",
        min_length = 1,
        max_length = 256,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// Free text.
    #[schema(example = "as imaged on Monday")]
    description: Option<String>,
    /// See `GET /api/workflow_types`.
    #[schema(schema_with = workflow_types)]
    workflow_type: String,
    /// See `GET /api/microscope_types`.
    #[schema(schema_with = microscope_types)]
    microscope_type: String,
    /// Number of wells: 1, 6, 12, 24, 48, 96, 384 or 1536; a number or its text.
    #[serde(deserialize_with = "number_or_text")]
    #[schema(schema_with = plate_formats)]
    plate_format: u64,
    /// See `GET /api/acquisition_modes`.
    #[schema(schema_with = acquisition_modes)]
    plate_acquisition_mode: String,
}

/// The schema of a field that is one of these values.
fn one_of<T: Into<Value>>(text: &str, kind: Type, values: impl IntoIterator<Item = T>) -> Object {
    let values = values.into_iter().map(Into::into);
    ObjectBuilder::new().description(Some(text)).schema_type(kind).enum_values(Some(values)).build()
}

fn workflow_types() -> Object {
    one_of("See `GET /api/workflow_types`.", Type::String, WorkflowType::ALL.iter().map(|kind| kind.name()))
}

fn microscope_types() -> Object {
    one_of("See `GET /api/microscope_types`.", Type::String, microscopes::ALL.iter().map(|kind| kind.name()))
}

fn acquisition_modes() -> Object {
    one_of(
        "See `GET /api/acquisition_modes`.",
        Type::String,
        AcquisitionMode::ALL.iter().map(|mode| mode.name()),
    )
}

fn plate_formats() -> Object {
    one_of(
        "Number of wells; a number or its text.",
        Type::Integer,
        PlateFormat::ALL.iter().map(|format| format.wells()),
    )
}

impl RequestBody for CreateExperiment {
    const REQUIRED: &'static [&'static str] =
        &["name", "workflow_type", "microscope_type", "plate_format", "plate_acquisition_mode"];
}

fn number_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "`plate_format` must be a number of wells")]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.trim().parse().map_err(|_| {
            serde::de::Error::custom(format!("`plate_format` must be a number of wells, got \"{text}\""))
        }),
    }
}

/// A new name.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Rename {
    /// The new name.
    #[schema(
        example = "screen",
        min_length = 1,
        max_length = 256,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub name: String,
}

impl RequestBody for Rename {
    const REQUIRED: &'static [&'static str] = &["name"];
}

/// Workflow types to choose from.
#[utoipa::path(get, path = "/api/workflow_types", tag = "types", responses((status = 200, body = Data<Vec<String>>)))]
pub async fn list_workflow_types(_user: AuthUser) -> impl IntoResponse {
    data(WorkflowType::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>())
}

/// Microscope types to choose from.
#[utoipa::path(get, path = "/api/microscope_types", tag = "types", responses((status = 200, body = Data<Vec<String>>)))]
pub async fn list_microscope_types(_user: AuthUser) -> impl IntoResponse {
    data(microscopes::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>())
}

/// Acquisition modes to choose from.
#[utoipa::path(get, path = "/api/acquisition_modes", tag = "types", responses((status = 200, body = Data<Vec<String>>)))]
pub async fn list_acquisition_modes(_user: AuthUser) -> impl IntoResponse {
    data(AcquisitionMode::ALL.iter().map(|mode| mode.name()).collect::<Vec<_>>())
}

/// Experiments the user owns or shares.
#[utoipa::path(get, path = "/api/experiments", tag = "experiments",
    params(("name" = Option<String>, Query, description = "Only those with this name"),
        ("limit" = Option<u64>, Query, minimum = 1, description = "At most so many; all by default"),
        ("offset" = Option<u64>, Query, description = "Without the first so many")),
    responses((status = 200, body = Data<Vec<ExperimentBody>>), (status = 400)))]
pub async fn list_experiments(
    State(app): State<App>,
    user: AuthUser,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let page = page(&query)?;
    let mut tx = app.environment.db.read().await?;
    let experiments = queries::list(&mut tx, user.id, query.text("name"), page).await?;
    Ok(data(experiments.into_iter().map(ExperimentBody::from).collect::<Vec<_>>()))
}

/// Create an experiment.
#[utoipa::path(post, path = "/api/experiments", tag = "experiments", request_body = CreateExperiment,
    responses((status = 200, body = Data<ExperimentBody>), (status = 400), (status = 409, description = "Name taken")))]
pub async fn create_experiment(
    State(app): State<App>,
    user: AuthUser,
    JsonBody(body): JsonBody<CreateExperiment>,
) -> ApiResult<impl IntoResponse> {
    let new = NewExperiment::check(
        user.id,
        &body.name,
        body.description.as_deref().unwrap_or_default(),
        &body.microscope_type,
        &body.workflow_type,
        body.plate_format,
        &body.plate_acquisition_mode,
    )?;
    let mut tx = app.environment.db.write().await?;
    let id = queries::insert(&mut tx, &new, app.environment.now()).await.map_err(|error| {
        ApiError::on_conflict(error, format!("you have an experiment named \"{}\" already", new.name))
    })?;
    let experiment = queries::find(&mut tx, id).await?;
    tx.commit().await?;
    app.environment.permissions.forget();
    let experiment = experiment.ok_or_else(|| ApiError::not_found(format!("experiment {id}")))?;
    Ok(data(ExperimentBody::from(experiment)))
}

/// One experiment.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}", tag = "experiments",
    params(("experiment_id" = String, Path)),
    responses((status = 200, body = Data<ExperimentBody>), (status = 403), (status = 404)))]
pub async fn get_experiment(
    State(app): State<App>,
    user: AuthUser,
    Path(id): Path<String>,
) -> ApiResult<impl IntoResponse> {
    let id = authorize(&app, &user, &id, Access::Read).await?;
    let experiment = queries::find(&mut app.environment.db.read().await?, id).await?;
    let experiment = experiment.ok_or_else(|| ApiError::not_found(format!("experiment {id}")))?;
    Ok(data(ExperimentBody::from(experiment)))
}

/// Rename an experiment.
#[utoipa::path(put, path = "/api/experiments/{experiment_id}", tag = "experiments", request_body = Rename,
    params(("experiment_id" = String, Path)),
    responses((status = 200, body = Message), (status = 403), (status = 404), (status = 409, description = "Name taken")))]
pub async fn rename_experiment(
    State(app): State<App>,
    user: AuthUser,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Rename>,
) -> ApiResult<impl IntoResponse> {
    let name = check_name("name", &body.name)?;
    let id = authorize(&app, &user, &id, Access::Write).await?;
    let mut tx = app.environment.db.write().await?;
    queries::rename(&mut tx, id, name, app.environment.now()).await.map_err(|error| {
        ApiError::on_conflict(error, format!("the owner has an experiment named \"{name}\" already"))
    })?;
    tx.commit().await?;
    Ok(ok())
}

/// Delete an experiment with everything that belongs to it; its owner's right alone.
#[utoipa::path(delete, path = "/api/experiments/{experiment_id}", tag = "experiments",
    params(("experiment_id" = String, Path)),
    responses((status = 200, body = Message), (status = 403, description = "Not the owner"), (status = 404),
        (status = 409, description = "A workflow is running")))]
pub async fn delete_experiment(
    State(app): State<App>,
    user: AuthUser,
    Path(id): Path<String>,
) -> ApiResult<impl IntoResponse> {
    let id = authorize(&app, &user, &id, Access::Own).await?;
    super::delete(&app.environment, id).await?;
    Ok(ok())
}
