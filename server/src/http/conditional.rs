//! Response headers that several resources need: ETag and Content-Disposition.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::http::{HeaderMap, HeaderValue, header};

/// The ETag of a text: weak, because it may be sent compressed.
pub fn etag_of(bytes: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    // Hexadecimal digits fit into every header.
    HeaderValue::from_str(&format!("W/\"{:016x}\"", hasher.finish()))
        .unwrap_or(HeaderValue::from_static("W/\"\""))
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
