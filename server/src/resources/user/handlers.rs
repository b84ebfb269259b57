//! HTTP of people: a password for a token, who one is, another password, and the end of one's sessions.

use std::sync::LazyLock;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{User, UserError, queries};
use crate::app::App;
use crate::auth::password;
use crate::error::{ApiError, ApiResult};
use crate::http::{
    AuthUser, ClientAddress, Data, JsonBody, Message, RequestBody, came_by_https, data, emit_id, ok,
    token_cookie,
};

/// Name and password.
#[derive(Deserialize, ToSchema)]
pub struct Credentials {
    /// Login name.
    #[schema(value_type = String, example = "ann")]
    username: Option<String>,
    /// Password in plain text.
    #[schema(value_type = String, example = "correct horse", format = Password)]
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
    #[schema(example = "eyJhbGciOiJIUzI1NiJ9.e30.sig")]
    access_token: String,
}

/// A hash to compare with when the user is unknown, so that both cases take equally long.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| password::hash("nobody has this password").unwrap_or_default());

/// Log in. After several failures the next attempts have to wait: `Retry-After` says how long.
#[utoipa::path(post, path = "/auth", tag = "users", request_body = Credentials,
    responses((status = 200, body = AccessToken), (status = 400), (status = 401, description = "Unknown user or wrong password"),
        (status = 413), (status = 429, description = "Too many failed logins"),
        (status = 503, description = "Too many logins at once")),
    security(()))]
pub async fn log_in(
    State(app): State<App>,
    client: ClientAddress,
    headers: HeaderMap,
    JsonBody(Credentials { username, password }): JsonBody<Credentials>,
) -> ApiResult<impl IntoResponse> {
    let refused = || ApiError::unauthorized("Invalid credentials");
    let (username, password) = username.zip(password).ok_or_else(refused)?;
    if username.is_empty() || password.is_empty() {
        return Err(refused());
    }
    app.logins.check(client.address, &username, app.environment.now())?;
    let user = find_by_password(&app, &username, password).await?;
    let Some(user) = user else {
        app.logins.failed(client.address, &username, app.environment.now());
        return Err(refused());
    };
    app.logins.succeeded(&username);
    session(&app, &headers, &user)
}

/// A new session of a user: its token, for programs and as a cookie.
fn session(app: &App, headers: &HeaderMap, user: &User) -> ApiResult<impl IntoResponse + use<>> {
    let access_token = app
        .tokens
        .issue(user.id, &user.name, user.token_generation, app.environment.now())
        .map_err(ApiError::internal)?;
    let lifetime_s = app.tokens.lifetime().as_secs();
    let cookie = cookie(app, headers, &access_token, lifetime_s);
    Ok((cookie, Json(AccessToken { access_token })))
}

/// The user of this name, if the password is right. Takes as long for a name that nobody has.
async fn find_by_password(app: &App, name: &str, password: String) -> ApiResult<Option<User>> {
    let user = queries::find(&mut app.environment.db.read().await?, name).await?;
    let hash = user.as_ref().map_or_else(|| NOBODY.clone(), |user| user.password_hash.clone());
    let matches = password::matches(password, hash).await?;
    Ok(user.filter(|_| matches))
}

/// The header that keeps a token in the browser for so long; 0 takes it away.
fn cookie(
    app: &App,
    headers: &HeaderMap,
    token: &str,
    lifetime_s: u64,
) -> Option<[(HeaderName, HeaderValue); 1]> {
    let secure = app.config.trust_forwarded && came_by_https(headers);
    let cookie = token_cookie(token, &app.config.base_path, lifetime_s, secure)?;
    Some([(header::SET_COOKIE, cookie)])
}

/// A user on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserBody {
    /// Id.
    #[schema(example = "3")]
    id: String,
    /// Login name.
    #[schema(example = "ann")]
    name: String,
    /// E-mail address.
    #[schema(example = "ann@example.org")]
    email: String,
}

/// Who the token belongs to.
#[utoipa::path(get, path = "/api/users/me", tag = "users", responses((status = 200, body = Data<UserBody>)))]
pub async fn get_me(State(app): State<App>, user: AuthUser) -> ApiResult<impl IntoResponse> {
    let found = queries::find_by_id(&mut app.environment.db.read().await?, user.id).await?;
    let found = found.ok_or_else(|| ApiError::unauthorized("User does not exist"))?;
    Ok(data(UserBody { id: emit_id(found.id), name: found.name, email: found.email }))
}

/// The present password and the one that is to be.
#[derive(Deserialize, ToSchema)]
pub struct ChangePassword {
    /// The present password in plain text.
    #[schema(example = "correct horse", format = Password)]
    old_password: String,
    /// The new password in plain text; 8 characters or more.
    #[schema(example = "battery staple", format = Password, min_length = 8)]
    new_password: String,
}

impl RequestBody for ChangePassword {
    const REQUIRED: &'static [&'static str] = &["old_password", "new_password"];
}

/// Change the password of the token's user. Ends all sessions, as none of the tokens given out so far counts any more;
/// the answer holds the token of a new one. Wrong present passwords count as failed logins.
#[utoipa::path(put, path = "/api/users/me/password", tag = "users", request_body = ChangePassword,
    responses((status = 200, body = AccessToken), (status = 400), (status = 403, description = "`old_password` is wrong"),
        (status = 413), (status = 429, description = "Too many failed logins"),
        (status = 503, description = "Too many logins at once")))]
pub async fn change_password(
    State(app): State<App>,
    client: ClientAddress,
    user: AuthUser,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ChangePassword>,
) -> ApiResult<impl IntoResponse> {
    app.logins.check(client.address, &user.name, app.environment.now())?;
    let ChangePassword { old_password, new_password } = body;
    let changed = super::change_password(&app.environment, &user.name, old_password, &new_password).await;
    if let Err(UserError::WrongPassword(_)) = changed {
        app.logins.failed(client.address, &user.name, app.environment.now());
    }
    let changed = changed?;
    app.logins.succeeded(&changed.name);
    session(&app, &headers, &changed)
}

/// End all sessions of the token's user: none of the tokens given out so far counts any more, this one included.
#[utoipa::path(delete, path = "/api/tokens", tag = "users", responses((status = 200, body = Message)))]
pub async fn revoke_tokens(
    State(app): State<App>,
    user: AuthUser,
    headers: HeaderMap,
) -> ApiResult<impl IntoResponse> {
    super::revoke_tokens(&app.environment, &user.name).await?;
    Ok((cookie(&app, &headers, "", 0), ok()))
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Invalid(message) => Self::malformed(message),
            UserError::Taken { .. } | UserError::OwnsExperiments(_) => Self::conflict(error.to_string()),
            UserError::Unknown(name) => Self::not_found(format!("user \"{name}\"")),
            UserError::WrongPassword(_) => Self::forbidden(error.to_string()),
            UserError::Busy(error) => error.into(),
            UserError::Store(error) => error.into(),
        }
    }
}
