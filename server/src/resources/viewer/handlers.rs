//! HTTP of the viewer.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::http::{Document, Path};

/// What the page may do: load its own files and ask its own server, nothing else.
const POLICY: &str = "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; \
                      object-src 'none'";

/// Headers of everything that belongs to the viewer.
const HARDENING: [(HeaderName, &str); 3] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// `GET /`: the viewer for browsers; programs are told that the server is there.
pub async fn get_page(State(app): State<App>, headers: HeaderMap) -> Response {
    let vary = [(header::VARY, HeaderValue::from_static("accept"))];
    if !accepts_html(&headers) {
        return (vary, concat!("tmserver ", env!("CARGO_PKG_VERSION"), "\n")).into_response();
    }
    let page = super::page(&app.config.base_path);
    (vary, Document::new("text/html; charset=utf-8", page).answer(&headers, &HARDENING)).into_response()
}

/// `GET /viewer/{file}`: a file of the viewer.
pub async fn get_file(Path(name): Path<String>, headers: HeaderMap) -> ApiResult<Response> {
    let asset =
        super::find(&name).ok_or_else(|| ApiError::not_found(format!("file \"{name}\" of the viewer")))?;
    Ok(Document::new(asset.media_type, asset.text).answer(&headers, &HARDENING))
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|part| {
        part.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("text/html"))
    })
}
