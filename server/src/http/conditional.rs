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

/// What to call a file that is downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// For every program: letters, digits, `_`, `-` and `.` of ASCII.
    pub plain: String,
    /// The same with everything that the names in it have.
    pub full: String,
}

/// `Content-Disposition: attachment` with both names (RFC 6266): `filename`, in which whatever is not plain becomes
/// `_`, and where that is another one `filename*`, in which only what parts directories becomes `_`.
pub fn attachment(name: &FileName) -> HeaderValue {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
    let plain: String = name.plain.chars().map(plain).collect();
    let full = name.full.replace(['/', '\\'], "_");
    let extended =
        if full == plain { String::new() } else { format!("; filename*=UTF-8''{}", encoded(&full)) };
    HeaderValue::from_str(&format!("attachment; filename={plain}{extended}"))
        .unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

/// A text as RFC 8187 wants it in a header: its bytes, those that mean something else as `%` and two digits.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}
