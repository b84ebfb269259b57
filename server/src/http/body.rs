//! JSON bodies: read whatever the content type says, required keys named when missing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use futures_util::{StreamExt, stream};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

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

impl<T: RequestBody> FromRequest<App> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let missing_kind = match *request.method() {
            Method::PUT => ErrorKind::MissingPutParameter,
            _ => ErrorKind::MissingPostParameter,
        };
        let bytes = read(request, app.config.silence_timeout).await?;
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
        check_lists(object, app.config.max_list_items)?;
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

/// The whole body of a client that is never silent for longer than `silence`.
async fn read(request: Request, silence: Duration) -> ApiResult<Bytes> {
    let fell_silent = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&fell_silent);
    let request = request.map(|body| {
        Body::from_stream(stream::unfold(body.into_data_stream(), move |mut chunks| {
            let noted = Arc::clone(&noted);
            async move {
                let chunk = match tokio::time::timeout(silence, chunks.next()).await {
                    Ok(chunk) => chunk?.map_err(io::Error::other),
                    Err(_) => {
                        noted.store(true, Ordering::Relaxed);
                        Err(io::Error::from(io::ErrorKind::TimedOut))
                    }
                };
                Some((chunk, chunks))
            }
        }))
    });
    Bytes::from_request(request, &()).await.map_err(|rejection| {
        if fell_silent.load(Ordering::Relaxed) {
            let message = format!("nothing of the body came for {} s", silence.as_secs());
            return ApiError::new(ErrorKind::RequestTimeout, message);
        }
        match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                ApiError::new(ErrorKind::PayloadTooLarge, "the body is larger than this server accepts")
            }
            _ => ApiError::malformed("the body could not be read"),
        }
    })
}

/// Refuse a body with a list, at whatever depth, of more than `most` items.
fn check_lists(body: &Map<String, Value>, most: usize) -> ApiResult<()> {
    let mut lengths = body.iter().map(|(key, value)| (key, longest_list(value)));
    match lengths.find(|(_, length)| *length > most) {
        None => Ok(()),
        Some((key, length)) => Err(ApiError::malformed(format!(
            "a list in `{key}` has {length} items; this server takes {most} at most"
        ))),
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

/// The number of items of the longest list in `value`.
fn longest_list(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(longest_list).max().unwrap_or(0).max(values.len()),
        Value::Object(fields) => fields.values().map(longest_list).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
