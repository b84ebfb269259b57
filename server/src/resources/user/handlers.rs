//! `POST /auth`: a password for a token.

use std::sync::LazyLock;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::queries;
use crate::app::App;
use crate::auth::password;
use crate::error::{ApiError, ApiResult};
use crate::http::{JsonBody, RequestBody, token_cookie};

/// Name and password.
#[derive(Deserialize, ToSchema)]
pub struct Credentials {
    /// Login name.
    #[serde(default)]
    username: String,
    /// Password in plain text.
    #[serde(default)]
    password: String,
}

impl RequestBody for Credentials {
    // An absent name is a failed login (401), not a malformed request.
    const REQUIRED: &'static [&'static str] = &[];
}

/// A token for the `Authorization` header.
#[derive(Serialize, ToSchema)]
pub struct AccessToken {
    /// JSON Web Token; send it as `Authorization: JWT <token>`.
    access_token: String,
}

/// A hash to compare with when the user is unknown, so that both cases take equally long.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| password::hash("nobody has this password").unwrap_or_default());

/// Log in.
#[utoipa::path(post, path = "/auth", tag = "auth", request_body = Credentials,
    responses((status = 200, body = AccessToken), (status = 401, description = "Unknown user or wrong password"),
        (status = 503, description = "Too many logins at once")),
    security(()))]
pub async fn log_in(
    State(app): State<App>,
    JsonBody(credentials): JsonBody<Credentials>,
) -> ApiResult<Response> {
    let refused = || ApiError::unauthorized("Invalid credentials");
    if credentials.username.is_empty() || credentials.password.is_empty() {
        return Err(refused());
    }
    let user = queries::find(&mut app.environment.db.read().await?, &credentials.username).await?;
    let hash = user.as_ref().map_or_else(|| NOBODY.clone(), |user| user.password_hash.clone());
    let matches = password::matches(credentials.password, hash).await?;
    let user = user.filter(|_| matches).ok_or_else(refused)?;
    let access_token =
        app.tokens.issue(user.id, &user.name, app.environment.now()).map_err(ApiError::internal)?;
    let cookie = token_cookie(&access_token, app.tokens.lifetime().as_secs());
    let mut response = Json(AccessToken { access_token }).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
