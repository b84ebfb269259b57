//! Channel images: the planes of sites, found by name or by place on the map, read and corrected.

pub mod handlers;
pub mod pruning;
pub mod queries;
mod window;

use std::path::PathBuf;
use std::sync::Arc;

pub use window::{Absence, MissingImage, WindowParts, WindowPlan};

use tm_engine::image::GreyPlane;
use tm_engine::kernels::alignment::Residues;
use tm_engine::kernels::illumination::Correction;

use super::alignment::queries as alignments;
use super::layer::{MapError, StatisticsFile};
use crate::environment::Environment;
use crate::storage::StorageError;
use crate::storage::images::PlaneIndex;

/// Where the pixels of a site in one channel, time point and focal plane are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPlane {
    /// The site.
    pub site_id: i64,
    /// The cycle.
    pub cycle_id: i64,
    /// Its plate.
    pub plate_id: i64,
    /// Generation of the plate's images.
    pub image_generation: i64,
    /// Field image within the plate's images.
    pub field: String,
    /// Plane within the field image.
    pub index: PlaneIndex,
    /// Whether the pixels are there yet.
    pub stored: bool,
}

impl StoredPlane {
    /// The images of its plate.
    pub fn plate_images(&self, environment: &Environment, experiment: i64) -> PathBuf {
        environment.data.plate_images(experiment, self.plate_id, self.image_generation)
    }
}

/// A plane of a channel, asked for by the names of everything else it belongs to.
#[derive(Debug, Clone)]
pub struct PlaneNames<'a> {
    /// Name of the plate.
    pub plate: &'a str,
    /// Index of the cycle.
    pub cycle: i64,
    /// Name of the well.
    pub well: &'a str,
    /// Row of the site in the well.
    pub y: i64,
    /// Column of the site in the well.
    pub x: i64,
    /// Time point.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
}

/// What is done to a plane before it is given out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Treatment {
    /// Correct it with the channel's latest statistics.
    pub corrected: bool,
    /// Move it by its shift in the latest alignment, and cut what not all cycles of its site have; nothing is
    /// done where there is no alignment.
    pub aligned: bool,
}

/// A plane of a channel.
///
/// # Errors
/// [`MapError::NotFound`] naming the image or the missing statistics.
pub async fn read(
    environment: &Environment,
    experiment: i64,
    channel: i64,
    names: &PlaneNames<'_>,
    treatment: Treatment,
) -> Result<GreyPlane, MapError> {
    let missing = || {
        let PlaneNames { plate, cycle, well, y, x, tpoint, zplane } = names;
        MapError::NotFound(format!(
            "image of channel {channel} at plate \"{plate}\", cycle {cycle}, well \"{well}\", \
             site y {y} x {x}, time point {tpoint}, focal plane {zplane}"
        ))
    };
    let mut tx = environment.db.read().await?;
    let plane = queries::find_plane(&mut tx, experiment, channel, names).await?;
    let statistics = queries::current_statistics(&mut tx, channel).await?;
    let plane = plane.filter(|plane| plane.stored).ok_or_else(missing)?;
    let shifts = match treatment.aligned {
        true => alignments::shifts_of_site(&mut tx, experiment, plane.site_id).await?,
        false => Vec::new(),
    };
    drop(tx);
    let shift = shifts.iter().find(|(cycle, _)| *cycle == plane.cycle_id).map(|(_, shift)| *shift);
    let residues = Residues::of(&shifts.iter().map(|(_, shift)| *shift).collect::<Vec<_>>());
    let correction = match (treatment.corrected, statistics) {
        (false, _) => None,
        (true, Some(file)) => Some(environment.maps.correction(environment, experiment, &file).await?),
        (true, None) => {
            return Err(MapError::NotFound(format!("illumination statistics of channel {channel}")));
        }
    };
    let (path, images) = (plane.plate_images(environment, experiment), environment.images.clone());
    let pixels = environment.compute.interactive(move |engine| {
        let pixels =
            or_absent(images.get_field(&path, &plane.field).and_then(|field| field.read_plane(plane.index)))?;
        let corrected = match (pixels, correction) {
            (Some(pixels), Some(correction)) => Some(engine.correct_grey(&pixels, &correction)?),
            (pixels, _) => pixels,
        };
        let Some((shift, pixels)) = shift.zip(corrected.as_ref()) else { return Ok(corrected) };
        Ok::<_, MapError>(Some(engine.align_crop_grey(pixels, shift, residues)?))
    });
    pixels.await??.ok_or_else(missing)
}

/// What the rows promised may be gone from the disk: a plate was deleted or made anew since.
fn or_absent<T>(read: Result<Option<T>, StorageError>) -> Result<Option<T>, StorageError> {
    match read {
        Err(StorageError::NotFound { .. }) => Ok(None),
        read => read,
    }
}

/// The correction of a layer's pixels, if they are corrected.
///
/// # Errors
/// When its files cannot be read.
pub async fn correction_of(
    environment: &Environment,
    experiment: i64,
    statistics: Option<&StatisticsFile>,
) -> Result<Option<Arc<Correction>>, MapError> {
    match statistics {
        Some(file) => environment.maps.correction(environment, experiment, file).await.map(Some),
        None => Ok(None),
    }
}
