//! HTTP of shares; the owner's alone.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, Data, JsonBody, Message, Path, RequestBody, data, ok};
use crate::resources::experiment::sharing::{self, ShareError, Sharer};
use crate::resources::experiment::{authorize, queries};

/// A share on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Share)]
pub struct ShareBody {
    /// Login name of the user.
    #[schema(example = "bob")]
    user: String,
    /// Whether the user may change the experiment, not only look at it.
    write_access: bool,
}

impl From<Sharer> for ShareBody {
    fn from(Sharer { name, write_access }: Sharer) -> Self {
        Self { user: name, write_access }
    }
}

/// How to share an experiment.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ShareExperiment {
    /// Whether the user may change it, too; only look at it by default.
    write_access: Option<bool>,
}

impl RequestBody for ShareExperiment {
    const REQUIRED: &'static [&'static str] = &[];
}

/// Whom an experiment is shared with, by name.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/shares", tag = "shares",
    params(("experiment_id" = String, Path)),
    responses((status = 200, body = Data<Vec<ShareBody>>), (status = 403, description = "Not the owner"), (status = 404)))]
pub async fn list_shares(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Own).await?;
    let sharers = queries::sharers(&mut app.environment.db.read().await?, experiment).await?;
    Ok(data(sharers.into_iter().map(ShareBody::from).collect::<Vec<_>>()))
}

/// How an experiment is shared with a user.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/shares/{user}", tag = "shares",
    params(("experiment_id" = String, Path), ("user" = String, Path, description = "Login name")),
    responses((status = 200, body = Data<ShareBody>), (status = 403, description = "Not the owner"), (status = 404)))]
pub async fn get_share(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, name)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Own).await?;
    let sharers = queries::sharers(&mut app.environment.db.read().await?, experiment).await?;
    let sharer = sharers.into_iter().find(|sharer| sharer.name == name);
    Ok(data(ShareBody::from(sharer.ok_or_else(|| ApiError::not_found(format!("share of user \"{name}\"")))?)))
}

/// Let a user look at an experiment, and change it if so wanted; replaces what the user might do before.
#[utoipa::path(put, path = "/api/experiments/{experiment_id}/shares/{user}", tag = "shares",
    request_body = ShareExperiment,
    params(("experiment_id" = String, Path), ("user" = String, Path, description = "Login name")),
    responses((status = 200, body = Message), (status = 400, description = "The user is the owner"),
        (status = 403, description = "Not the owner"), (status = 404)))]
pub async fn share_experiment(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, name)): Path<(String, String)>,
    JsonBody(body): JsonBody<ShareExperiment>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Own).await?;
    let write_access = body.write_access.unwrap_or(false);
    sharing::share(&app.environment, &experiment.to_string(), &name, write_access).await?;
    Ok(ok())
}

/// Let a user look at an experiment no more.
#[utoipa::path(delete, path = "/api/experiments/{experiment_id}/shares/{user}", tag = "shares",
    params(("experiment_id" = String, Path), ("user" = String, Path, description = "Login name")),
    responses((status = 200, body = Message), (status = 403, description = "Not the owner"), (status = 404)))]
pub async fn unshare_experiment(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, name)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Own).await?;
    sharing::unshare(&app.environment, &experiment.to_string(), &name).await?;
    Ok(ok())
}

impl From<ShareError> for ApiError {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::UnknownExperiment(experiment) => Self::not_found(format!("experiment {experiment}")),
            ShareError::UnknownUser(name) => Self::not_found(format!("user \"{name}\"")),
            ShareError::NotShared { user, .. } => Self::not_found(format!("share of user \"{user}\"")),
            ShareError::Owner { .. } => Self::malformed(error.to_string()),
            ShareError::Ambiguous { .. } => Self::conflict(error.to_string()),
            ShareError::Store(error) => error.into(),
        }
    }
}
