//! HTTP of microscope files.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FileError, FileKind, MicroscopeFile, SkippedName, UploadOutcome, linking, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{
    AuthUser, Data, FileUpload, JsonBody, Message, Path, Query, RequestBody, data, discard, emit_id, ok,
    page, parse_id,
};
use crate::microscopes::{self, MicroscopeType};
use crate::resources::acquisition;
use crate::resources::experiment::authorize;
use crate::resources::experiment::queries as experiments;
use crate::storage::uploads::ReceiveError;

/// A microscope file on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MicroscopeFile)]
pub struct FileBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Name as stored.
    #[schema(example = "B03_T0001F001L01A01Z01C01.tif")]
    name: String,
    /// `WAITING`, `UPLOADING`, `COMPLETE` or `FAILED`.
    #[schema(example = "COMPLETE")]
    status: String,
}

impl From<MicroscopeFile> for FileBody {
    fn from(file: MicroscopeFile) -> Self {
        Self { id: emit_id(file.id), name: file.name, status: file.status }
    }
}

/// Files to register.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RegisterFiles {
    /// Names, at least one.
    #[schema(min_items = 1, example = json!(["B03_T0001F001L01A01Z01C01.tif"]))]
    files: Vec<String>,
}

impl RequestBody for RegisterFiles {
    const REQUIRED: &'static [&'static str] = &["files"];
}

/// What became of the names to register.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegisteredFiles {
    /// Names still to be uploaded, as they are stored: images first.
    data: Vec<String>,
    /// Names of the request that were not registered, and why.
    skipped: Vec<SkippedNameBody>,
}

/// A name that was not registered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SkippedName)]
pub struct SkippedNameBody {
    /// The name as it was sent.
    #[schema(example = "B03_T0001F001L01A01Z01C01.tif")]
    name: String,
    /// Why, in words for a person.
    #[schema(example = "belongs to no image or metadata of this microscope")]
    reason: String,
}

impl From<SkippedName> for SkippedNameBody {
    fn from(skipped: SkippedName) -> Self {
        Self { name: skipped.name, reason: skipped.reason.to_string() }
    }
}

/// A directory to link.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LinkDirectory {
    /// Absolute path on the server, below one of its import roots.
    #[schema(example = "/data/plate01", pattern = "^/")]
    path: String,
}

impl RequestBody for LinkDirectory {
    const REQUIRED: &'static [&'static str] = &["path"];
}

/// Files to judge by their names.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CheckFiles {
    /// Names, each as text or as `{"name": text}`.
    files: Vec<NamedFile>,
}

impl RequestBody for CheckFiles {
    const REQUIRED: &'static [&'static str] = &["files"];
}

/// A name, as text or in an object.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "`files` must hold names, each as text or as {\"name\": text}")]
enum NamedFile {
    /// Text.
    Text(String),
    /// An object with the name.
    Object {
        /// The name.
        name: String,
    },
}

impl NamedFile {
    fn name(&self) -> &str {
        match self {
            Self::Text(name) | Self::Object { name } => name,
        }
    }
}

/// Which names belong to the microscope type, in the order asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct Validity {
    /// True for names of images and metadata.
    is_valid: Vec<bool>,
}

/// A file in a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a multipart form in the API document")]
pub struct FileForm {
    /// The file, with its name.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
}

/// The ids in the path of a route below an acquisition that exists, and the right to it.
async fn ids(app: &App, user: &AuthUser, path: &(String, String), access: Access) -> ApiResult<(i64, i64)> {
    let experiment = authorize(app, user, &path.0, access).await?;
    let id = parse_id("acquisition", &path.1)?;
    let mut tx = app.environment.db.read().await?;
    if !acquisition::queries::exists(&mut tx, experiment, id).await? {
        return Err(acquisition::unknown(id));
    }
    Ok((experiment, id))
}

async fn microscope(app: &App, experiment: i64) -> ApiResult<&'static dyn MicroscopeType> {
    let experiment = experiments::find(&mut app.environment.db.read().await?, experiment)
        .await?
        .ok_or_else(|| ApiError::not_found(format!("experiment {experiment}")))?;
    microscopes::find(&experiment.microscope_type).ok_or_else(|| {
        ApiError::internal(format!("no microscope type is named \"{}\"", experiment.microscope_type))
    })
}

/// Register the files that will be uploaded; answers the names still to be uploaded.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/acquisitions/{acquisition_id}/upload/register", tag = "files",
    request_body = RegisterFiles, params(("experiment_id" = String, Path), ("acquisition_id" = String, Path)),
    responses((status = 200, body = RegisteredFiles), (status = 400), (status = 403), (status = 404),
        (status = 507, description = "No space left")))]
pub async fn register_files(
    State(app): State<App>,
    user: AuthUser,
    Path(path): Path<(String, String)>,
    JsonBody(body): JsonBody<RegisterFiles>,
) -> ApiResult<impl IntoResponse> {
    if body.files.is_empty() {
        return Err(ApiError::malformed("`files` must hold at least one name"));
    }
    let (experiment, acquisition) = ids(&app, &user, &path, Access::Write).await?;
    let microscope = microscope(&app, experiment).await?;
    let report = super::register(&app.environment, experiment, acquisition, microscope, &body.files).await?;
    let skipped = report.skipped.into_iter().map(SkippedNameBody::from).collect();
    Ok(Json(RegisteredFiles { data: report.pending, skipped }))
}

/// Link a directory of the server instead of uploading its files; nothing in it is copied, changed or deleted.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/acquisitions/{acquisition_id}/register", tag = "files",
    request_body = LinkDirectory, params(("experiment_id" = String, Path), ("acquisition_id" = String, Path)),
    responses((status = 200, body = Message), (status = 400, description = "No such directory, or none with files"),
        (status = 403, description = "Not below an import root"), (status = 404),
        (status = 409, description = "The acquisition has other files")))]
pub async fn link_directory(
    State(app): State<App>,
    user: AuthUser,
    Path(path): Path<(String, String)>,
    JsonBody(body): JsonBody<LinkDirectory>,
) -> ApiResult<impl IntoResponse> {
    let directory = linking::absolute(&body.path)?;
    let ids = ids(&app, &user, &path, Access::Write).await?;
    let microscope = microscope(&app, ids.0).await?;
    linking::link(&app.environment, ids, microscope, directory).await?;
    Ok(ok())
}

/// Say which names the microscope type knows.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/acquisitions/{acquisition_id}/upload/validity-check",
    tag = "files", request_body = CheckFiles,
    params(("experiment_id" = String, Path), ("acquisition_id" = String, Path)),
    responses((status = 200, body = Validity), (status = 400), (status = 403), (status = 404)))]
pub async fn check_files(
    State(app): State<App>,
    user: AuthUser,
    Path(path): Path<(String, String)>,
    JsonBody(body): JsonBody<CheckFiles>,
) -> ApiResult<impl IntoResponse> {
    let (experiment, _) = ids(&app, &user, &path, Access::Write).await?;
    let microscope = microscope(&app, experiment).await?;
    let is_valid = body.files.iter().map(|file| microscope.classify(file.name()).is_valid());
    Ok(Json(Validity { is_valid: is_valid.collect() }))
}

/// Upload one file as the part `file` of a form.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/acquisitions/{acquisition_id}/microscope-file",
    tag = "files", request_body(content = FileForm, content_type = "multipart/form-data"),
    params(("experiment_id" = String, Path), ("acquisition_id" = String, Path)),
    responses((status = 200, body = Message, description = "`ok`, or why there was nothing to store"),
        (status = 400), (status = 403), (status = 404), (status = 413), (status = 507, description = "No space left")))]
pub async fn upload_file(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, acquisition)): Path<(String, String)>,
    request: Request,
) -> ApiResult<impl IntoResponse> {
    // Reads no further than the head: what is in the form is seen only once the user may send it.
    let mut upload = FileUpload::begin(request).await?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let acquisition = parse_id("acquisition", &acquisition)?;
    let outcome = store_upload(&app, experiment, acquisition, &mut upload).await;
    let ended = match &outcome {
        Ok(UploadOutcome::Stored) => "stored",
        Ok(_) => "skipped",
        Err(_) => "failed",
    };
    app.metrics.uploaded(ended, upload.received_bytes());
    let outcome = outcome?;
    Ok(Json(Message { message: outcome.message() }))
}

async fn store_upload(
    app: &App,
    experiment: i64,
    acquisition: i64,
    upload: &mut FileUpload,
) -> ApiResult<UploadOutcome> {
    let limit = app.config.max_upload_bytes;
    if upload.declared_bytes().is_some_and(|bytes| bytes.saturating_sub(FileUpload::OVERHEAD_BYTES) > limit) {
        return Err(FileError::Receive(ReceiveError::TooLarge { limit }).into());
    }
    while let Some(part) = upload.next_part().await? {
        let Some(name) = part.file_name()? else {
            part.skip().await?;
            continue;
        };
        let mut content = part.into_content();
        let outcome =
            super::import(&app.environment, experiment, acquisition, &name, &mut content, limit).await?;
        // Of a file that is skipped all is still to come, and the client waits for its answer.
        discard(content, limit).await;
        return Ok(outcome);
    }
    Err(ApiError::malformed("the form has no part named `file`"))
}

/// Number of files that are stored.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/acquisitions/{acquisition_id}/upload/count", tag = "files",
    params(("experiment_id" = String, Path), ("acquisition_id" = String, Path)),
    responses((status = 200, body = Data<i64>), (status = 403), (status = 404)))]
pub async fn count_uploaded(
    State(app): State<App>,
    user: AuthUser,
    Path(path): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let (_, acquisition) = ids(&app, &user, &path, Access::Read).await?;
    Ok(data(queries::count_complete(&mut app.environment.db.read().await?, acquisition).await?))
}

/// Registered image files.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/acquisitions/{acquisition_id}/images", tag = "files",
    params(("experiment_id" = String, Path), ("acquisition_id" = String, Path),
        ("limit" = Option<u64>, Query, minimum = 1, description = "At most so many; all by default"),
        ("offset" = Option<u64>, Query, description = "Without the first so many")),
    responses((status = 200, body = Data<Vec<FileBody>>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_images(
    State(app): State<App>,
    user: AuthUser,
    Path(path): Path<(String, String)>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    list(&app, &user, &path, &query, FileKind::Image).await
}

/// Registered metadata files.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/acquisitions/{acquisition_id}/metadata", tag = "files",
    params(("experiment_id" = String, Path), ("acquisition_id" = String, Path),
        ("limit" = Option<u64>, Query, minimum = 1, description = "At most so many; all by default"),
        ("offset" = Option<u64>, Query, description = "Without the first so many")),
    responses((status = 200, body = Data<Vec<FileBody>>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_metadata(
    State(app): State<App>,
    user: AuthUser,
    Path(path): Path<(String, String)>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    list(&app, &user, &path, &query, FileKind::Metadata).await
}

async fn list(
    app: &App,
    user: &AuthUser,
    path: &(String, String),
    query: &Query,
    kind: FileKind,
) -> ApiResult<Json<Data<Vec<FileBody>>>> {
    let page = page(query)?;
    let (_, acquisition) = ids(app, user, path, Access::Read).await?;
    let files = queries::list(&mut app.environment.db.read().await?, acquisition, kind, page).await?;
    Ok(data(files.into_iter().map(FileBody::from).collect()))
}
