//! Response headers that several resources need: ETag and Content-Disposition.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};

use crate::error::{ApiError, ApiResult};

/// Strong ETag of bytes, or of everything that decides what they are: a hash, in quotes.
pub fn etag_of(content: &(impl Hash + ?Sized)) -> Arc<str> {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish()).into()
}

/// Whether the client's `If-None-Match` holds this ETag (quotes included).
pub fn not_modified(headers: &HeaderMap, etag: &str) -> bool {
    let etag = etag.trim_start_matches("W/");
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|candidate| candidate.trim().trim_start_matches("W/"))
        .any(|candidate| candidate == etag || candidate == "*")
}

/// The headers of what a client may keep, but show only after asking again: rights and content may have changed.
///
/// # Errors
/// 500 for an ETag that is no header value.
pub fn revalidated(etag: &str) -> ApiResult<[(HeaderName, HeaderValue); 2]> {
    Ok([
        (header::ETAG, HeaderValue::from_str(etag).map_err(ApiError::internal)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
    ])
}

/// `Content-Disposition: attachment` with a name of letters, digits, `_`, `-` and `.`; anything else in
/// it becomes `_`.
pub fn attachment(file_name: &str) -> HeaderValue {
    let name: String = file_name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' })
        .collect();
    HeaderValue::from_str(&format!("attachment; filename={name}"))
        .unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}
