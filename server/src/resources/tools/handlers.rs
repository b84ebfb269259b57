//! HTTP of data-analysis tools: the tools there are, their results and jobs.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::queries::ToolJob;
use super::{JobFilter, ResultFilter, ToolResult, check_result_name, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, Data, JsonBody, Message, Path, Query, data, emit_id, ok, parse_id};
use crate::resources::experiment::authorize;
use crate::resources::experiment::handlers::Rename;
use crate::resources::mapobject::handlers::SegmentationLayerBody;
use crate::resources::mapobject::{SegmentationLayer, SegmentationLayerFilter, queries as mapobjects};
use crate::resources::workflow::handlers::JobLogBody;
use crate::tools;
use crate::workflow::task::{TaskStatus, format_time};

/// A tool on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tool)]
pub struct ToolBody {
    /// Name.
    #[schema(example = "Heatmap")]
    name: &'static str,
    /// Three letters that stand for it.
    #[schema(example = "HMP")]
    icon: &'static str,
    /// What it does.
    #[schema(example = "Colours objects by a feature")]
    description: &'static str,
    /// Names of the methods to choose from.
    methods: Vec<&'static str>,
}

/// A result on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ToolResult)]
pub struct ToolResultBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Name, unique among the results for a type of objects.
    #[schema(example = "Clustering-3")]
    name: String,
    /// The submission that made it; null when that is gone.
    #[schema(example = 3)]
    submission_id: Option<i64>,
    /// Name of the tool.
    #[schema(example = "Clustering")]
    tool_name: String,
    /// How it is shown: `ScalarToolResult`, `SupervisedClassifierToolResult`, `ContinuousToolResult` or
    /// `HeatmapToolResult`.
    #[schema(example = "ScalarToolResult")]
    #[serde(rename = "type")]
    kind: String,
    /// What is needed to show it.
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
    /// The layers of its objects.
    layers: Vec<SegmentationLayerBody>,
    /// Its plots; no tool makes any.
    #[schema(value_type = Vec<Object>)]
    plots: [Value; 0],
}

/// A job of a tool on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ToolJob)]
pub struct ToolJobBody {
    #[serde(flatten)]
    status: TaskStatus,
    /// The submission it belongs to.
    submission_id: i64,
    /// `YYYY-MM-DD HH:MM:SS` in the server's time zone.
    submitted_at: String,
}

impl From<ToolJob> for ToolJobBody {
    fn from(ToolJob { task, submitted_at }: ToolJob) -> Self {
        Self {
            submission_id: task.submission_id,
            submitted_at: format_time(submitted_at),
            status: TaskStatus::of(&task),
        }
    }
}

/// A result with those of its experiment's layers that show its objects.
fn with_layers(result: ToolResult, layers: &[SegmentationLayer]) -> ToolResultBody {
    let own = layers.iter().filter(|layer| layer.mapobject_type_id == result.mapobject_type_id);
    ToolResultBody {
        id: emit_id(result.id),
        layers: own.cloned().map(SegmentationLayerBody::from).collect(),
        name: result.name,
        submission_id: result.submission_id,
        tool_name: result.tool_name,
        kind: result.kind,
        // Only objects are stored.
        attributes: serde_json::from_str(&result.attributes).unwrap_or_default(),
        plots: [],
    }
}

/// The submission that a request is about: a query parameter, or in the JSON body as older clients have it.
fn submission_of(query: &Query, body: &[u8]) -> ApiResult<Option<i64>> {
    let given: Option<i64> = query.number("submission_id")?;
    if given.is_some() || body.iter().all(u8::is_ascii_whitespace) {
        return Ok(given);
    }
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::malformed(format!("the body is not valid JSON: {error}")))?;
    match body.get("submission_id") {
        None | Some(Value::Null) => Ok(None),
        Some(number) => number.as_i64().map(Some).ok_or_else(|| {
            ApiError::malformed(format!("`submission_id` must be an integer in range, got {number}"))
        }),
    }
}

/// The data-analysis tools.
#[utoipa::path(get, path = "/api/tools", tag = "tools", responses((status = 200, body = Data<Vec<ToolBody>>)))]
pub async fn list_tools(_: AuthUser) -> impl IntoResponse {
    let tools = tools::ALL.iter().map(|tool| ToolBody {
        name: tool.name(),
        icon: tool.icon(),
        description: tool.description(),
        methods: tool.methods().to_vec(),
    });
    data(tools.collect::<Vec<_>>())
}

/// Results of tools, by submission. Without `submission_id` only those that the caller asked for.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/tools/results", tag = "tools",
    params(("experiment_id" = String, Path),
        ("submission_id" = Option<i64>, Query, description = "Only that of this submission, whoever made it"),
        ("name" = Option<String>, Query, description = "Only those with this name")),
    responses((status = 200, body = Data<Vec<ToolResultBody>>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_tool_results(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
    body: Bytes,
) -> ApiResult<impl IntoResponse> {
    let submission = submission_of(&query, &body)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let own = submission.is_none().then_some(user.id);
    let filter = ResultFilter { user: own, submission, name: query.text("name") };
    let mut tx = app.environment.db.read().await?;
    let results = queries::list_results(&mut tx, experiment, filter).await?;
    let layers = mapobjects::list_layers(&mut tx, experiment, SegmentationLayerFilter::default()).await?;
    Ok(data(results.into_iter().map(|result| with_layers(result, &layers)).collect::<Vec<_>>()))
}

/// One result of a tool.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/tools/results/{result_id}", tag = "tools",
    params(("experiment_id" = String, Path), ("result_id" = String, Path)),
    responses((status = 200, body = Data<ToolResultBody>), (status = 403), (status = 404)))]
pub async fn get_tool_result(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, result)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let id = parse_id("tool result", &result)?;
    let mut tx = app.environment.db.read().await?;
    let result = super::get(&mut tx, experiment, id).await?;
    let name = Some(result.mapobject_type_name.as_str());
    let filter = SegmentationLayerFilter { mapobject_type_name: name, ..SegmentationLayerFilter::default() };
    let layers = mapobjects::list_layers(&mut tx, experiment, filter).await?;
    Ok(data(with_layers(result, &layers)))
}

/// Rename a result of a tool.
#[utoipa::path(put, path = "/api/experiments/{experiment_id}/tools/results/{result_id}", tag = "tools",
    request_body = Rename, params(("experiment_id" = String, Path), ("result_id" = String, Path)),
    responses((status = 200, body = Message), (status = 400), (status = 403), (status = 404),
        (status = 409, description = "Name taken")))]
pub async fn rename_tool_result(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, result)): Path<(String, String)>,
    JsonBody(body): JsonBody<Rename>,
) -> ApiResult<impl IntoResponse> {
    let name = check_result_name(&body.name)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let id = parse_id("tool result", &result)?;
    let mut tx = app.environment.db.write().await?;
    super::get(&mut tx, experiment, id).await?;
    queries::rename_result(&mut tx, id, &name).await.map_err(|error| {
        ApiError::on_conflict(error, format!("another result for these objects is named \"{name}\""))
    })?;
    tx.commit().await?;
    Ok(ok())
}

/// Delete a result of a tool with its labels.
#[utoipa::path(delete, path = "/api/experiments/{experiment_id}/tools/results/{result_id}", tag = "tools",
    params(("experiment_id" = String, Path), ("result_id" = String, Path)),
    responses((status = 200, body = Message), (status = 403), (status = 404)))]
pub async fn delete_tool_result(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, result)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let id = parse_id("tool result", &result)?;
    let mut tx = app.environment.db.write().await?;
    super::get(&mut tx, experiment, id).await?;
    queries::delete_result(&mut tx, id).await?;
    tx.commit().await?;
    Ok(ok())
}

/// The jobs of the caller's tool submissions, by id.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/tools/jobs", tag = "tools",
    params(("experiment_id" = String, Path),
        ("submission_id" = Option<i64>, Query, description = "Only that of this submission"),
        ("tool_name" = Option<String>, Query, description = "Only those of this tool"),
        ("state" = Option<String>, Query, description = "Only those in this state"),
        ("name" = Option<String>, Query, description = "Only those with this name")),
    responses((status = 200, body = Data<Vec<ToolJobBody>>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_tool_jobs(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let filter = JobFilter {
        submission: query.number("submission_id")?,
        tool: query.text("tool_name"),
        state: query.text("state"),
        name: query.text("name"),
    };
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let jobs = queries::list_jobs(&mut app.environment.db.read().await?, experiment, user.id, filter).await?;
    Ok(data(jobs.into_iter().map(ToolJobBody::from).collect::<Vec<_>>()))
}

/// What a job of one of the caller's tool submissions wrote.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/tools/jobs/{job_id}/log", tag = "tools",
    params(("experiment_id" = String, Path), ("job_id" = String, Path)),
    responses((status = 200, body = Data<JobLogBody>), (status = 403), (status = 404)))]
pub async fn get_tool_job_log(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, job)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let job = parse_id("tool job", &job)?;
    let mut tx = app.environment.db.read().await?;
    let own = queries::list_jobs(&mut tx, experiment, user.id, JobFilter::default()).await?;
    if own.iter().all(|own| own.task.id != job) {
        return Err(ApiError::not_found(format!("tool job {job}")));
    }
    drop(tx);
    let (stdout, stderr) = app.workflows.log_of(experiment, job).await.map_err(ApiError::internal)?;
    Ok(data(JobLogBody { stdout, stderr }))
}
