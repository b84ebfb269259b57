//! HTTP of those who watch the server; without a token.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Health, figures};
use crate::app::App;
use crate::config::MetricsAccess;
use crate::error::{ApiError, ApiResult};
use crate::http::ClientAddress;

/// Version of the text format of Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub struct HealthBody {
    /// `ok`, or `failing` when something does not answer.
    #[schema(example = "ok")]
    status: &'static str,
    /// Whether the database answers.
    #[schema(example = "ok")]
    database: &'static str,
    /// Whether the data directory answers.
    #[schema(example = "ok")]
    data_directory: &'static str,
}

impl From<Health> for HealthBody {
    fn from(health: Health) -> Self {
        let word = |good| if good { "ok" } else { "failing" };
        Self {
            status: word(health.is_good()),
            database: word(health.database),
            data_directory: word(health.data_directory),
        }
    }
}

/// Whether database and data directory answer.
#[utoipa::path(get, path = "/healthz", tag = "server",
    responses((status = 200, body = HealthBody), (status = 503, body = HealthBody, description = "One of them does not")),
    security(()))]
pub async fn get_health(State(app): State<App>) -> impl IntoResponse {
    let health = app.doctor.look(&app.environment).await;
    let status = if health.is_good() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(HealthBody::from(health)))
}

/// Figures about requests, jobs, tiles, the engine and the process, for Prometheus. Who may read them is a setting:
/// unless it says otherwise, programs on the server's machine that come without a reverse proxy.
#[utoipa::path(get, path = "/metrics", tag = "server",
    responses((status = 200, content_type = "text/plain", body = String),
        (status = 403, description = "Not from where you are"), (status = 404, description = "Switched off")),
    security(()))]
pub async fn get_metrics(State(app): State<App>, client: ClientAddress) -> ApiResult<impl IntoResponse> {
    match app.config.metrics {
        MetricsAccess::Off => return Err(ApiError::not_found("metrics")),
        MetricsAccess::Loopback if !client.is_local => {
            return Err(ApiError::forbidden("the figures are for programs on the server's machine alone"));
        }
        MetricsAccess::Loopback | MetricsAccess::All => {}
    }
    let text = figures(&app).await?;
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT), (header::CACHE_CONTROL, "no-store")], text))
}
