//! HTTP of alignments.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::queries::{self, ListedShift};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, Data, Path, data, emit_id};
use crate::resources::experiment::authorize;

/// An alignment on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alignment)]
pub struct AlignmentBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Index of the cycle that the others are moved onto.
    #[schema(example = 0)]
    reference_cycle_index: i64,
    /// The wavelength that was compared.
    #[schema(example = "1")]
    wavelength: String,
    /// One for each site and cycle.
    shifts: Vec<ShiftBody>,
}

/// A shift on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteShift)]
pub struct ShiftBody {
    /// Id of the site.
    #[schema(example = "23")]
    site_id: String,
    /// Name of its plate.
    #[schema(example = "plate01")]
    plate_name: String,
    /// Name of its well.
    #[schema(example = "D03")]
    well_name: String,
    /// Index of the cycle.
    #[schema(example = 1)]
    cycle_index: i64,
    /// Pixels that the images of this cycle are moved down.
    #[schema(example = 1)]
    y: i64,
    /// Pixels that they are moved to the right.
    #[schema(example = 2)]
    x: i64,
    /// `reference`, `measured`, `well` or `plate` (their median, because nothing was measured that could be
    /// trusted), `none` (neither).
    #[schema(example = "measured")]
    source: String,
    /// What was measured, in pixels; null without an image.
    #[schema(example = -2.25)]
    measured_y: Option<f64>,
    /// What was measured, in pixels; null without an image.
    #[schema(example = 1.5)]
    measured_x: Option<f64>,
    /// Correlation with the reference after the measured shift, 0 to 1.
    #[schema(example = 0.93)]
    quality: Option<f64>,
    /// Quality that chance reaches in one of 100 cases; measured shifts are used above it.
    #[schema(example = 0.12)]
    threshold: Option<f64>,
}

impl From<ListedShift> for ShiftBody {
    fn from(shift: ListedShift) -> Self {
        Self {
            site_id: emit_id(shift.site_id),
            plate_name: shift.plate_name,
            well_name: shift.well_name,
            cycle_index: shift.cycle_index,
            y: shift.y,
            x: shift.x,
            source: shift.source,
            measured_y: shift.measured_y,
            measured_x: shift.measured_x,
            quality: shift.quality,
            threshold: shift.threshold,
        }
    }
}

/// The latest alignment of an experiment's cycles: how far every site was moved, and how sure that is.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/alignment", tag = "cycles",
    params(("experiment_id" = String, Path)),
    responses((status = 200, body = Data<AlignmentBody>), (status = 403),
        (status = 404, description = "No such experiment, or its cycles were never aligned")))]
pub async fn get_alignment(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mut tx = app.environment.db.read().await?;
    let current = queries::current(&mut tx, experiment).await?;
    let alignment =
        current.ok_or_else(|| ApiError::not_found(format!("alignment of experiment {experiment}")))?;
    let shifts = queries::list(&mut tx, alignment.id).await?;
    Ok(data(AlignmentBody {
        id: emit_id(alignment.id),
        reference_cycle_index: alignment.cycle_index,
        wavelength: alignment.wavelength,
        shifts: shifts.into_iter().map(ShiftBody::from).collect(),
    }))
}
