//! What browsers and slow lines need of every answer: the word that a page of another server may read it
//! (CORS), and compression of text with what goes before and after it.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use futures_util::StreamExt;
use tower_http::CompressionLevel;
use tower_http::compression::predicate::Predicate;
use tower_http::compression::{CompressionLayer, predicate};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::CorsOrigins;

/// How long a browser may remember what it is allowed.
const REMEMBERED_FOR: Duration = Duration::from_secs(3600);
/// Smaller answers are sent as they are.
const WORTH_COMPRESSING_BYTES: u64 = 1024;
/// What is compressed: text. Images are compressed already, and events must not wait for more of them.
const COMPRESSED: &[&str] = &[
    "application/json",
    "application/geo+json",
    "text/csv",
    "text/html",
    "text/css",
    "text/javascript",
    "image/svg+xml",
];

/// The layer that tells browsers whether a page of another server may use the API, and answers when they ask
/// beforehand. Only pages that are named may have credentials sent along.
pub fn cross_origin(origins: &CorsOrigins) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_NONE_MATCH, header::RANGE])
        .expose_headers([
            header::ETAG,
            header::CONTENT_DISPOSITION,
            header::CONTENT_RANGE,
            header::ACCEPT_RANGES,
            header::RETRY_AFTER,
        ])
        .max_age(REMEMBERED_FOR);
    match origins {
        CorsOrigins::All => layer.allow_origin(AllowOrigin::any()),
        CorsOrigins::Only(origins) => {
            let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
            layer.allow_origin(AllowOrigin::list(origins)).allow_credentials(true)
        }
    }
}

/// The layer that compresses text for those who take it so.
pub fn compression() -> CompressionLayer<impl Predicate> {
    let is_text = |_, _, headers: &header::HeaderMap, _: &_| {
        let kind =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        COMPRESSED.contains(&kind.split(';').next().unwrap_or_default().trim())
    };
    // Fast, because it is done between other answers.
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(predicate::SizeAbove::new(WORTH_COMPRESSING_BYTES).and(is_text))
}

/// What compression needs of an answer: that its body may be asked again after its end, which streams do not allow.
pub async fn fused(response: Response) -> Response {
    response.map(|body| match body.size_hint().exact() {
        Some(_) => body,
        None => Body::from_stream(body.into_data_stream().fuse()),
    })
}

/// What compression does to an answer: its bytes are others than those that a strong ETag stands for.
pub async fn weakened(mut response: Response) -> Response {
    let headers = response.headers_mut();
    if headers.contains_key(header::CONTENT_ENCODING)
        && let Some(etag) = headers.get(header::ETAG)
        && !etag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat())
    {
        headers.insert(header::ETAG, weak);
    }
    response
}
