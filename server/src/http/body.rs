//! JSON bodies: read whatever the content type says, required keys named when missing.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use crate::app::App;
use crate::error::{ApiError, ApiResult, ErrorKind};

/// A request body: its type and the keys that must be there.
pub trait RequestBody: DeserializeOwned {
    /// Keys that must be present and not null.
    const REQUIRED: &'static [&'static str];
}

/// A JSON body that has all its required keys.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: RequestBody> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> ApiResult<Self> {
        let missing_kind = missing_kind(&request);
        let bytes = read(request, state).await?;
        let value: Value = if bytes.iter().all(u8::is_ascii_whitespace) {
            Value::Object(serde_json::Map::new())
        } else {
            serde_json::from_slice(&bytes)
                .map_err(|error| ApiError::malformed(format!("the body is not valid JSON: {error}")))?
        };
        let Value::Object(object) = &value else {
            return Err(ApiError::malformed("the body must be a JSON object"));
        };
        if holds_zero(&value) {
            return Err(ApiError::malformed("a text in the body holds the character U+0000"));
        }
        let missing: Vec<_> =
            T::REQUIRED.iter().filter(|key| object.get(**key).is_none_or(Value::is_null)).copied().collect();
        if !missing.is_empty() {
            return Err(missing_keys(missing_kind, &missing));
        }
        serde_json::from_value(value)
            .map(Self)
            .map_err(|error| ApiError::malformed(format!("the body does not fit: {error}")))
    }
}

/// A large request body: what it is read into, key by key, and what is made of that once no key is missing.
pub trait LargeBody: DeserializeOwned + Send + 'static {
    /// What the handler works with.
    type Content: Send + 'static;

    /// The required keys that are absent or null.
    fn missing(&self) -> Vec<&'static str>;

    /// What the handler works with; `None` when a key is missing.
    fn content(self) -> Option<Self::Content>;
}

/// A large JSON body that has all its required keys. It is read straight into what it stands for, off the async
/// threads: a tree of JSON values would take many times its length.
#[derive(Debug)]
pub struct LargeJson<T: LargeBody>(pub T::Content);

impl<T: LargeBody> FromRequest<App> for LargeJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let missing_kind = missing_kind(&request);
        let bytes = read(request, app).await?;
        let parse = move || {
            let empty = bytes.iter().all(u8::is_ascii_whitespace);
            let body: T = serde_json::from_slice(if empty { b"{}" } else { &bytes }).map_err(unfit)?;
            let missing = body.missing();
            body.content().ok_or_else(|| missing_keys(missing_kind, &missing))
        };
        app.environment.compute.interactive(move |_| parse()).await.map_err(ApiError::internal)?.map(Self)
    }
}

/// The error when a required key of a body is absent.
fn missing_kind(request: &Request) -> ErrorKind {
    match *request.method() {
        Method::PUT => ErrorKind::MissingPutParameter,
        _ => ErrorKind::MissingPostParameter,
    }
}

fn missing_keys(kind: ErrorKind, keys: &[&str]) -> ApiError {
    let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    ApiError::new(kind, format!("missing key(s) in the body: {}", keys.join(", ")))
}

fn unfit(error: serde_json::Error) -> ApiError {
    ApiError::malformed(match error.classify() {
        Category::Data => format!("the body does not fit: {error}"),
        Category::Io | Category::Syntax | Category::Eof => format!("the body is not valid JSON: {error}"),
    })
}

/// The bytes of a body, as many as the server accepts.
async fn read<S: Send + Sync>(request: Request, state: &S) -> ApiResult<Bytes> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        let response = rejection.into_response();
        match response.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                ApiError::new(ErrorKind::PayloadTooLarge, "the body is larger than this server accepts")
            }
            _ => ApiError::malformed("the body could not be read"),
        }
    })
}

/// Whether a text in `value` holds the character U+0000, which PostgreSQL cannot store.
fn holds_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_zero),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || holds_zero(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
