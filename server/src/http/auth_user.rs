//! Who asks: the user of the access token, as an extractor.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};

use crate::app::App;
use crate::auth::token::Claims;
use crate::error::{ApiError, ApiResult};

/// Name of the cookie that carries the token for tile requests.
const COOKIE: &str = "tmserver_token";

/// The user whose token the `Authorization` header carries.
#[derive(Debug, Clone)]
pub struct AuthUser {
    /// User id.
    pub id: i64,
    /// User name.
    pub name: String,
}

/// The user of a tile request: image tags cannot send headers, so the cookie set by `/auth` counts here too.
#[derive(Debug, Clone)]
pub struct TileUser(pub AuthUser);

impl FromRequestParts<App> for AuthUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let token = header_token(&parts.headers)?
            .ok_or_else(|| ApiError::unauthorized("Request does not contain an access token"))?;
        user_of(app, token).await
    }
}

impl FromRequestParts<App> for TileUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let token = match header_token(&parts.headers)? {
            Some(token) => token,
            None => cookie_token(&parts.headers)
                .ok_or_else(|| ApiError::unauthorized("Request does not contain an access token"))?,
        };
        user_of(app, token).await.map(Self)
    }
}

/// The `Set-Cookie` value that lets a browser fetch tiles below `base_path` with `token`; over HTTPS alone if
/// `secure`.
pub fn token_cookie(token: &str, base_path: &str, max_age_s: u64, secure: bool) -> Option<HeaderValue> {
    let path = if base_path.is_empty() { "/" } else { base_path };
    let secure = if secure { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={token}; HttpOnly; SameSite=Strict; Path={path}; Max-Age={max_age_s}{secure}");
    HeaderValue::from_str(&cookie).ok()
}

/// The token in `Authorization: JWT <token>` or `Bearer <token>`; `None` without the header.
fn header_token(headers: &HeaderMap) -> ApiResult<Option<&str>> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let value =
        value.to_str().map_err(|_| ApiError::unauthorized("Authorization header is not plain text"))?;
    let mut parts = value.split_ascii_whitespace();
    let scheme = parts.next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("jwt") && !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ApiError::unauthorized("Unsupported authorization type"));
    }
    let token = parts.next().ok_or_else(|| ApiError::unauthorized("Token missing"))?;
    if parts.next().is_some() {
        return Err(ApiError::unauthorized("Token contains spaces"));
    }
    Ok(Some(token))
}

fn cookie_token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

async fn user_of(app: &App, token: &str) -> ApiResult<AuthUser> {
    let Claims { uid, uname, generation, .. } =
        app.tokens.check(token, app.environment.now()).map_err(ApiError::unauthorized)?;
    match app.environment.permissions.token_generation(&app.environment.db, uid).await? {
        None => Err(ApiError::unauthorized("User does not exist")),
        Some(current) if current != generation => Err(ApiError::unauthorized("Token has been revoked")),
        Some(_) => Ok(AuthUser { id: uid, name: uname }),
    }
}
