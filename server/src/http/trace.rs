//! One log line per request: method, path, status, time. Never the query, which may hold a token, nor headers.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use tower_http::classify::{ServerErrorsAsFailures, SharedClassifier};
use tower_http::trace::TraceLayer;
use tracing::Span;

type MakeSpan = fn(&Request<Body>) -> Span;
type OnResponse = fn(&Response<Body>, Duration, &Span);

/// The layer that logs requests.
pub fn layer() -> TraceLayer<SharedClassifier<ServerErrorsAsFailures>, MakeSpan, (), OnResponse, (), (), ()> {
    let make_span: MakeSpan =
        |request| tracing::debug_span!("request", method = %request.method(), path = request.uri().path());
    let on_response: OnResponse = |response, latency, _| {
        tracing::debug!(status = response.status().as_u16(), ms = latency.as_secs_f64() * 1e3, "answered");
    };
    TraceLayer::new_for_http()
        .make_span_with(make_span)
        .on_request(())
        .on_response(on_response)
        .on_body_chunk(())
        .on_eos(())
        .on_failure(())
}
