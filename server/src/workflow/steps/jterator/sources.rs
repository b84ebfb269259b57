//! What a pipeline works on at a site: its channel images, corrected and aligned, and objects found before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tm_engine::Engine;
use tm_engine::image::{Rect, Size};
use tm_engine::kernels::alignment::{Residues, Shift};
use tm_engine::kernels::illumination::Correction;

use crate::environment::Environment;
use crate::jterator::Value;
use crate::jterator::project::ObjectInput;
use crate::jterator::run::{PlaneAt, Stack};
use crate::resources::alignment::queries as alignments;
use crate::resources::image::{StoredPlane, queries as images};
use crate::resources::mapobject::{SegmentationLayerFilter, queries as mapobjects};
use crate::resources::segmentation::fill;
use crate::resources::segmentation::queries::{self as segmentations, StoredOutline};
use crate::resources::site::queries as sites;
use crate::workflow::steps::{StepError, StepResult};

/// A channel that a pipeline starts from.
#[derive(Debug, Clone)]
pub struct ChannelInput {
    /// Its name, under which modules find its images.
    pub name: String,
    /// Row id.
    pub id: i64,
    /// How its images are corrected, if they are.
    pub correction: Option<Arc<Correction>>,
}

/// Where everything is that a pipeline needs of a site.
#[derive(Debug)]
pub struct SiteSources {
    experiment: i64,
    /// The part of the site that all cycles have: what the pipeline sees.
    pub shown: Rect,
    shifts: Vec<(i64, Shift)>,
    channels: Vec<(ChannelInput, Vec<(PlaneAt, StoredPlane)>)>,
    objects: Vec<(String, BTreeMap<PlaneAt, Vec<StoredOutline>>)>,
}

impl SiteSources {
    /// Find them.
    ///
    /// # Errors
    /// [`StepError::Input`] when a channel has no image there, or the site is gone.
    pub async fn find(
        environment: &Environment,
        experiment: i64,
        site: i64,
        channels: &[ChannelInput],
        objects: &[ObjectInput],
    ) -> StepResult<Self> {
        let mut tx = environment.db.read().await?;
        let found = sites::find(&mut tx, experiment, site).await?;
        let found = found.ok_or_else(|| StepError::Input("the site is gone".to_owned()))?;
        let side = |value: i64| {
            usize::try_from(value).map_err(|_| StepError::Internal(format!("size of site {site}")))
        };
        let size = Size::new(side(found.height)?, side(found.width)?);
        let shifts = alignments::shifts_of_site(&mut tx, experiment, site).await?;
        let shown = residues(&shifts).intersection(size);
        if shown.size.area() == 0 {
            return Err(StepError::Input("its cycles have no pixel in common".to_owned()));
        }
        let mut planes_of_channels = Vec::with_capacity(channels.len());
        for channel in channels {
            let planes = images::planes_of_site(&mut tx, channel.id, site).await?;
            if planes.is_empty() {
                return Err(StepError::Input(format!("channel \"{}\" has no image there", channel.name)));
            }
            let at = |((tpoint, zplane), plane)| (PlaneAt { tpoint, zplane }, plane);
            planes_of_channels.push((channel.clone(), planes.into_iter().map(at).collect()));
        }
        let mut outlines_of_objects = Vec::with_capacity(objects.len());
        for input in objects {
            let filter =
                SegmentationLayerFilter { mapobject_type_name: Some(&input.name), ..Default::default() };
            let mut planes = BTreeMap::new();
            for layer in mapobjects::list_layers(&mut tx, experiment, filter).await? {
                let Some((tpoint, zplane)) = layer.tpoint.zip(layer.zplane) else { continue };
                let outlines = segmentations::outlines_of_site(&mut tx, layer.id, site).await?;
                planes.insert(PlaneAt { tpoint, zplane }, outlines);
            }
            outlines_of_objects.push((input.name.clone(), planes));
        }
        Ok(Self { experiment, shown, shifts, channels: planes_of_channels, objects: outlines_of_objects })
    }

    /// The time points of any of them.
    pub fn tpoints(&self) -> BTreeSet<i64> {
        let channels = self.channels.iter().flat_map(|(_, planes)| planes.iter().map(|(at, _)| at.tpoint));
        let objects = self.objects.iter().flat_map(|(_, planes)| planes.keys().map(|at| at.tpoint));
        channels.chain(objects).collect()
    }

    /// Read and prepare those of a time point; the values are by the names of channels and objects. Blocks.
    ///
    /// # Errors
    /// When files are missing or damaged.
    pub fn read(
        &self,
        environment: &Environment,
        engine: &Engine,
        tpoint: i64,
    ) -> StepResult<BTreeMap<String, Stack>> {
        let mut stacks = BTreeMap::new();
        for (channel, planes) in &self.channels {
            let mut stack = Stack::new();
            for (at, plane) in planes.iter().filter(|(at, _)| at.tpoint == tpoint) {
                stack.insert(*at, Arc::new(self.read_plane(environment, engine, channel, plane)?));
            }
            stacks.insert(channel.name.clone(), stack);
        }
        for (name, planes) in &self.objects {
            let mut stack = Stack::new();
            for (at, outlines) in planes.iter().filter(|(at, _)| at.tpoint == tpoint) {
                stack.insert(*at, Arc::new(Value::Labels(fill(outlines, self.shown)?)));
            }
            stacks.insert(name.clone(), stack);
        }
        Ok(stacks)
    }

    fn read_plane(
        &self,
        environment: &Environment,
        engine: &Engine,
        channel: &ChannelInput,
        plane: &StoredPlane,
    ) -> StepResult<Value> {
        let path = plane.plate_images(environment, self.experiment);
        let pixels = environment.images.get_field(&path, &plane.field)?.read_plane(plane.index)?;
        let mut pixels = pixels.ok_or_else(|| {
            StepError::Input(format!(
                "pixels of channel \"{}\" are missing, run imextract again",
                channel.name
            ))
        })?;
        if let Some(correction) = &channel.correction {
            pixels = engine.correct_grey(&pixels, correction)?;
        }
        if let Some((_, shift)) = self.shifts.iter().find(|(cycle, _)| *cycle == plane.cycle_id) {
            pixels = engine.align_crop_grey(&pixels, *shift, residues(&self.shifts))?;
        }
        Ok(Value::Grey(pixels))
    }
}

fn residues(shifts: &[(i64, Shift)]) -> Residues {
    Residues::of(&shifts.iter().map(|(_, shift)| *shift).collect::<Vec<_>>())
}
