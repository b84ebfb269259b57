//! HTTP of sites.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Site, SiteFilter, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, Data, Path, Query, data, emit_id, page, parse_id};
use crate::resources::experiment::authorize;

/// A site on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Site)]
pub struct SiteBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Row in the well's grid, from 0.
    #[schema(example = 1)]
    y: i64,
    /// Column in the well's grid, from 0.
    #[schema(example = 2)]
    x: i64,
    /// Height of its images in pixels.
    #[schema(example = 2160)]
    height: i64,
    /// Width of its images in pixels.
    #[schema(example = 2560)]
    width: i64,
    /// Name of the well.
    #[schema(example = "D03")]
    well_name: String,
    /// Name of the plate.
    #[schema(example = "plate01")]
    plate_name: String,
}

impl From<Site> for SiteBody {
    fn from(site: Site) -> Self {
        let Site { id, y, x, height, width, well_name, plate_name } = site;
        Self { id: emit_id(id), y, x, height, width, well_name, plate_name }
    }
}

/// Sites of an experiment, by plate name, well name, row and column.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/sites", tag = "sites",
    params(("experiment_id" = String, Path),
        ("plate_name" = Option<String>, Query, description = "Only those of this plate"),
        ("well_name" = Option<String>, Query, description = "Only those of wells with this name"),
        ("well_pos_y" = Option<i64>, Query, description = "Only those in this row of the well; also `well_pox_y`"),
        ("well_pos_x" = Option<i64>, Query, description = "Only those in this column of the well; also `well_pox_x`"),
        ("limit" = Option<u64>, Query, minimum = 1, description = "At most so many; all by default"),
        ("offset" = Option<u64>, Query, description = "Without the first so many")),
    responses((status = 200, body = Data<Vec<SiteBody>>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_sites(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let filter = SiteFilter {
        plate_name: query.text("plate_name"),
        well_name: query.text("well_name"),
        y: query.number_of(&["well_pos_y", "well_pox_y"])?,
        x: query.number_of(&["well_pos_x", "well_pox_x"])?,
    };
    let page = page(&query)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let sites = queries::list(&mut app.environment.db.read().await?, experiment, filter, page).await?;
    Ok(data(sites.into_iter().map(SiteBody::from).collect::<Vec<_>>()))
}

/// One site.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/sites/{site_id}", tag = "sites",
    params(("experiment_id" = String, Path), ("site_id" = String, Path)),
    responses((status = 200, body = Data<SiteBody>), (status = 403), (status = 404)))]
pub async fn get_site(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, site)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let id = parse_id("site", &site)?;
    let site = queries::find(&mut app.environment.db.read().await?, experiment, id).await?;
    Ok(data(SiteBody::from(site.ok_or_else(|| ApiError::not_found(format!("site {id}")))?)))
}
