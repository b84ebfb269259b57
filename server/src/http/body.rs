//! JSON bodies: read whatever the content type says, required keys named when missing.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde_json::Value;

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
        let missing_kind = match *request.method() {
            Method::PUT => ErrorKind::MissingPutParameter,
            _ => ErrorKind::MissingPostParameter,
        };
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            let response = rejection.into_response();
            match response.status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    ApiError::new(ErrorKind::PayloadTooLarge, "the body is larger than this server accepts")
                }
                _ => ApiError::malformed("the body could not be read"),
            }
        })?;
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
        let missing: Vec<_> = T::REQUIRED
            .iter()
            .filter(|key| object.get(**key).is_none_or(Value::is_null))
            .map(|key| format!("`{key}`"))
            .collect();
        if !missing.is_empty() {
            return Err(ApiError::new(
                missing_kind,
                format!("missing key(s) in the body: {}", missing.join(", ")),
            ));
        }
        serde_json::from_value(value)
            .map(Self)
            .map_err(|error| ApiError::malformed(format!("the body does not fit: {error}")))
    }
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
