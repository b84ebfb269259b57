//! HTTP of wells.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Well, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{
    AuthUser, Data, JsonBody, Message, Path, Query, RequestBody, data, emit_id, ok, page, parse_id,
};
use crate::resources::experiment::authorize;

/// A well on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Well)]
pub struct WellBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Name, such as `D03`.
    #[schema(example = "D03")]
    name: String,
    /// Whatever a client stored; an object.
    #[schema(value_type = Object)]
    description: Map<String, Value>,
    /// Name of the plate.
    #[schema(example = "plate01")]
    plate_name: String,
    /// Name of the plate, under the name that older clients read.
    #[schema(example = "plate01")]
    plate: String,
    /// Rows and columns of the site grid; `[0, 0]` without sites.
    dimensions: [i64; 2],
}

impl From<Well> for WellBody {
    fn from(well: Well) -> Self {
        // Only objects are stored; what is not one is shown as the default.
        let description = serde_json::from_str(&well.description).unwrap_or_default();
        Self {
            id: emit_id(well.id),
            name: well.name,
            description,
            plate: well.plate_name.clone(),
            plate_name: well.plate_name,
            dimensions: [well.grid_height, well.grid_width],
        }
    }
}

/// A new description of a well.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DescribeWell {
    /// Replaces the stored object.
    #[schema(value_type = Object)]
    description: Map<String, Value>,
}

impl RequestBody for DescribeWell {
    const REQUIRED: &'static [&'static str] = &["description"];
}

fn unknown(id: i64) -> ApiError {
    ApiError::not_found(format!("well {id}"))
}

/// Wells of an experiment, by name.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/wells", tag = "wells",
    params(("experiment_id" = String, Path),
        ("plate_name" = Option<String>, Query, description = "Only those of this plate"),
        ("name" = Option<String>, Query, description = "Only those with this name"),
        ("limit" = Option<u64>, Query, minimum = 1, description = "At most so many; all by default"),
        ("offset" = Option<u64>, Query, description = "Without the first so many")),
    responses((status = 200, body = Data<Vec<WellBody>>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_wells(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let page = page(&query)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mut tx = app.environment.db.read().await?;
    let (plate, name) = (query.text("plate_name"), query.text("name"));
    let wells = queries::list(&mut tx, experiment, plate, name, page).await?;
    Ok(data(wells.into_iter().map(WellBody::from).collect::<Vec<_>>()))
}

/// One well.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/wells/{well_id}", tag = "wells",
    params(("experiment_id" = String, Path), ("well_id" = String, Path)),
    responses((status = 200, body = Data<WellBody>), (status = 403), (status = 404)))]
pub async fn get_well(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, well)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let id = parse_id("well", &well)?;
    let well = queries::find(&mut app.environment.db.read().await?, experiment, id).await?;
    Ok(data(WellBody::from(well.ok_or_else(|| unknown(id))?)))
}

/// Describe a well.
#[utoipa::path(put, path = "/api/experiments/{experiment_id}/wells/{well_id}", tag = "wells", request_body = DescribeWell,
    params(("experiment_id" = String, Path), ("well_id" = String, Path)),
    responses((status = 200, body = Message), (status = 400), (status = 403), (status = 404)))]
pub async fn describe_well(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, well)): Path<(String, String)>,
    JsonBody(body): JsonBody<DescribeWell>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let id = parse_id("well", &well)?;
    let description = Value::Object(body.description).to_string();
    let mut tx = app.environment.db.write().await?;
    if !queries::describe(&mut tx, experiment, id, &description).await? {
        return Err(unknown(id));
    }
    tx.commit().await?;
    Ok(ok())
}
