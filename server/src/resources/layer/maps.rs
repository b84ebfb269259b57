//! What maps are made of, kept for the next tile: layouts, planes of wells, corrections.
//!
//! Everything here is bounded, and either immutable, checked against the database whenever it is
//! used, or at most [`FRESH_FOR`] old. Other processes may change the database at any time.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tm_engine::image::Size;
use tm_engine::kernels::illumination::Correction;

use super::layout::{LayoutError, MapLayout, Spacing};
use super::{LayerSource, MapError, StatisticsFile, queries};
use crate::environment::Environment;
use crate::resources::alignment::{Shifts, queries as alignments};
use crate::resources::image::{StoredPlane, queries as images};
use crate::resources::plate::Plate;
use crate::storage::images::PlaneIndex;
use crate::storage::statistics;

/// How old what is known about a layer and its planes may be.
pub const FRESH_FOR: Duration = Duration::from_secs(5);

const LAYOUTS: u64 = 64;
const LAYERS: u64 = 10_000;
/// Planes, not wells.
const PLANES: u64 = 200_000;
/// Shifts, not alignments.
const SHIFTS: u64 = 4_000_000;
/// A correction of a camera image of 2160×2560 pixels takes 44 MB.
const CORRECTION_BYTES: u64 = 1 << 29;

/// What a layout was made from: when none of this changed, neither did the layout.
///
/// Sites come and change only together with the images of their plate, whose generation then changes; sites that
/// are deleted take all layers with them, and [`Maps::forget`] follows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LayoutKey {
    /// See [`Spacing`].
    pub vertical_displacement: i64,
    /// See [`Spacing`].
    pub horizontal_displacement: i64,
    /// See [`Spacing`].
    pub well_spacer: i64,
    /// Id and image generation of every plate.
    pub plates: Vec<(i64, i64)>,
}

impl LayoutKey {
    fn spacing(&self, site: Size) -> Spacing {
        Spacing {
            site,
            vertical_displacement: self.vertical_displacement,
            horizontal_displacement: self.horizontal_displacement,
            well_spacer: self.well_spacer,
        }
    }
}

/// A layer with all that is needed to render it.
#[derive(Debug, Clone)]
pub struct LayerView {
    /// What it is made of.
    pub source: LayerSource,
    /// Where its sites are; `None` if the experiment has none.
    pub layout: Option<Arc<MapLayout>>,
    /// Differs from that of an earlier view whenever a tile might: changes of limits, correction, layout
    /// or images.
    pub version: u64,
}

/// Which planes: those of one layer in one well. Wells and channels outlive their planes; layers do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct WellKey {
    layer: i64,
    well: i64,
}

/// The planes of a field image, each with whether its pixels are stored.
pub type FieldPlanes = BTreeMap<PlaneIndex, bool>;

/// The caches; cheap to clone.
#[derive(Debug, Clone)]
pub struct Maps {
    layouts: Cache<i64, (Arc<LayoutKey>, Arc<MapLayout>)>,
    layers: Cache<i64, Arc<LayerView>>,
    wells: Cache<WellKey, Arc<[StoredPlane]>>,
    fields: Cache<(i64, i64, String), Arc<FieldPlanes>>,
    corrections: Cache<i64, Arc<Correction>>,
    alignments: Cache<i64, Arc<Shifts>>,
}

impl Default for Maps {
    fn default() -> Self {
        let planes = |_: &WellKey, planes: &Arc<[StoredPlane]>| 1 + planes.len() as u32;
        let of_field = |_: &(i64, i64, String), planes: &Arc<FieldPlanes>| 1 + planes.len() as u32;
        let bytes = |_: &i64, correction: &Arc<Correction>| {
            u32::try_from(correction.size().area() * 2 * size_of::<f32>()).unwrap_or(u32::MAX)
        };
        let shifts = |_: &i64, shifts: &Arc<Shifts>| u32::try_from(1 + shifts.len()).unwrap_or(u32::MAX);
        Self {
            layouts: Cache::new(LAYOUTS),
            layers: Cache::builder().max_capacity(LAYERS).time_to_live(FRESH_FOR).build(),
            wells: Cache::builder().max_capacity(PLANES).weigher(planes).time_to_live(FRESH_FOR).build(),
            fields: Cache::builder().max_capacity(PLANES).weigher(of_field).time_to_live(FRESH_FOR).build(),
            corrections: Cache::builder().max_capacity(CORRECTION_BYTES).weigher(bytes).build(),
            alignments: Cache::builder().max_capacity(SHIFTS).weigher(shifts).build(),
        }
    }
}

impl Maps {
    /// Forget what is known of an experiment: its sites or layers changed.
    pub async fn forget(&self, experiment: i64) {
        self.layouts.invalidate(&experiment).await;
        self.layers.invalidate_all();
        self.wells.invalidate_all();
        self.fields.invalidate_all();
    }

    /// The map of an experiment as it is now.
    ///
    /// # Errors
    /// [`MapError::Layout`] when there are no sites or they cannot be laid out.
    pub async fn layout(
        &self,
        environment: &Environment,
        experiment: i64,
    ) -> Result<Arc<MapLayout>, MapError> {
        self.keyed_layout(environment, experiment).await.map(|(_, layout)| layout)
    }

    /// The map of an experiment as it is now, with what tells it from earlier ones.
    ///
    /// # Errors
    /// [`MapError::Layout`] when there are no sites or they cannot be laid out.
    pub async fn keyed_layout(
        &self,
        environment: &Environment,
        experiment: i64,
    ) -> Result<(Arc<LayoutKey>, Arc<MapLayout>), MapError> {
        let mut tx = environment.db.read().await?;
        let key = queries::layout_key(&mut tx, experiment)
            .await?
            .ok_or_else(|| MapError::NotFound(format!("experiment {experiment}")))?;
        if let Some(known) = self.layouts.get(&experiment).await
            && *known.0 == key
        {
            return Ok(known);
        }
        let (plates, sizes) = queries::sites(&mut tx, experiment).await?;
        drop(tx);
        let spacing = match sizes[..] {
            [] => return Err(LayoutError::NoSites.into()),
            [size] => key.spacing(size),
            [one, other, ..] => return Err(LayoutError::SiteSizes(one, other).into()),
        };
        let layout = (Arc::new(key), Arc::new(MapLayout::new(spacing, plates)?));
        self.layouts.insert(experiment, layout.clone()).await;
        Ok(layout)
    }

    /// A layer with its layout, at most [`FRESH_FOR`] old.
    ///
    /// # Errors
    /// [`MapError::NotFound`] when there is no such layer.
    pub async fn layer(&self, environment: &Environment, layer: i64) -> Result<Arc<LayerView>, MapError> {
        if let Some(view) = self.layers.get(&layer).await {
            return Ok(view);
        }
        let view = Arc::new(self.read_layer(environment, layer).await?);
        self.layers.insert(layer, view.clone()).await;
        Ok(view)
    }

    /// A layer with its layout as they are now: what jobs use.
    ///
    /// # Errors
    /// [`MapError::NotFound`] when there is no such layer.
    pub async fn read_layer(&self, environment: &Environment, layer: i64) -> Result<LayerView, MapError> {
        let source = queries::find_source(&mut environment.db.read().await?, layer)
            .await?
            .ok_or_else(|| MapError::NotFound(format!("channel layer {layer}")))?;
        let keyed = match self.keyed_layout(environment, source.experiment_id).await {
            Ok(keyed) => Some(keyed),
            Err(MapError::Layout(LayoutError::NoSites)) => None,
            Err(error) => return Err(error),
        };
        let (key, layout) = keyed.unzip();
        let mut hasher = DefaultHasher::new();
        (source.limits, &source.statistics, source.alignment, key).hash(&mut hasher);
        Ok(LayerView { source, layout, version: hasher.finish() })
    }

    /// The planes of a layer in a well, at most [`FRESH_FOR`] old. While some are not stored yet, they
    /// are asked for every time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn planes(
        &self,
        environment: &Environment,
        source: &LayerSource,
        well: i64,
    ) -> Result<Arc<[StoredPlane]>, MapError> {
        let LayerSource { id: layer, channel_id: channel, tpoint, zplane, .. } = *source;
        let key = WellKey { layer, well };
        if let Some(planes) = self.wells.get(&key).await {
            return Ok(planes);
        }
        let mut tx = environment.db.read().await?;
        let planes: Arc<[StoredPlane]> =
            images::planes_of_well(&mut tx, channel, tpoint, zplane, well).await?.into();
        if planes.iter().all(|plane| plane.stored) {
            self.wells.insert(key, planes.clone()).await;
        }
        Ok(planes)
    }

    /// The planes of a field image of a well (see [`crate::storage::images::field_path`]), at most [`FRESH_FOR`] old.
    /// While some are not stored yet, they are asked for every time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn planes_of_field(
        &self,
        environment: &Environment,
        plate: &Plate,
        well: &str,
        field: &str,
    ) -> Result<Arc<FieldPlanes>, MapError> {
        let key = (plate.id, plate.image_generation, field.to_owned());
        if let Some(planes) = self.fields.get(&key).await {
            return Ok(planes);
        }
        let mut tx = environment.db.read().await?;
        let planes = Arc::new(images::planes_of_field(&mut tx, plate.id, well, field).await?);
        if !planes.is_empty() && planes.values().all(|stored| *stored) {
            self.fields.insert(key, planes.clone()).await;
        }
        Ok(planes)
    }

    /// The shifts that a layer's images are moved by; none at all without an alignment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shifts(
        &self,
        environment: &Environment,
        source: &LayerSource,
    ) -> Result<Arc<Shifts>, MapError> {
        let Some(alignment) = source.alignment else { return Ok(Arc::default()) };
        if let Some(shifts) = self.alignments.get(&alignment).await {
            return Ok(shifts);
        }
        // What a layer refers to is complete and never changes.
        let mut tx = environment.db.read().await?;
        let shifts = Arc::new(alignments::lookup(&mut tx, alignment).await?);
        self.alignments.insert(alignment, shifts.clone()).await;
        Ok(shifts)
    }

    /// The correction that a set of statistics stands for.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub async fn correction(
        &self,
        environment: &Environment,
        experiment: i64,
        file: &StatisticsFile,
    ) -> Result<Arc<Correction>, MapError> {
        let path = environment.data.statistics(experiment, &file.file);
        let compute = environment.compute.clone();
        let read = async move {
            let correction = compute.interactive(move |_| statistics::read(&path).map(|s| s.correction()));
            Ok::<_, MapError>(Arc::new(correction.await??))
        };
        // Smoothing takes a second for a camera image: whoever comes meanwhile waits for the first.
        let correction = self.corrections.try_get_with(file.id, read).await;
        correction.map_err(|error: Arc<MapError>| MapError::clone(&error))
    }
}
