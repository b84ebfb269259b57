//! HTTP of cycles.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Cycle, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, Data, Path, Query, data, emit_id, parse_id};
use crate::resources::experiment::authorize;

/// A cycle on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cycle)]
pub struct CycleBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Position in the order of cycles, from 0.
    #[schema(example = 0)]
    index: i64,
    /// Smallest time point of its images.
    #[schema(example = 0)]
    tpoint: i64,
}

impl From<Cycle> for CycleBody {
    fn from(cycle: Cycle) -> Self {
        Self { id: emit_id(cycle.id), index: cycle.cycle_index, tpoint: cycle.tpoint }
    }
}

/// Cycles of an experiment, by index.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/cycles", tag = "cycles",
    params(("experiment_id" = String, Path),
        ("plate_name" = Option<String>, Query, description = "Must exist, or the list is empty; all plates have the same cycles"),
        ("index" = Option<i64>, Query, description = "Only the one with this index")),
    responses((status = 200, body = Data<Vec<CycleBody>>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_cycles(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let index = query.number("index")?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mut tx = app.environment.db.read().await?;
    let cycles = queries::list(&mut tx, experiment, query.text("plate_name"), index).await?;
    Ok(data(cycles.into_iter().map(CycleBody::from).collect::<Vec<_>>()))
}

/// One cycle.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/cycles/{cycle_id}", tag = "cycles",
    params(("experiment_id" = String, Path), ("cycle_id" = String, Path)),
    responses((status = 200, body = Data<CycleBody>), (status = 403), (status = 404)))]
pub async fn get_cycle(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, cycle)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let id = parse_id("cycle", &cycle)?;
    let cycle = queries::find(&mut app.environment.db.read().await?, experiment, id).await?;
    Ok(data(CycleBody::from(cycle.ok_or_else(|| ApiError::not_found(format!("cycle {id}")))?)))
}
