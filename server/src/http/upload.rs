//! A file in a form (`multipart/form-data`), read as a stream: never in memory as a whole.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::header;
use futures_util::TryStreamExt;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

use super::disposition::Disposition;
use crate::error::{ApiError, ApiResult};

/// Name of the part that holds the file; others are ignored.
const PART: &str = "file";
/// The form's parser gathers what is between two parts in memory; this much at most.
const GATHERED_BYTES: u64 = 2 << 20;

/// A form with one file in it.
#[derive(Debug)]
pub struct FileUpload {
    parts: Multipart,
    gathered: Arc<AtomicU64>,
    declared: Option<u64>,
    skipped: u64,
    received: u64,
}

impl FileUpload {
    /// What a form may hold beside the file in it.
    pub const OVERHEAD_BYTES: u64 = 16 << 20;

    /// Begin to read the form.
    ///
    /// # Errors
    /// 400 when the body is not a form.
    pub async fn begin(request: Request) -> ApiResult<Self> {
        let length = request.headers().get(header::CONTENT_LENGTH);
        let declared = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let gathered = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&gathered);
        let mut request = request.map(|body| {
            Body::from_stream(body.into_data_stream().map_err(io::Error::other).and_then(move |chunk| {
                let bytes = chunk.len() as u64;
                let sum = counter.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
                std::future::ready(if sum > GATHERED_BYTES {
                    Err(io::Error::other("too much between two parts of the form"))
                } else {
                    Ok(chunk)
                })
            }))
        });
        // Whoever reads the file counts its bytes.
        DefaultBodyLimit::disable().apply(&mut request);
        let parts = Multipart::from_request(request, &()).await.map_err(|_| {
            ApiError::malformed("the body must be multipart/form-data with a part named `file`")
        })?;
        Ok(Self { parts, gathered, declared, skipped: 0, received: 0 })
    }

    /// Size of the whole body, if the client said it.
    pub fn declared_bytes(&self) -> Option<u64> {
        self.declared
    }

    /// The next part of the form.
    ///
    /// # Errors
    /// 400 when the form ended early or too much was skipped.
    pub async fn next_part(&mut self) -> ApiResult<Option<Part<'_>>> {
        if self.skipped > Self::OVERHEAD_BYTES {
            return Err(ApiError::malformed("the form holds too much before its part `file`"));
        }
        let field = self.parts.next_field().await.map_err(broken)?;
        self.gathered.store(0, Ordering::Relaxed);
        let Self { gathered, skipped, received, .. } = self;
        Ok(field.map(|field| Part { field, gathered, skipped, received }))
    }

    /// How much of the file in it came so far.
    pub fn received_bytes(&self) -> u64 {
        self.received
    }
}

/// Read up to `limit` bytes of content that nobody wants: a client that does not listen while it sends would
/// miss the answer otherwise.
pub async fn discard(content: impl AsyncRead + Unpin, limit: u64) {
    // A client that fails here misses the answer, nothing else.
    let _ = tokio::io::copy(&mut content.take(limit), &mut tokio::io::sink()).await;
}

/// One part of a form.
#[derive(Debug)]
pub struct Part<'a> {
    field: Field<'a>,
    gathered: &'a AtomicU64,
    skipped: &'a mut u64,
    received: &'a mut u64,
}

impl<'a> Part<'a> {
    /// The name of the file, as the client sent it; `None` when this is not the part `file`.
    ///
    /// # Errors
    /// 400 when the part `file` has no file name.
    pub fn file_name(&self) -> ApiResult<Option<String>> {
        let disposition = Disposition::of(self.field.headers());
        if disposition.name.as_deref() != Some(PART) {
            return Ok(None);
        }
        let name = disposition.file_name.filter(|name| !name.trim().is_empty());
        name.map(Some).ok_or_else(|| ApiError::malformed("the part `file` has no file name"))
    }

    /// Read over it.
    ///
    /// # Errors
    /// 400 when the form ended early.
    pub async fn skip(mut self) -> ApiResult<()> {
        while let Some(chunk) = self.field.chunk().await.map_err(broken)? {
            self.gathered.store(0, Ordering::Relaxed);
            *self.skipped = self.skipped.saturating_add(chunk.len() as u64);
            if *self.skipped > FileUpload::OVERHEAD_BYTES {
                break;
            }
        }
        Ok(())
    }

    /// Its content.
    pub fn into_content(self) -> impl AsyncRead + Unpin + 'a {
        let Self { field, gathered, received, .. } = self;
        StreamReader::new(field.map_err(io::Error::other).inspect_ok(|chunk| {
            gathered.store(0, Ordering::Relaxed);
            *received = received.saturating_add(chunk.len() as u64);
        }))
    }
}

fn broken(error: impl std::error::Error) -> ApiError {
    ApiError::malformed(format!("the form ended early or is damaged: {error}"))
}
