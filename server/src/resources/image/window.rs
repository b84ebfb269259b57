//! A window of a layer: which images it is made of, their pixels, and what is made of them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tm_engine::image::{BitDepth, GreyPlane, Plane, Rect, Size};
use tm_engine::kernels::alignment::Shift;
use tm_engine::kernels::downsample::Filter;
use tm_engine::kernels::illumination::Correction;
use tm_engine::kernels::rescale::Limits;
use tm_engine::kernels::tile::Placement;
use tm_engine::{Engine, EngineError};

use super::{StoredPlane, or_absent};
use crate::environment::Environment;
use crate::resources::alignment::Shifts;
use crate::resources::layer::MapError;
use crate::resources::layer::layout::PlacedSite;
use crate::resources::layer::maps::LayerView;
use crate::storage::images::{OpenImages, PlaneIndex};

/// The planes that a window of a layer is made of, in painting order.
#[derive(Debug)]
pub struct WindowPlan {
    depth: BitDepth,
    parts: Vec<PlannedPart>,
    missing: BTreeSet<MissingImage>,
}

/// A site that stays black.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingImage {
    /// Row id of the site.
    pub site: i64,
    /// Why there is no image of it.
    pub why: Absence,
}

/// Why there is no image of a site in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Absence {
    /// No file shows it.
    #[error("no image file shows it")]
    Unplanned,
    /// It was planned, and is not stored.
    #[error("its pixels are not stored; the log of imextract says why")]
    NotStored,
    /// It was stored.
    #[error("its pixels are gone from the disk; run imextract again")]
    Gone,
}

#[derive(Debug)]
struct PlannedPart {
    /// Row id of the site that it shows.
    site: i64,
    plate: PathBuf,
    field: String,
    index: PlaneIndex,
    /// The part of the site to read.
    within: Rect,
    /// Where it goes, relative to the window.
    place: (usize, usize),
}

/// A rectangle of the map that may leave it; empty unless `top < bottom` and `left < right`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    top: i64,
    bottom: i64,
    left: i64,
    right: i64,
}

impl From<Rect> for Area {
    fn from(rect: Rect) -> Self {
        // Maps have fewer than 2³² pixels along a side.
        let edge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        Self {
            top: edge(rect.y),
            bottom: edge(rect.y.saturating_add(rect.size.height)),
            left: edge(rect.x),
            right: edge(rect.x.saturating_add(rect.size.width)),
        }
    }
}

impl From<Area> for Rect {
    fn from(area: Area) -> Self {
        let edge = |value: i64| usize::try_from(value).unwrap_or_default();
        Self::new(edge(area.top), edge(area.left), area.size().unwrap_or_default())
    }
}

impl Area {
    fn size(self) -> Option<Size> {
        let length = |from: i64, to: i64| usize::try_from(to - from).ok().filter(|length| *length > 0);
        Some(Size::new(length(self.top, self.bottom)?, length(self.left, self.right)?))
    }

    fn moved(self, shift: Shift) -> Self {
        let (y, x) = (i64::from(shift.y), i64::from(shift.x));
        Self { top: self.top + y, bottom: self.bottom + y, left: self.left + x, right: self.right + x }
    }

    /// With a margin on all sides, within the map at the top and left.
    fn grown(self, margin: usize) -> Self {
        let margin = i64::try_from(margin).unwrap_or(i64::MAX);
        Self {
            top: self.top.saturating_sub(margin).max(0),
            bottom: self.bottom.saturating_add(margin),
            left: self.left.saturating_sub(margin).max(0),
            right: self.right.saturating_add(margin),
        }
    }
}

/// What two areas share; empty if nothing.
fn overlap(a: Area, b: Area) -> Area {
    Area {
        top: a.top.max(b.top),
        bottom: a.bottom.min(b.bottom),
        left: a.left.max(b.left),
        right: a.right.min(b.right),
    }
}

/// What of an area another one leaves free: up to four strips that do not overlap.
fn rest(area: Area, covered: Area) -> Vec<Area> {
    let covered = overlap(area, covered);
    if covered.size().is_none() {
        return vec![area];
    }
    let strips = [
        Area { bottom: covered.top, ..area },
        Area { top: covered.bottom, ..area },
        Area { top: covered.top, bottom: covered.bottom, right: covered.left, ..area },
        Area { top: covered.top, bottom: covered.bottom, left: covered.right, ..area },
    ];
    strips.into_iter().filter(|strip| strip.size().is_some()).collect()
}

/// The stored image of a site, and the area of the map that it covers after its shift.
struct PlacedImage {
    plate: PathBuf,
    plane: StoredPlane,
    area: Area,
}

/// Finds the images of a layer's sites; the planes of the last well are kept.
struct Images<'a> {
    environment: &'a Environment,
    view: &'a LayerView,
    shifts: &'a Shifts,
    well: Option<(i64, Arc<[StoredPlane]>)>,
}

impl Images<'_> {
    /// The image of a site, or why there is none.
    async fn find(&mut self, site: PlacedSite) -> Result<Result<PlacedImage, Absence>, MapError> {
        let source = &self.view.source;
        let planes = match self.well.take() {
            Some((id, planes)) if id == site.well_id => planes,
            _ => self.environment.maps.planes(self.environment, source, site.well_id).await?,
        };
        let found = planes.binary_search_by_key(&site.id, |plane| plane.site_id).ok();
        let plane = match found.map(|found| planes[found].clone()) {
            Some(plane) if plane.stored => Ok(plane),
            Some(_) => Err(Absence::NotStored),
            None => Err(Absence::Unplanned),
        };
        self.well = Some((site.well_id, planes));
        Ok(plane.map(|plane| PlacedImage {
            plate: plane.plate_images(self.environment, source.experiment_id),
            area: Area::from(site.rect).moved(self.shifts.of(site.id, plane.cycle_id)),
            plane,
        }))
    }
}

/// The pixels of a window of a layer, not put together yet.
#[derive(Debug)]
pub struct WindowParts {
    depth: BitDepth,
    parts: Vec<WindowPart>,
    /// Sites of the window whose pixels are not there.
    pub missing: BTreeSet<MissingImage>,
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
    /// Where images are moved, each site's area shows its own image as far as that reaches, and what its
    /// neighbours of the same well show of it elsewhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn new(environment: &Environment, view: &LayerView, window: Rect) -> Result<Self, MapError> {
        let mut plan = Self { depth: view.source.depth, parts: Vec::new(), missing: BTreeSet::new() };
        let Some(layout) = &view.layout else { return Ok(plan) };
        let shifts = environment.maps.shifts(environment, &view.source).await?;
        let mut images = Images { environment, view, shifts: &shifts, well: None };
        for site in layout.sites_in(window) {
            let area = overlap(site.rect.into(), window.into());
            let own = images.find(site).await?;
            let bare = match &own {
                Ok(own) => rest(area, own.area),
                Err(why) => {
                    plan.missing.insert(MissingImage { site: site.id, why: *why });
                    Vec::new()
                }
            };
            for strip in bare {
                for other in layout.sites_in(strip.grown(shifts.largest).into()) {
                    if other.well_id != site.well_id || other.id == site.id {
                        continue;
                    }
                    if let Ok(other) = images.find(other).await? {
                        plan.add(&other, overlap(other.area, strip), window);
                    }
                }
            }
            if let Ok(own) = own {
                plan.add(&own, overlap(own.area, area), window);
            }
        }
        Ok(plan)
    }

    /// Show a part of an image, which is inside the window.
    fn add(&mut self, image: &PlacedImage, part: Area, window: Rect) {
        let Some(size) = part.size() else { return };
        let inside = |from: i64, to: i64| usize::try_from(from - to).unwrap_or_default();
        let [window_y, window_x] = [window.y, window.x].map(|edge| i64::try_from(edge).unwrap_or(i64::MAX));
        self.parts.push(PlannedPart {
            site: image.plane.site_id,
            plate: image.plate.clone(),
            field: image.plane.field.clone(),
            index: image.plane.index,
            within: Rect::new(inside(part.top, image.area.top), inside(part.left, image.area.left), size),
            place: (inside(part.top, window_y), inside(part.left, window_x)),
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
        for PlannedPart { site, plate, field, index, within, place } in self.parts {
            let opened = images.get_field(&plate, &field);
            match or_absent(opened.and_then(|field| field.read_window(index, within)))? {
                Some(pixels) => read.parts.push(WindowPart { pixels, within, place }),
                None => {
                    read.missing.insert(MissingImage { site, why: Absence::Gone });
                }
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

    /// Correct and place: full resolution at the stored depth.
    ///
    /// # Errors
    /// When the correction is of another size than the sites.
    pub fn compose(
        &self,
        engine: &Engine,
        size: Size,
        correction: Option<&Correction>,
    ) -> Result<GreyPlane, EngineError> {
        Ok(match self.depth {
            BitDepth::Eight => engine.compose(size, &self.placements(as_u8, correction)?)?.into(),
            BitDepth::Sixteen => engine.compose(size, &self.placements(as_u16, correction)?)?.into(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn area(top: i64, bottom: i64, left: i64, right: i64) -> Area {
        Area { top, bottom, left, right }
    }

    #[test]
    fn strips_and_what_covers_an_area_fill_it_once() {
        let whole = area(10, 20, 30, 45);
        let coverings = [
            (12, 18, 33, 40),
            (0, 15, 0, 60),
            (10, 20, 30, 45),
            (10, 20, 44, 60),
            (50, 60, 0, 9),
            (5, 50, 20, 31),
        ];
        for (top, bottom, left, right) in coverings {
            let covered = area(top, bottom, left, right);
            let strips = rest(whole, covered);
            for (y, x) in (5..25).flat_map(|y| (25..50).map(move |x| (y, x))) {
                let inside = |area: &Area| {
                    (area.top..area.bottom).contains(&y) && (area.left..area.right).contains(&x)
                };
                let times = strips.iter().filter(|strip| inside(strip)).count();
                assert_eq!(
                    times,
                    usize::from(inside(&whole) && !inside(&covered)),
                    "{covered:?} at {y}, {x}"
                );
            }
        }
    }
}
