//! HTTP of image-analysis projects.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::schema::{JtPipeline, JtProject, example};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::ApiResult;
use crate::http::{AuthUser, Data, JsonBody, Message, Path, RequestBody, data, ok};
use crate::resources::experiment::authorize;

/// A project to keep.
#[derive(Debug, Deserialize, ToSchema)]
pub struct StoreProject {
    /// What runs, in which order.
    #[schema(value_type = JtPipeline)]
    pipeline: Value,
    /// The handles of each module, `JtHandles`, by its name in the pipeline; what has another name is dropped, whatever
    /// it is.
    #[schema(value_type = Object)]
    handles: Value,
}

impl RequestBody for StoreProject {
    const REQUIRED: &'static [&'static str] = &["pipeline", "handles"];
}

/// The image-analysis project, as it was stored; an empty one when there is none yet.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/workflow/jtproject", tag = "workflow",
    params(("experiment_id" = String, Path)),
    responses((status = 200, body = Data<JtProject>), (status = 403), (status = 404)))]
pub async fn get_project(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mut tx = app.environment.db.read().await?;
    Ok(data(super::find(&mut tx, experiment).await?))
}

/// Check an image-analysis project and keep it in place of the one before. Every channel, key, type and number is
/// looked at, and the error has a line for each that is wrong, with its place and what was wanted; up to 20.
#[utoipa::path(put, path = "/api/experiments/{experiment_id}/workflow/jtproject", tag = "workflow",
    params(("experiment_id" = String, Path)),
    request_body(content = StoreProject, example = json!(example())),
    responses((status = 200, body = Message), (status = 400, description = "The project cannot run; why, a line each"),
        (status = 403), (status = 404)))]
pub async fn put_project(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    JsonBody(body): JsonBody<StoreProject>,
) -> ApiResult<impl IntoResponse> {
    let project = super::parse(&app.environment, body.pipeline, body.handles).await?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    super::save(&app.environment, experiment, project).await?;
    Ok(ok())
}
