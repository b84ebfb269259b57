//! Channel images: the planes of sites, found by name or by place on the map, read and corrected.

pub mod handlers;
pub mod pruning;
pub mod queries;

use std::path::PathBuf;
use std::sync::Arc;

use tm_engine::image::{BitDepth, GreyPlane, Plane, Rect, Size};
use tm_engine::kernels::downsample::Filter;
use tm_engine::kernels::illumination::Correction;
use tm_engine::kernels::rescale::Limits;
use tm_engine::kernels::tile::Placement;
use tm_engine::{Engine, EngineError};

use super::layer::layout::PlacedSite;
use super::layer::maps::LayerView;
use super::layer::{MapError, StatisticsFile};
use crate::environment::Environment;
use crate::storage::StorageError;
use crate::storage::images::{OpenImages, PlaneIndex};

/// Where the pixels of a site in one channel, time point and focal plane are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPlane {
    /// The site.
    pub site_id: i64,
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

/// A whole plane of a channel, corrected with the channel's latest statistics if `corrected`.
///
/// # Errors
/// [`MapError::NotFound`] naming the image or the missing statistics.
pub async fn read(
    environment: &Environment,
    experiment: i64,
    channel: i64,
    names: &PlaneNames<'_>,
    corrected: bool,
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
    drop(tx);
    let plane = plane.filter(|plane| plane.stored).ok_or_else(missing)?;
    let correction = match (corrected, statistics) {
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
        match (pixels, correction) {
            (Some(pixels), Some(correction)) => Ok(Some(engine.correct_grey(&pixels, &correction)?)),
            (pixels, _) => Ok::<_, MapError>(pixels),
        }
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

/// The planes that a window of a layer is made of, in painting order.
#[derive(Debug)]
pub struct WindowPlan {
    depth: BitDepth,
    parts: Vec<PlannedPart>,
    missing: usize,
}

#[derive(Debug)]
struct PlannedPart {
    plate: PathBuf,
    field: String,
    index: PlaneIndex,
    /// The part of the site to read.
    within: Rect,
    /// Where it goes, relative to the window.
    place: (usize, usize),
}

/// The pixels of a window of a layer, not put together yet.
#[derive(Debug)]
pub struct WindowParts {
    depth: BitDepth,
    parts: Vec<WindowPart>,
    /// Sites of the window whose pixels are not stored.
    pub missing: usize,
}

#[derive(Debug)]
struct WindowPart {
    pixels: GreyPlane,
    within: Rect,
    place: (usize, usize),
}

impl WindowPlan {
    /// Find what a window of the map at full resolution is made of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn new(environment: &Environment, view: &LayerView, window: Rect) -> Result<Self, MapError> {
        let sites = view.layout.as_ref().map(|layout| layout.sites_in(window)).unwrap_or_default();
        let mut plan = Self { depth: view.source.depth, parts: Vec::with_capacity(sites.len()), missing: 0 };
        let mut well: Option<(i64, Arc<[StoredPlane]>)> = None;
        for site in sites {
            let planes = match well.take() {
                Some((id, planes)) if id == site.well_id => planes,
                _ => environment.maps.planes(environment, &view.source, site.well_id).await?,
            };
            match planes.binary_search_by_key(&site.id, |plane| plane.site_id) {
                Ok(found) if planes[found].stored => {
                    plan.add(environment, view.source.experiment_id, site, window, &planes[found]);
                }
                _ => plan.missing += 1,
            }
            well = Some((site.well_id, planes));
        }
        Ok(plan)
    }

    fn add(
        &mut self,
        environment: &Environment,
        experiment: i64,
        site: PlacedSite,
        window: Rect,
        plane: &StoredPlane,
    ) {
        let (top, left) = (site.rect.y.max(window.y), site.rect.x.max(window.x));
        let bottom = (site.rect.y + site.rect.size.height).min(window.y + window.size.height);
        let right = (site.rect.x + site.rect.size.width).min(window.x + window.size.width);
        let size = Size::new(bottom - top, right - left);
        self.parts.push(PlannedPart {
            plate: plane.plate_images(environment, experiment),
            field: plane.field.clone(),
            index: plane.index,
            within: Rect::new(top - site.rect.y, left - site.rect.x, size),
            place: (top - window.y, left - window.x),
        });
    }

    /// Read the pixels. Blocks.
    ///
    /// # Errors
    /// When stored pixels are damaged; planes that are gone count as missing.
    pub fn read(self, images: &OpenImages) -> Result<WindowParts, MapError> {
        let mut read = WindowParts {
            depth: self.depth,
            parts: Vec::with_capacity(self.parts.len()),
            missing: self.missing,
        };
        for PlannedPart { plate, field, index, within, place } in self.parts {
            let opened = images.get_field(&plate, &field);
            match or_absent(opened.and_then(|field| field.read_window(index, within)))? {
                Some(pixels) => read.parts.push(WindowPart { pixels, within, place }),
                None => read.missing += 1,
            }
        }
        Ok(read)
    }
}

impl WindowParts {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Correct, place and halve: the levels 1 to `levels` at the stored depth.
    ///
    /// # Errors
    /// When the correction is of another size than the sites.
    pub fn build_levels(
        &self,
        engine: &Engine,
        size: Size,
        correction: Option<&Correction>,
        levels: usize,
    ) -> Result<Vec<GreyPlane>, EngineError> {
        Ok(match self.depth {
            BitDepth::Eight => {
                let placements = self.placements(as_u8, correction)?;
                let levels = engine.build_levels(size, &placements, Filter::Mean, levels)?;
                levels.into_iter().map(GreyPlane::from).collect()
            }
            BitDepth::Sixteen => {
                let placements = self.placements(as_u16, correction)?;
                let levels = engine.build_levels(size, &placements, Filter::Mean, levels)?;
                levels.into_iter().map(GreyPlane::from).collect()
            }
        })
    }

    /// Correct, place and rescale to 8 bits.
    ///
    /// # Errors
    /// When the correction is of another size than the sites.
    pub fn render(
        &self,
        engine: &Engine,
        size: Size,
        correction: Option<&Correction>,
        limits: Option<Limits>,
    ) -> Result<Plane<u8>, EngineError> {
        match self.depth {
            BitDepth::Eight => engine.render_tile(size, &self.placements(as_u8, correction)?, limits),
            BitDepth::Sixteen => engine.render_tile(size, &self.placements(as_u16, correction)?, limits),
        }
    }

    fn placements<'a, T: tm_engine::image::Pixel>(
        &'a self,
        of_depth: fn(&'a GreyPlane) -> Option<&'a Plane<T>>,
        correction: Option<&'a Correction>,
    ) -> Result<Vec<Placement<'a, T>>, EngineError> {
        let place = |part: &'a WindowPart| {
            let pixels = of_depth(&part.pixels).ok_or_else(|| EngineError::Parameter {
                name: "depth",
                problem: format!(
                    "of a stored plane is {} bits, not the channel's",
                    part.pixels.depth().bits()
                ),
            })?;
            Ok(Placement {
                pixels: pixels.view(),
                y: part.place.0 as i64,
                x: part.place.1 as i64,
                correction: correction.map(|correction| correction.window(part.within)).transpose()?,
            })
        };
        self.parts.iter().map(place).collect()
    }
}

fn as_u8(plane: &GreyPlane) -> Option<&Plane<u8>> {
    match plane {
        GreyPlane::U8(plane) => Some(plane),
        GreyPlane::U16(_) => None,
    }
}

fn as_u16(plane: &GreyPlane) -> Option<&Plane<u16>> {
    match plane {
        GreyPlane::U16(plane) => Some(plane),
        GreyPlane::U8(_) => None,
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
