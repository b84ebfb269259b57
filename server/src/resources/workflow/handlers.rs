//! HTTP of workflows: describe, submit, watch.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::queries;
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult, ErrorKind};
use crate::http::{AuthUser, Data, JsonBody, Message, Path, Query, RequestBody, data, ok, parse_id};
use crate::resources::experiment::{authorize, queries as experiments};
use crate::workflow::description::WorkflowDescription;
use crate::workflow::task::{TaskStatus, TaskTree, tree};
use crate::workflow::{JobFilter, SubmitError, WorkflowType};

/// Levels of the task tree that are shown unless asked otherwise: down to steps.
const DEFAULT_DEPTH: usize = 2;

/// A workflow description to keep.
#[derive(Debug, Deserialize, ToSchema)]
pub struct StoreDescription {
    /// `{type, stages: [{name, mode, active, steps: [{name, active, batch_args, submission_args}]}]}`.
    #[schema(value_type = Object)]
    description: Value,
}

impl RequestBody for StoreDescription {
    const REQUIRED: &'static [&'static str] = &["description"];
}

/// A workflow to run.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SubmitWorkflow {
    /// What to run; the stored description, or the default of the workflow type, when absent.
    #[schema(value_type = Option<Object>)]
    description: Option<Value>,
}

impl RequestBody for SubmitWorkflow {
    const REQUIRED: &'static [&'static str] = &[];
}

/// A workflow that was started.
#[derive(Debug, Serialize, ToSchema)]
pub struct Submitted {
    /// `ok`.
    message: &'static str,
    /// Number of the submission.
    submission_id: i64,
}

/// What a job wrote.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobLogBody {
    /// What it did.
    stdout: String,
    /// Warnings and errors.
    stderr: String,
}

/// The stored workflow description, or the default of the experiment's workflow type.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/workflow/description", tag = "workflow",
    params(("experiment_id" = String, Path)),
    responses((status = 200, body = Data<Object>), (status = 403), (status = 404)))]
pub async fn get_description(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    Ok(data(stored_description(&app, experiment).await?.to_json()))
}

/// Check a workflow description and keep it.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/workflow/description", tag = "workflow",
    params(("experiment_id" = String, Path)), request_body = StoreDescription,
    responses((status = 200, body = Message), (status = 400), (status = 403), (status = 404)))]
pub async fn set_description(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    JsonBody(body): JsonBody<StoreDescription>,
) -> ApiResult<impl IntoResponse> {
    let description = WorkflowDescription::parse(&body.description).map_err(ApiError::malformed)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let mut tx = app.environment.db.write().await?;
    let text = description.to_json().to_string();
    let now = app.environment.now();
    experiments::set_workflow(&mut tx, experiment, description.kind.name(), &text, now).await?;
    tx.commit().await?;
    Ok(ok())
}

/// Start a workflow.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/workflow/submit", tag = "workflow",
    params(("experiment_id" = String, Path)), request_body = SubmitWorkflow,
    responses((status = 200, body = Submitted), (status = 400), (status = 403), (status = 404),
        (status = 409, description = "A workflow of this experiment runs already"),
        (status = 507, description = "No space left")))]
pub async fn submit_workflow(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    JsonBody(body): JsonBody<SubmitWorkflow>,
) -> ApiResult<impl IntoResponse> {
    let given = body.description.as_ref().map(WorkflowDescription::parse).transpose();
    let given = given.map_err(ApiError::malformed)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let description = match given {
        Some(description) => description,
        None => stored_description(&app, experiment).await?,
    };
    let experiment = experiments::find(&mut app.environment.db.read().await?, experiment)
        .await?
        .ok_or_else(|| ApiError::not_found(format!("experiment {experiment}")))?;
    let submission_id = app.workflows.submit(&experiment, user.id, &description).await?;
    Ok(Json(Submitted { message: "ok", submission_id }))
}

/// The task tree of the latest submission; null when there is none.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/workflow/status", tag = "workflow",
    params(("experiment_id" = String, Path),
        ("depth" = Option<i64>, Query, description = "Levels below the workflow; 2 shows steps")),
    responses((status = 200, body = Data<Option<TaskTree>>), (status = 400), (status = 403), (status = 404)))]
pub async fn get_status(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let depth = query.number::<i64>("depth")?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    // A negative depth shows not even the root.
    let depth = match depth {
        Some(depth) if depth < 0 => return Ok(data(None)),
        Some(depth) => usize::try_from(depth).unwrap_or(usize::MAX),
        None => DEFAULT_DEPTH,
    };
    let mut tx = app.environment.db.read().await?;
    let Some(submission) = queries::latest_submission(&mut tx, experiment).await? else {
        return Ok(data(None));
    };
    let tasks = queries::tasks_of(&mut tx, submission).await?;
    Ok(data(tree(&tasks, depth)))
}

/// Jobs of one step of the latest submission.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/workflow/jobs", tag = "workflow",
    params(("experiment_id" = String, Path), ("step_name" = String, Query),
        ("phase" = Option<String>, Query, description = "`init`, `run` or `collect`; also spelt `step_phase`"),
        ("name" = Option<String>, Query, description = "Only the job with this name; not with the others"),
        ("index" = Option<i64>, Query, description = "First job; only with `batch_size`"),
        ("batch_size" = Option<u32>, Query, description = "Number of jobs; only with `index`")),
    responses((status = 200, body = Data<Vec<TaskStatus>>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_jobs(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    query.require(&[&["step_name"]])?;
    let filter = JobFilter::new(
        query.required_text(&["step_name"])?,
        query.text_of(&["phase", "step_phase"]),
        query.text("name"),
        query.number("index")?,
        query.number("batch_size")?,
    )
    .map_err(ApiError::malformed)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mut tx = app.environment.db.read().await?;
    let Some(submission) = queries::latest_submission(&mut tx, experiment).await? else {
        return Ok(data(Vec::new()));
    };
    let tasks = queries::tasks_of(&mut tx, submission).await?;
    Ok(data(filter.jobs(&tasks).into_iter().map(TaskStatus::of).collect::<Vec<_>>()))
}

/// What a job wrote.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/workflow/jobs/{job_id}/log", tag = "workflow",
    params(("experiment_id" = String, Path), ("job_id" = String, Path)),
    responses((status = 200, body = Data<JobLogBody>), (status = 403), (status = 404)))]
pub async fn get_job_log(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, job)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let job = parse_id("job", &job)?;
    let stored = queries::find_job(&mut app.environment.db.read().await?, job).await?;
    if stored.is_none_or(|stored| stored.experiment_id != experiment) {
        return Err(ApiError::not_found(format!("job {job}")));
    }
    let (stdout, stderr) = app.workflows.log_of(experiment, job).await.map_err(ApiError::internal)?;
    Ok(data(JobLogBody { stdout, stderr }))
}

async fn stored_description(app: &App, experiment: i64) -> ApiResult<WorkflowDescription> {
    let experiment = experiments::find(&mut app.environment.db.read().await?, experiment)
        .await?
        .ok_or_else(|| ApiError::not_found(format!("experiment {experiment}")))?;
    if let Some(text) = &experiment.workflow_description {
        let value: Value = serde_json::from_str(text).map_err(ApiError::internal)?;
        return WorkflowDescription::parse(&value).map_err(ApiError::internal);
    }
    let kind = WorkflowType::find(&experiment.workflow_type)
        .ok_or_else(|| ApiError::internal(format!("unknown workflow type {}", experiment.workflow_type)))?;
    Ok(WorkflowDescription::default_of(kind))
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Description(message) => Self::malformed(message),
            SubmitError::Running => Self::conflict(error.to_string()),
            SubmitError::Stopping => Self::new(ErrorKind::ServiceUnavailable, error.to_string()),
            SubmitError::Storage(error) => error.into(),
            SubmitError::Store(error) => error.into(),
        }
    }
}
