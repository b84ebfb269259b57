//! HTTP of segmentations: label images up and down.

use std::fmt::Write;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use futures_util::stream;
use serde::Deserialize;
use tm_engine::image::Plane;
use utoipa::ToSchema;

use super::labels::LabelRows;
use super::{PlaneOfSite, SentLabels};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{
    AuthUser, Base64, Data, LargeBody, Message, Path, Query, RequestBody, ok, optional_integer,
    optional_text, parse_id,
};
use crate::resources::experiment::authorize;

/// About how much of a label image is written as text at a time, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// A label image of a plane of a site, as a nested list or as a NumPy archive. Where it belongs is said here or in the
/// query string.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UploadSegmentations {
    /// Name of the plate.
    #[schema(example = "plate01")]
    #[serde(default, deserialize_with = "optional_text")]
    plate_name: Option<String>,
    /// Name of the well.
    #[schema(example = "C05")]
    #[serde(default, deserialize_with = "optional_text")]
    well_name: Option<String>,
    /// Row of the site in the well.
    #[schema(example = 1)]
    #[serde(default, deserialize_with = "optional_integer")]
    well_pos_y: Option<i64>,
    /// Column of the site in the well.
    #[schema(example = 0)]
    #[serde(default, deserialize_with = "optional_integer")]
    well_pos_x: Option<i64>,
    /// Time point.
    #[schema(example = 0)]
    #[serde(default, deserialize_with = "optional_integer")]
    tpoint: Option<i64>,
    /// Focal plane.
    #[schema(example = 0)]
    #[serde(default, deserialize_with = "optional_integer")]
    zplane: Option<i64>,
    /// Rows of labels from 0 (background) to 2147483647; this or `npz_file`.
    #[schema(value_type = Option<Vec<Vec<i32>>>)]
    image: Option<LabelRows>,
    /// Base64 text of a NumPy `.npz` archive whose member `segmentation` is a 2-dimensional array of integers.
    #[schema(example = "UEsDBBQ=", value_type = Option<String>)]
    npz_file: Option<Base64>,
}

impl RequestBody for UploadSegmentations {
    const REQUIRED: &'static [&'static str] =
        &["plate_name", "well_name", "well_pos_y", "well_pos_x", "tpoint", "zplane"];
    const ONE_OF: &'static [&'static str] = &["image", "npz_file"];
    const MAY_COME_IN_QUERY: bool = true;
}

impl UploadSegmentations {
    /// The plane, and what it is to show. What the body says of the plane counts before what the query says.
    fn into_parts(self, query: &Query) -> ApiResult<(PlaneOfSite, SentLabels)> {
        let sent = match (self.image, self.npz_file) {
            (Some(LabelRows(plane)), None) => SentLabels::Rows(plane),
            (None, Some(Base64(archive))) => SentLabels::Npz(archive),
            _ => return Err(ApiError::malformed("either `image` or `npz_file` must be given, not both")),
        };
        let text = |said: Option<String>, name| match said {
            Some(text) => Ok(text),
            None => query.required_text(&[name]).map(str::to_owned),
        };
        let number = |said: Option<i64>, name| said.map_or_else(|| query.required_number(&[name]), Ok);
        let plane = PlaneOfSite {
            plate: text(self.plate_name, "plate_name")?,
            well: text(self.well_name, "well_name")?,
            y: number(self.well_pos_y, "well_pos_y")?,
            x: number(self.well_pos_x, "well_pos_x")?,
            tpoint: number(self.tpoint, "tpoint")?,
            zplane: number(self.zplane, "zplane")?,
        };
        if plane.tpoint < 0 || plane.zplane < 0 {
            return Err(ApiError::malformed("`tpoint` and `zplane` must be 0 or more"));
        }
        Ok((plane, sent))
    }
}

impl PlaneOfSite {
    /// The plane that a query asks for.
    fn of(query: &Query) -> ApiResult<Self> {
        let (y, x) = (["well_pos_y", "well_pox_y"], ["well_pos_x", "well_pox_x"]);
        query.require(&[&["plate_name"], &["well_name"], &x, &y, &["tpoint"], &["zplane"]])?;
        Ok(Self {
            plate: query.required_text(&["plate_name"])?.to_owned(),
            well: query.required_text(&["well_name"])?.to_owned(),
            y: query.required_number(&y)?,
            x: query.required_number(&x)?,
            tpoint: query.required_number(&["tpoint"])?,
            zplane: query.required_number(&["zplane"])?,
        })
    }
}

/// Store the segmentation of a plane of a site, in place of what was there.
#[utoipa::path(post, path = "/api/experiments/{experiment_id}/mapobject_types/{mapobject_type_id}/segmentations",
    tag = "objects", request_body = UploadSegmentations,
    params(("experiment_id" = String, Path), ("mapobject_type_id" = String, Path),
        ("plate_name" = Option<String>, Query, description = "Name of the plate, unless the body says it"),
        ("well_name" = Option<String>, Query, description = "Name of the well, unless the body says it"),
        ("well_pos_y" = Option<i64>, Query, description = "Row of the site in the well, unless the body says it"),
        ("well_pos_x" = Option<i64>, Query, description = "Column of the site in the well, unless the body says it"),
        ("tpoint" = Option<i64>, Query, description = "Time point, unless the body says it"),
        ("zplane" = Option<i64>, Query, description = "Focal plane, unless the body says it"),
        ("align" = Option<bool>, Query, description = "The label image shows what all cycles of the site have")),
    responses((status = 200, body = Message), (status = 400), (status = 403),
        (status = 404, description = "No such type or site"), (status = 413), (status = 507)))]
pub async fn upload_segmentations(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, objects)): Path<(String, String)>,
    query: Query,
    LargeBody(body): LargeBody<UploadSegmentations>,
) -> ApiResult<impl IntoResponse> {
    let (plane, sent) = body.into_parts(&query)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let objects = parse_id("mapobject type", &objects)?;
    super::upload(&app.environment, experiment, objects, plane, sent, query.flag(&["align"])).await?;
    Ok(ok())
}

/// The segmentation of a plane of a site as a label image: rows of labels, 0 for the background.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/mapobject_types/{mapobject_type_id}/segmentations",
    tag = "objects",
    params(("experiment_id" = String, Path), ("mapobject_type_id" = String, Path),
        ("plate_name" = String, Query, description = "Name of the plate"),
        ("well_name" = String, Query, description = "Name of the well"),
        ("well_pos_y" = i64, Query, description = "Row of the site in the well; also `well_pox_y`"),
        ("well_pos_x" = i64, Query, description = "Column of the site in the well; also `well_pox_x`"),
        ("tpoint" = i64, Query, description = "Time point"),
        ("zplane" = i64, Query, description = "Focal plane"),
        ("align" = Option<bool>, Query, description = "Only what all cycles of the site have")),
    responses((status = 200, body = Data<Vec<Vec<i32>>>), (status = 400), (status = 403),
        (status = 404, description = "No such type, site or plane, or no objects there")))]
pub async fn download_segmentations(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, objects)): Path<(String, String)>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let plane = PlaneOfSite::of(&query)?;
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let objects = parse_id("mapobject type", &objects)?;
    let labels =
        super::download(&app.environment, experiment, objects, &plane, query.flag(&["align"])).await?;
    let media_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((media_type, Body::from_stream(stream::iter(LabelText { labels, row: 0 }))))
}

/// A label image as JSON, piece by piece.
struct LabelText {
    labels: Plane<i32>,
    /// The next row; one after the last for the end of the text.
    row: usize,
}

impl Iterator for LabelText {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn next(&mut self) -> Option<Self::Item> {
        let height = self.labels.size().height;
        let mut text = String::new();
        while self.row < height && text.len() < PIECE_BYTES {
            text.push_str(if self.row == 0 { "{\"data\":[[" } else { "],[" });
            for (column, label) in self.labels.row(self.row).iter().enumerate() {
                let comma = if column == 0 { "" } else { "," };
                // Writing to a text does not fail.
                let _ = write!(text, "{comma}{label}");
            }
            self.row += 1;
        }
        if self.row == height {
            text.push_str(if height == 0 { "{\"data\":[]}" } else { "]]}" });
            self.row += 1;
        }
        (!text.is_empty()).then(|| Ok(Bytes::from(text)))
    }
}
