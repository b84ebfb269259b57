//! `POST /auth`: a password for a token.

use std::sync::LazyLock;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::queries;
use crate::app::App;
use crate::auth::password;
use crate::error::{ApiError, ApiResult};
use crate::http::{JsonBody, RequestBody, came_by_https, token_cookie};

/// Name and password.
#[derive(Deserialize, ToSchema)]
pub struct Credentials {
    /// Login name.
    #[schema(value_type = String)]
    username: Option<String>,
    /// Password in plain text.
    #[schema(value_type = String)]
    password: Option<String>,
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
    headers: HeaderMap,
    JsonBody(Credentials { username, password }): JsonBody<Credentials>,
) -> ApiResult<Response> {
    let refused = || ApiError::unauthorized("Invalid credentials");
    let (username, password) = username.zip(password).ok_or_else(refused)?;
    if username.is_empty() || password.is_empty() {
        return Err(refused());
    }
    let user = queries::find(&mut app.environment.db.read().await?, &username).await?;
    let hash = user.as_ref().map_or_else(|| NOBODY.clone(), |user| user.password_hash.clone());
    let matches = password::matches(password, hash).await?;
    let user = user.filter(|_| matches).ok_or_else(refused)?;
    let access_token = app
        .tokens
        .issue(user.id, &user.name, user.token_generation, app.environment.now())
        .map_err(ApiError::internal)?;
    let secure = app.config.trust_forwarded && came_by_https(&headers);
    let lifetime_s = app.tokens.lifetime().as_secs();
    let cookie = token_cookie(&access_token, &app.config.base_path, lifetime_s, secure);
    let mut response = Json(AccessToken { access_token }).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
