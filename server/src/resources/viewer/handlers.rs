//! HTTP of the viewer.

use std::borrow::Cow;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::http::{Path, etag_of, not_modified, revalidated};

/// What the page may do: load its own files and ask its own server, nothing else.
const POLICY: &str = "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; \
                      object-src 'none'";

/// Headers of everything that belongs to the viewer.
const HARDENING: [(HeaderName, HeaderValue); 3] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// `GET /`: the viewer for browsers; programs are told that the server is there.
pub async fn get_page(State(app): State<App>, headers: HeaderMap) -> ApiResult<Response> {
    let vary = [(header::VARY, HeaderValue::from_static("accept"))];
    if !accepts_html(&headers) {
        return Ok((vary, concat!("tmserver ", env!("CARGO_PKG_VERSION"), "\n")).into_response());
    }
    let page = respond("text/html; charset=utf-8", super::page(&app.config.base_path), &headers)?;
    Ok((vary, page).into_response())
}

/// `GET /viewer/{file}`: a file of the viewer.
pub async fn get_file(Path(name): Path<String>, headers: HeaderMap) -> ApiResult<Response> {
    let asset =
        super::find(&name).ok_or_else(|| ApiError::not_found(format!("file \"{name}\" of the viewer")))?;
    respond(asset.media_type, asset.text.into(), &headers)
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|part| {
        part.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("text/html"))
    })
}

fn respond(media_type: &'static str, text: Cow<'static, str>, headers: &HeaderMap) -> ApiResult<Response> {
    let etag = etag_of(text.as_bytes());
    let caching = revalidated(&etag)?;
    if not_modified(headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching, HARDENING).into_response());
    }
    let media_type = [(header::CONTENT_TYPE, HeaderValue::from_static(media_type))];
    Ok((caching, HARDENING, media_type, text).into_response())
}
