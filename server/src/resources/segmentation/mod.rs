//! Segmentations: the shapes of objects at one time point and focal plane of a site, as label images up and down.
//!
//! What is kept are the exact outlines of the objects in pixels of their site, as unaligned images show it; a
//! label image that comes down has the labels that went up, pixel by pixel. An aligned label image shows the part
//! of the site that all cycles have, and is moved to its place in the site.

pub mod found;
pub mod handlers;
pub mod labels;
pub mod npz;
pub mod outline;
pub mod queries;

use std::collections::HashMap;
use std::num::TryFromIntError;

use tm_engine::Engine;
use tm_engine::geometry::{FillRule, MapOffset, SiteFrame, rasterise};
use tm_engine::image::{Plane, Rect, Size};
use tm_engine::kernels::alignment::Residues;

pub use outline::Bounds;

use super::alignment::queries as alignments;
use super::mapobject::{self, Reference, queries as mapobjects};
use super::site::{Site, SiteFilter, queries as sites};
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::http::to_its_end;
use crate::store::{Page, StoreError, Tx};
use labels::{LabelError, check_size};
use queries::StoredOutline;

/// A plane of a site, by the names of what it lies in.
#[derive(Debug, Clone)]
pub struct PlaneOfSite {
    /// Name of the plate.
    pub plate: String,
    /// Name of the well.
    pub well: String,
    /// Row of the site in the well.
    pub y: i64,
    /// Column of the site in the well.
    pub x: i64,
    /// Time point.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
}

/// A label image as it was sent.
#[derive(Debug)]
pub enum SentLabels {
    /// As a nested list, in the field `image`.
    Rows(Plane<i32>),
    /// As a NumPy archive, in the field `npz_file`.
    Npz(Vec<u8>),
}

/// The outline of an object to store, in pixels of its site.
#[derive(Debug, Clone)]
pub struct NewOutline {
    /// Its number in the label image.
    pub label: i32,
    /// Where it lies.
    pub bounds: Bounds,
    /// Row of the centre of its area.
    pub centroid_y: f64,
    /// Column of the centre of its area.
    pub centroid_x: f64,
    /// Whether it touches the edge of the label image.
    pub is_border: bool,
    /// The rings, see [`outline`]; `None` where only the position is to be known.
    pub packed: Option<Vec<u8>>,
}

/// A site, and the part of it that a label image shows.
struct Frame {
    site: i64,
    shown: Rect,
}

impl SentLabels {
    /// The label image, which must have this size.
    fn read(self, wanted: Size) -> ApiResult<Plane<i32>> {
        let (field, read) = match self {
            Self::Rows(plane) => ("image", check_size(plane.size(), wanted).map(|()| plane)),
            Self::Npz(archive) => ("npz_file", npz::read(&archive, wanted)),
        };
        read.map_err(|error: LabelError| ApiError::malformed(format!("`{field}` {error}")))
    }
}

/// Store the label image of a plane in place of what was there, in one transaction. Objects whose label the site has
/// already, in this plane or another, keep their ids; objects that are in no plane any more are deleted.
///
/// # Errors
/// 404 for an unknown type or site, 400 for a label image that is none or of another size.
pub async fn upload(
    environment: &Environment,
    experiment: i64,
    objects: i64,
    plane: PlaneOfSite,
    sent: SentLabels,
    aligned: bool,
) -> ApiResult<()> {
    environment.space.check()?;
    let mut tx = environment.db.read().await?;
    let kind = mapobject::get(&mut tx, experiment, objects).await?;
    if kind.reference() != Reference::Site || kind.is_static() {
        return Err(ApiError::malformed(format!("\"{}\" are no objects that lie in images", kind.name)));
    }
    let frame = find_frame(&mut tx, experiment, &plane, aligned).await?;
    drop(tx);
    let shown = frame.shown;
    let traced = environment.compute.interactive(move |engine| trace(engine, &sent.read(shown.size)?, shown));
    let outlines = traced.await.map_err(ApiError::internal)??;
    let environment = environment.clone();
    to_its_end(async move {
        let mut tx = environment.db.write().await?;
        store(&mut tx, objects, frame.site, &plane, &outlines).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Replace the segmentations of a site in one layer.
async fn store(
    tx: &mut Tx,
    objects: i64,
    site: i64,
    plane: &PlaneOfSite,
    outlines: &[NewOutline],
) -> ApiResult<()> {
    if !queries::take_turn(tx, site).await? {
        return Err(unknown_site(plane));
    }
    let layer = mapobjects::get_or_insert_layer(tx, objects, Some(plane.tpoint), Some(plane.zplane)).await?;
    queries::delete_of_site(tx, layer, site).await?;
    let known: HashMap<i64, i64> = queries::labels_of_site(tx, objects, site).await?.into_iter().collect();
    for outline in outlines {
        let label = i64::from(outline.label);
        let object = match known.get(&label) {
            Some(object) => *object,
            None => queries::insert_object(tx, objects, site, label).await?,
        };
        queries::insert(tx, layer, site, object, outline).await?;
    }
    queries::delete_unshown(tx, objects, site).await?;
    Ok(mapobjects::bump_layer(tx, layer).await?)
}

/// The label image of a plane.
///
/// # Errors
/// 404 for an unknown type or site, a plane without layer, and a plane without objects at the site.
pub async fn download(
    environment: &Environment,
    experiment: i64,
    objects: i64,
    plane: &PlaneOfSite,
    aligned: bool,
) -> ApiResult<Plane<i32>> {
    let mut tx = environment.db.read().await?;
    mapobject::get(&mut tx, experiment, objects).await?;
    let frame = find_frame(&mut tx, experiment, plane, aligned).await?;
    let layer = mapobjects::find_layer(&mut tx, objects, plane.tpoint, plane.zplane).await?;
    let stored = match layer {
        Some(layer) => queries::outlines_of_site(&mut tx, layer, frame.site).await?,
        None => Vec::new(),
    };
    drop(tx);
    if stored.is_empty() {
        let PlaneOfSite { tpoint, zplane, .. } = plane;
        return Err(ApiError::not_found(format!(
            "segmentation of object type {objects} at time point {tpoint}, focal plane {zplane} of this site"
        )));
    }
    let filled = environment.compute.interactive(move |_| fill(&stored, frame.shown));
    Ok(filled.await.map_err(ApiError::internal)??)
}

/// The label image of a part of a site that has these outlines. Blocks.
///
/// # Errors
/// [`StoreError::Corrupt`] for outlines that are none.
pub fn fill(stored: &[StoredOutline], shown: Rect) -> Result<Plane<i32>, StoreError> {
    let mut outlines = Vec::with_capacity(stored.len());
    for stored in stored {
        let corrupt = |error| StoreError::Corrupt(format!("outline of object {}: {error}", stored.object));
        outlines.push(stored.unpack(MapOffset::default()).map_err(corrupt)?);
    }
    let corrupt = |error: &dyn std::fmt::Display| StoreError::Corrupt(format!("outlines of a site: {error}"));
    let offset = offset(shown.y, shown.x).map_err(|error| corrupt(&error))?;
    let frame = SiteFrame::new(offset, shown.size).map_err(|error| corrupt(&error))?;
    rasterise(&outlines, frame, FillRule::PixelCentres).map_err(|error| corrupt(&error))
}

/// Trace the objects of a label image that shows this part of its site.
///
/// # Errors
/// 500 when the engine fails.
pub fn trace(engine: &Engine, labels: &Plane<i32>, shown: Rect) -> ApiResult<Vec<NewOutline>> {
    let place = offset(shown.y, shown.x).map_err(ApiError::internal)?;
    let outlines = engine.trace_outlines(labels, place).map_err(ApiError::internal)?;
    let edge = |value: usize| i32::try_from(value).map_err(ApiError::internal);
    let (bottom, right) = (edge(shown.y + shown.size.height)?, edge(shown.x + shown.size.width)?);
    let (top, left) = (edge(shown.y)?, edge(shown.x)?);
    let mut traced = Vec::with_capacity(outlines.len());
    for outline in outlines {
        let Some((bounds, centroid)) = Bounds::of(&outline).zip(outline.centroid()) else { continue };
        traced.push(NewOutline {
            label: outline.label,
            centroid_y: -centroid.y,
            centroid_x: centroid.x,
            is_border: bounds.min_y <= top
                || bounds.min_x <= left
                || bounds.max_y >= bottom
                || bounds.max_x >= right,
            packed: Some(outline::pack(&outline, bounds).map_err(ApiError::internal)?),
            bounds,
        });
    }
    Ok(traced)
}

fn offset(y: usize, x: usize) -> Result<MapOffset, TryFromIntError> {
    Ok(MapOffset { y: y.try_into()?, x: x.try_into()? })
}

async fn find_frame(tx: &mut Tx, experiment: i64, plane: &PlaneOfSite, aligned: bool) -> ApiResult<Frame> {
    let filter = SiteFilter {
        plate_name: Some(&plane.plate),
        well_name: Some(&plane.well),
        y: Some(plane.y),
        x: Some(plane.x),
    };
    let found = sites::list(tx, experiment, filter, Page::ALL).await?.into_iter().next();
    let Site { id, height, width, .. } = found.ok_or_else(|| unknown_site(plane))?;
    let pixels = |value: i64| usize::try_from(value).map_err(ApiError::internal);
    let size = Size::new(pixels(height)?, pixels(width)?);
    let shifts = match aligned {
        true => alignments::shifts_of_site(tx, experiment, id).await?,
        false => Vec::new(),
    };
    let residues = Residues::of(&shifts.into_iter().map(|(_, shift)| shift).collect::<Vec<_>>());
    Ok(Frame { site: id, shown: residues.intersection(size) })
}

fn unknown_site(plane: &PlaneOfSite) -> ApiError {
    let PlaneOfSite { plate, well, y, x, .. } = plane;
    ApiError::not_found(format!("site y {y} x {x} of well \"{well}\" of plate \"{plate}\""))
}
