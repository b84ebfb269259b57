//! HTTP of channel images: one plane as a PNG file.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;

use super::{PlaneNames, Treatment, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, FileName, Path, Query, attachment, parse_id};
use crate::microscopes::secure_filename;
use crate::resources::experiment::authorize;
use crate::storage::encode;

const REQUIRED: &[&[&str]] = &[
    &["plate_name"],
    &["cycle_index"],
    &["well_name"],
    &["well_pos_x", "well_pox_x"],
    &["well_pos_y", "well_pox_y"],
    &["tpoint"],
    &["zplane"],
];

impl<'a> PlaneNames<'a> {
    /// The plane that a request asks for.
    fn of(query: &'a Query) -> ApiResult<Self> {
        query.require(REQUIRED)?;
        Ok(Self {
            plate: query.required_text(&["plate_name"])?,
            cycle: query.required_number(&["cycle_index"])?,
            well: query.required_text(&["well_name"])?,
            y: query.required_number(&["well_pos_y", "well_pox_y"])?,
            x: query.required_number(&["well_pos_x", "well_pox_x"])?,
            tpoint: query.required_number(&["tpoint"])?,
            zplane: query.required_number(&["zplane"])?,
        })
    }

    fn file_name(&self, experiment: &str, channel: &str) -> FileName {
        let Self { plate, well, y, x, zplane, tpoint, .. } = self;
        let full =
            format!("{experiment}_{plate}_{well}_y{y:03}_x{x:03}_z{zplane:03}_t{tpoint:03}_{channel}.png");
        FileName { plain: secure_filename(&full), full }
    }
}

/// One plane of a site as a grey PNG of the stored depth.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/channels/{channel_id}/image-file", tag = "channels",
    params(("experiment_id" = String, Path), ("channel_id" = String, Path),
        ("plate_name" = String, Query, description = "Name of the plate"),
        ("cycle_index" = i64, Query, description = "Index of the cycle"),
        ("well_name" = String, Query, description = "Name of the well"),
        ("well_pos_x" = i64, Query, description = "Column of the site in the well; also `well_pox_x`"),
        ("well_pos_y" = i64, Query, description = "Row of the site in the well; also `well_pox_y`"),
        ("tpoint" = i64, Query, description = "Time point"), ("zplane" = i64, Query, description = "Focal plane"),
        ("correct" = Option<String>, Query, description = "Correct the illumination: `true`, `yes`, `1` or `on`; also `illumcorr`"),
        ("align" = Option<String>, Query, description = "Move it by its shift in the latest alignment, and cut what not all cycles of the site have")),
    responses((status = 200, content_type = "image/png", body = Vec<u8>), (status = 400), (status = 403),
        (status = 404, description = "No such image, or no statistics to correct it with")))]
pub async fn get_image_file(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, channel)): Path<(String, String)>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let names = PlaneNames::of(&query)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let channel = parse_id("channel", &channel)?;
    let known = queries::channel_names(&mut app.environment.db.read().await?, experiment, channel).await?;
    let (experiment_name, channel_name) =
        known.ok_or_else(|| ApiError::not_found(format!("channel {channel}")))?;
    let treatment =
        Treatment { corrected: query.flag(&["correct", "illumcorr"]), aligned: query.flag(&["align"]) };
    let plane = super::read(&app.environment, experiment, channel, &names, treatment).await?;
    let png = app.environment.compute.interactive(move |_| encode::png(&plane)).await;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/png")),
        (header::CONTENT_DISPOSITION, attachment(&names.file_name(&experiment_name, &channel_name))),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
    ];
    Ok((headers, png.map_err(ApiError::internal)?))
}
