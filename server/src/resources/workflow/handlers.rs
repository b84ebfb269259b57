//! HTTP of workflows: describe, submit, watch, kill.

use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::events::{Watched, changes};
use super::queries;
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult, ErrorKind};
use crate::http::{AuthUser, Data, JsonBody, Message, Path, Query, RequestBody, data, ok, parse_id};
use crate::resources::experiment::{Experiment, authorize, queries as experiments};
use crate::workflow::description::WorkflowDescription;
use crate::workflow::task::{TaskStatus, TaskTree, tree};
use crate::workflow::{JobFilter, Part, SubmitError, WorkflowType};

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

/// A part of a workflow to run again.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ResubmitWorkflow {
    /// What to run; the stored description when absent.
    #[schema(value_type = Option<Object>)]
    description: Option<Value>,
    /// The active stage to begin with, counting from 0; as many as there were means a further one. 0 when neither
    /// this nor `stage_name` is given.
    #[schema(example = 0)]
    index: Option<i64>,
    /// The active stage to begin with, by name.
    #[schema(example = "image_preprocessing")]
    stage_name: Option<String>,
    /// Run only the jobs that failed or were killed, and what comes after them; alone.
    #[serde(default)]
    failed_only: Option<bool>,
}

impl RequestBody for ResubmitWorkflow {
    const REQUIRED: &'static [&'static str] = &[];
}

/// A workflow that was started.
#[derive(Debug, Serialize, ToSchema)]
pub struct Submitted {
    /// `ok`.
    #[schema(example = "ok")]
    message: &'static str,
    /// Number of the submission.
    #[schema(example = 4)]
    submission_id: i64,
}

/// An event of a stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an event stream in the API document")]
pub struct StatusEvent {
    /// `status`.
    #[schema(example = "status")]
    event: String,
    /// What `status` answers below `data`, as JSON.
    #[schema(example = "{\"id\": \"4711\", \"state\": \"RUNNING\", \"percent_done\": 62.5}")]
    data: String,
}

/// What a job wrote.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobLogBody {
    /// What it did.
    #[schema(example = "stored 12 planes\n")]
    pub stdout: String,
    /// Warnings and errors.
    #[schema(example = "")]
    pub stderr: String,
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
    Ok(data(stored_description(&find(&app, experiment).await?)?.to_json()))
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
    let experiment = find(&app, experiment).await?;
    let description = given.map_or_else(|| stored_description(&experiment), Ok)?;
    let submission_id = app.workflows.submit(&experiment, user.id, &description).await?;
    Ok(Json(Submitted { message: "ok", submission_id }))
}

/// Run a part of the latest workflow again: from a stage on, with a further stage, or only what failed.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/workflow/resubmit", tag = "workflow",
    params(("experiment_id" = String, Path)), request_body = ResubmitWorkflow,
    responses((status = 200, body = Submitted), (status = 400), (status = 403),
        (status = 404, description = "No such experiment, or nothing was submitted for it"),
        (status = 409, description = "A workflow of this experiment runs already"),
        (status = 507, description = "No space left")))]
pub async fn resubmit_workflow(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    JsonBody(body): JsonBody<ResubmitWorkflow>,
) -> ApiResult<impl IntoResponse> {
    let failed_only = body.failed_only.unwrap_or(false);
    if failed_only && body.description.is_some() {
        return Err(ApiError::malformed("`failed_only` runs what was submitted: no `description` with it"));
    }
    let part = Part::new(body.index, body.stage_name, failed_only).map_err(ApiError::malformed)?;
    let given = body.description.as_ref().map(WorkflowDescription::parse).transpose();
    let given = given.map_err(ApiError::malformed)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let experiment = find(&app, experiment).await?;
    let description = given.map_or_else(|| stored_description(&experiment), Ok)?;
    let submission_id = app.workflows.resubmit(&experiment, &description, part).await?;
    Ok(Json(Submitted { message: "ok", submission_id }))
}

/// Kill the latest workflow. Waiting jobs end at once, running ones at their next safe point; the answer comes once
/// all have ended, or after ten seconds. A workflow that is over stays as it is.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/workflow/kill", tag = "workflow",
    params(("experiment_id" = String, Path)),
    responses((status = 200, body = Message), (status = 403),
        (status = 404, description = "No such experiment, or nothing was submitted for it")))]
pub async fn kill_workflow(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    app.workflows.kill(experiment).await?;
    Ok(ok())
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
    let depth = depth_of(&query)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mut tx = app.environment.db.read().await?;
    let latest = queries::latest_submission(&mut tx, experiment).await?;
    let (Some(submission), Some(depth)) = (latest, depth) else { return Ok(data(None)) };
    let tasks = queries::tasks_of(&mut tx, submission).await?;
    Ok(data(tree(&tasks, depth)))
}

/// The task tree of the latest submission as server-sent events named `status`: now, and whenever it has changed,
/// twice a second at most. The data of each is what `status` answers below `data`. The stream ends when the workflow
/// is over, and after an hour; then ask again.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/workflow/events", tag = "workflow",
    params(("experiment_id" = String, Path),
        ("depth" = Option<i64>, Query, description = "Levels below the workflow; 2 shows steps")),
    responses((status = 200, content_type = "text/event-stream", body = StatusEvent), (status = 400), (status = 403),
        (status = 404), (status = 503, description = "Too many clients watch already")))]
pub async fn watch_status(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let depth = depth_of(&query)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let watched = Watched { user: user.id, experiment, depth };
    let changes = changes(app.environment, app.workflows, &app.watchers, watched).await?;
    let events = changes.map(|status| Ok::<_, Infallible>(Event::default().event("status").data(status)));
    // A reverse proxy must not gather events before it passes them on.
    Ok(([("x-accel-buffering", "no")], Sse::new(events).keep_alive(KeepAlive::default())))
}

/// Jobs of one step of the latest submission.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/workflow/jobs", tag = "workflow",
    params(("experiment_id" = String, Path), ("step_name" = String, Query, description = "Name of the step"),
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

/// How many levels below the workflow to show; `None` for not even the workflow.
fn depth_of(query: &Query) -> ApiResult<Option<usize>> {
    Ok(match query.number::<i64>("depth")? {
        Some(depth) if depth < 0 => None,
        Some(depth) => Some(usize::try_from(depth).unwrap_or(usize::MAX)),
        None => Some(DEFAULT_DEPTH),
    })
}

async fn find(app: &App, experiment: i64) -> ApiResult<Experiment> {
    experiments::find(&mut app.environment.db.read().await?, experiment)
        .await?
        .ok_or_else(|| ApiError::not_found(format!("experiment {experiment}")))
}

fn stored_description(experiment: &Experiment) -> ApiResult<WorkflowDescription> {
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
            SubmitError::NothingSubmitted => Self::new(ErrorKind::ResourceNotFound, error.to_string()),
            SubmitError::Stopping => Self::new(ErrorKind::ServiceUnavailable, error.to_string()),
            SubmitError::Storage(error) => error.into(),
            SubmitError::Store(error) => error.into(),
        }
    }
}
