//! JSON bodies: read whatever the content type says, required keys named when missing.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::Query;
use crate::app::App;
use crate::error::{ApiError, ApiResult, ErrorKind};

/// A request body: its type and the keys that must be there.
pub trait RequestBody: DeserializeOwned {
    /// Keys that must be present and not null.
    const REQUIRED: &'static [&'static str];
    /// Keys one of which must be present and not null, if there are any.
    const ONE_OF: &'static [&'static str] = &[];
    /// Whether the required keys may come in the query string instead: only in a [`LargeBody`].
    const MAY_COME_IN_QUERY: bool = false;
}

/// A JSON body that has all its required keys.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

/// A JSON body that may be large: read into its type directly, off the async threads. Its texts are to be read by
/// [`plain_text`].
#[derive(Debug)]
pub struct LargeBody<T>(pub T);

impl<T: RequestBody> FromRequest<App> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let missing = missing_kind(&request);
        let bytes = read(request, app.config.silence_timeout).await?;
        let value: Value = serde_json::from_slice(&bytes).map_err(not_json)?;
        let Value::Object(object) = &value else {
            return Err(ApiError::malformed("the body must be a JSON object"));
        };
        if holds_zero(&value) {
            return Err(ApiError::malformed("a text in the body holds the character U+0000"));
        }
        check_lists(object, app.config.max_list_items)?;
        check_keys::<T>(missing, |key| object.get(key).is_some_and(|value| !value.is_null()))?;
        serde_json::from_value(value).map(Self).map_err(does_not_fit)
    }
}

impl<T: RequestBody + Send + 'static> FromRequest<App> for LargeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let missing = missing_kind(&request);
        let (mut parts, body) = request.into_parts();
        let query = match T::MAY_COME_IN_QUERY {
            true => Query::from_request_parts(&mut parts, app).await?,
            false => Query::default(),
        };
        let bytes = read(Request::from_parts(parts, body), app.config.silence_timeout).await?;
        let parsed = app.environment.compute.interactive(move |_| {
            let mut json = serde_json::Deserializer::from_slice(&bytes);
            let Keys(present) = json.deserialize_any(KeysVisitor::<T>::new()).map_err(not_json)?;
            json.end().map_err(not_json)?;
            check_keys::<T>(missing, |key| present.contains(&key) || query.text(key).is_some())?;
            serde_json::from_slice(&bytes).map(Self).map_err(does_not_fit)
        });
        parsed.await.map_err(ApiError::internal)?
    }
}

fn missing_kind(request: &Request) -> ErrorKind {
    match *request.method() {
        Method::PUT => ErrorKind::MissingPutParameter,
        _ => ErrorKind::MissingPostParameter,
    }
}

fn not_json(error: serde_json::Error) -> ApiError {
    ApiError::malformed(format!("the body is not valid JSON: {error}"))
}

fn does_not_fit(error: serde_json::Error) -> ApiError {
    ApiError::malformed(format!("the body does not fit: {error}"))
}

fn check_keys<T: RequestBody>(kind: ErrorKind, is_present: impl Fn(&'static str) -> bool) -> ApiResult<()> {
    let mut missing: Vec<_> =
        T::REQUIRED.iter().filter(|key| !is_present(key)).map(|key| format!("`{key}`")).collect();
    if !T::ONE_OF.is_empty() && !T::ONE_OF.iter().any(|key| is_present(key)) {
        let either: Vec<_> = T::ONE_OF.iter().map(|key| format!("`{key}`")).collect();
        missing.push(either.join(" or "));
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(ApiError::new(kind, format!("missing key(s) in the body: {}", missing.join(", "))))
}

/// Those of the keys that a body needs which it has with a value.
struct Keys(Vec<&'static str>);

struct KeysVisitor<T>(std::marker::PhantomData<T>);

impl<T> KeysVisitor<T> {
    fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, T: RequestBody> Visitor<'de> for KeysVisitor<T> {
    type Value = Keys;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut present = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value::<Option<IgnoredAny>>()?;
            let wanted = T::REQUIRED.iter().chain(T::ONE_OF).find(|wanted| **wanted == key);
            present.extend(wanted.filter(|wanted| value.is_some() && !present.contains(*wanted)));
        }
        Ok(Keys(present))
    }
}

/// Read a text without the character U+0000, which PostgreSQL cannot store.
///
/// # Errors
/// For what is no such text.
pub fn plain_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.contains('\0') { Err(D::Error::custom("a text holds the character U+0000")) } else { Ok(text) }
}

/// The same for a text that may be absent.
///
/// # Errors
/// For what is no such text.
pub fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Text(#[serde(deserialize_with = "plain_text")] String);

    Ok(Option::<Text>::deserialize(deserializer)?.map(|Text(text)| text))
}

/// Read a whole number, or one that is written as text.
///
/// # Errors
/// For what is no such number.
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct Integer;

    impl Visitor<'_> for Integer {
        type Value = i64;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a whole number")
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
            Ok(value)
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<i64, E> {
            i64::try_from(value).map_err(|_| E::custom(format!("{value} is out of range")))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
            text.trim().parse().map_err(|_| E::custom(format!("\"{text}\" is no whole number")))
        }
    }

    deserializer.deserialize_any(Integer)
}

/// The same for a number that may be absent.
///
/// # Errors
/// For what is no such number.
pub fn optional_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    struct Integer(#[serde(deserialize_with = "integer")] i64);

    Ok(Option::<Integer>::deserialize(deserializer)?.map(|Integer(number)| number))
}

/// Bytes that are sent as base64 text.
#[derive(Debug)]
pub struct Base64(pub Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Base64;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("base64 text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Base64, E> {
                // Some encoders break lines.
                let decoded = if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
                    STANDARD.decode(text.split_ascii_whitespace().collect::<String>())
                } else {
                    STANDARD.decode(text)
                };
                decoded.map(Base64).map_err(|error| E::custom(format!("no base64 text: {error}")))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// The whole body of a client that is never silent for longer than `silence`; an empty one is an empty object.
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
    let bytes = Bytes::from_request(request, &()).await.map_err(|rejection| {
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
    })?;
    Ok(if bytes.iter().all(u8::is_ascii_whitespace) { Bytes::from_static(b"{}") } else { bytes })
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
