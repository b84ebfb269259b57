//! Texts that belong to the program, such as the API document and the files of the viewer.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::{etag_of, not_modified};

/// A text that stays the same for as long as the server runs.
#[derive(Debug, Clone)]
pub struct Document {
    media_type: HeaderValue,
    bytes: Bytes,
    etag: HeaderValue,
}

impl Document {
    /// A text of this media type.
    pub fn new(media_type: &'static str, text: impl Into<Bytes>) -> Self {
        let bytes = text.into();
        // Weak, because it may be sent compressed; a quoted hash fits into every header.
        let etag = HeaderValue::from_str(&format!("W/{}", etag_of(&bytes)))
            .unwrap_or(HeaderValue::from_static("W/\"\""));
        Self { media_type: HeaderValue::from_static(media_type), bytes, etag }
    }

    /// The answer to a request for it, with these headers too; without the text where the client has it already.
    pub fn answer(&self, headers: &HeaderMap, more: &[(HeaderName, &'static str)]) -> Response {
        let mut answer = if self.etag.to_str().is_ok_and(|etag| not_modified(headers, etag)) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            self.bytes.clone().into_response()
        };
        let values = answer.headers_mut();
        values.insert(header::CONTENT_TYPE, self.media_type.clone());
        values.insert(header::ETAG, self.etag.clone());
        // Asked for again each time: the next version of the server may have another.
        values.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        for (name, value) in more {
            values.insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}
