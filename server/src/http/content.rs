//! Files and other bytes with a length, sent whole or in part (RFC 9110, sections 13 and 14).

use std::fs::File;
use std::io::{self, SeekFrom};
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::{etag_of, not_modified};
use crate::error::{ApiError, ApiResult, ErrorKind};

/// How much of a file is in memory at a time, in bytes.
const PIECE: usize = 64 << 10;

/// Something to send, with what tells it from other versions of it.
#[derive(Debug)]
pub struct Content {
    /// What it is.
    pub media_type: &'static str,
    /// Strong ETag, in quotes.
    pub etag: Arc<str>,
    /// When it was last changed, if that is known.
    pub modified: Option<SystemTime>,
    /// The bytes.
    pub source: Source,
}

/// Where the bytes of a [`Content`] are.
#[derive(Debug)]
pub enum Source {
    /// In memory.
    Memory(Bytes),
    /// In an opened file of this length; sent piece by piece, never held whole.
    File(File, u64),
}

impl Content {
    /// Bytes in memory; the ETag is a hash of them.
    pub fn of_bytes(media_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let etag = etag_of(&bytes);
        Self { media_type, etag, modified: None, source: Source::Memory(bytes) }
    }

    /// An opened file. Its ETag changes when another one is renamed to its place.
    ///
    /// # Errors
    /// When the file system says nothing about it.
    pub fn of_file(media_type: &'static str, file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        let modified = metadata.modified().ok();
        let time = modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        let nanoseconds = time.map_or(0, |time| time.as_nanos());
        let length = metadata.len();
        let etag = format!("\"{inode:x}-{nanoseconds:x}-{length:x}\"").into();
        Ok(Self { media_type, etag, modified, source: Source::File(file, length) })
    }

    fn length(&self) -> u64 {
        match &self.source {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::File(_, length) => *length,
        }
    }

    /// The answer to a request with these headers: 200, 206, 304 or 416. Of several ranges none is sent alone: the
    /// answer is then the whole.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn answer(self, method: &Method, headers: &HeaderMap) -> ApiResult<Response> {
        let modified = self.modified.and_then(http_date);
        let mut known = HeaderMap::new();
        known.insert(header::ETAG, HeaderValue::from_str(&self.etag).map_err(ApiError::internal)?);
        known.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        // Kept by the browser, but used only after asking again: rights and pixels may have changed.
        known.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if let Some(modified) = &modified {
            known.insert(header::LAST_MODIFIED, modified.clone());
        }
        if is_fresh(headers, &self) {
            return Ok((StatusCode::NOT_MODIFIED, known).into_response());
        }
        known.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        let length = self.length();
        let asked = if method == Method::GET && range_counts(headers, &self.etag, modified.as_ref()) {
            headers.get(header::RANGE).and_then(|range| Range::parse(range.to_str().ok()?))
        } else {
            None
        };
        let (status, part) = match asked.map(|range| range.within(length)) {
            None => (StatusCode::OK, Part { start: 0, length }),
            Some(Some(part)) => {
                let Part { start, length: of } = part;
                let range = format!("bytes {start}-{}/{length}", start + of - 1);
                known.insert(header::CONTENT_RANGE, header_value(&range)?);
                (StatusCode::PARTIAL_CONTENT, part)
            }
            Some(None) => {
                let error =
                    ApiError::new(ErrorKind::RangeNotSatisfiable, format!("there are only {length} bytes"));
                let range = [(header::CONTENT_RANGE, header_value(&format!("bytes */{length}"))?)];
                return Ok((range, error).into_response());
            }
        };
        known.insert(header::CONTENT_LENGTH, HeaderValue::from(part.length));
        let body = if method == Method::HEAD { Body::empty() } else { body(self.source, part).await? };
        Ok((status, known, body).into_response())
    }
}

async fn body(source: Source, Part { start, length }: Part) -> ApiResult<Body> {
    match source {
        Source::Memory(bytes) => {
            // Both lie within the bytes, and so within a `usize`.
            let edge = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            Ok(Body::from(bytes.slice(edge(start)..edge(start + length))))
        }
        Source::File(file, _) => {
            let mut file = tokio::fs::File::from_std(file);
            file.seek(SeekFrom::Start(start)).await.map_err(ApiError::internal)?;
            Ok(Body::from_stream(ReaderStream::with_capacity(file.take(length), PIECE)))
        }
    }
}

fn header_value(text: &str) -> ApiResult<HeaderValue> {
    HeaderValue::from_str(text).map_err(ApiError::internal)
}

/// Whether the client says that it has this very content. `If-Modified-Since` counts only without `If-None-Match`.
fn is_fresh(headers: &HeaderMap, content: &Content) -> bool {
    if headers.contains_key(header::IF_NONE_MATCH) {
        return not_modified(headers, &content.etag);
    }
    let since = headers
        .get(header::IF_MODIFIED_SINCE)
        .and_then(|value| DateTimeParser::new().parse_timestamp(value.as_bytes()).ok());
    let modified = content.modified.and_then(|time| Timestamp::try_from(time).ok());
    // Dates of HTTP have whole seconds.
    since.zip(modified).is_some_and(|(since, modified)| modified.as_second() <= since.as_second())
}

/// Whether `Range` counts: a part is of use only to who has the rest of the same content.
fn range_counts(headers: &HeaderMap, etag: &str, modified: Option<&HeaderValue>) -> bool {
    headers
        .get(header::IF_RANGE)
        .is_none_or(|condition| condition.as_bytes() == etag.as_bytes() || Some(condition) == modified)
}

fn http_date(time: SystemTime) -> Option<HeaderValue> {
    let time = Timestamp::try_from(time).ok()?;
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()?;
    HeaderValue::from_str(&date).ok()
}

/// Bytes of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    start: u64,
    length: u64,
}

/// The bytes that a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    /// From the first to the last of these; to the end if there is no last one.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

impl Range {
    /// `bytes=0-9`, `bytes=10-` or `bytes=-16`. `None` for anything else: units that nobody knows, mistakes, and
    /// several ranges are passed over.
    fn parse(text: &str) -> Option<Self> {
        let (unit, range) = text.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        match (number(first), number(last)) {
            (None, Some(length)) if first.is_empty() => Some(Self::Last(length)),
            (Some(first), None) if last.is_empty() => Some(Self::From(first, None)),
            (Some(first), Some(last)) if first <= last => Some(Self::From(first, Some(last))),
            _ => None,
        }
    }

    /// Its part of so many bytes; `None` when there is none.
    fn within(self, length: u64) -> Option<Part> {
        let (start, end) = match self {
            Self::From(first, last) => {
                (first, last.map_or(length, |last| last.saturating_add(1).min(length)))
            }
            Self::Last(count) => (length.saturating_sub(count), length),
        };
        (start < end).then(|| Part { start, length: end - start })
    }
}

/// Decimal digits; what is too large for any file is the largest number there is.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(range: &str, length: u64) -> Option<(u64, u64)> {
        let Part { start, length } = Range::parse(range).expect(range).within(length)?;
        Some((start, length))
    }

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        assert_eq!(part("bytes=0-9", 100), Some((0, 10)));
        assert_eq!(part("bytes=90-", 100), Some((90, 10)));
        assert_eq!(part("bytes=90-1000", 100), Some((90, 10)));
        assert_eq!(part("Bytes = -16", 100), Some((84, 16)));
        assert_eq!(part("bytes=-1000", 100), Some((0, 100)));
        assert_eq!(part("bytes=99-99999999999999999999999", 100), Some((99, 1)));
    }

    #[test]
    fn ranges_beyond_the_end_are_empty() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(part(range, 100), None, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), None);
        assert_eq!(part("bytes=-5", 0), None);
    }

    #[test]
    fn what_is_no_range_is_passed_over() {
        for text in
            ["", "bytes", "bytes=", "bytes=-", "bytes=9-1", "bytes=0-1,4-5", "lines=0-1", "bytes=+1-2"]
        {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }
}
