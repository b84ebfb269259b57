//! Layers of an export: stored levels copied as they are, full resolution made block by block.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{ExportError, Stored, Work, blocking, each};
use crate::environment::Environment;
use crate::resources::image::{WindowPlan, correction_of};
use crate::resources::layer::MapError;
use crate::resources::layer::layout::LayoutError;
use crate::resources::layer::maps::LayerView;
use crate::resources::layer::pyramid::{self, Block};
use crate::resources::zarr::key::layer_name;
use crate::resources::zarr::layer::look;
use crate::resources::zarr::names::Names;
use crate::resources::zarr::queries::{self, NamedLayer};
use crate::storage::copy::copy_tree;
use crate::storage::images::FullResolution;
use crate::store::{StoreError, Tx};

/// What a block takes while it is made: its pixels, the images they come from, the shard and its code; in MB.
const BLOCK_MB: u64 = 200;

/// A layer, and whether its pyramid is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LayerRow {
    layer: NamedLayer,
    pub(super) is_complete: bool,
}

impl LayerRow {
    /// Whether it is there later on, too, if it is complete now.
    pub(super) fn lasts_until(&self, later: &[Self]) -> bool {
        !self.is_complete || later.iter().any(|later| later.layer.id == self.layer.id)
    }

    fn name(&self) -> String {
        layer_name(&self.layer.channel_name, self.layer.tpoint, self.layer.zplane)
    }
}

/// How many blocks fit into memory and have a core each; one at least.
pub(super) fn blocks_at_once(cores: usize, memory_mb: u64) -> usize {
    let fit = usize::try_from(memory_mb / BLOCK_MB).unwrap_or(usize::MAX);
    cores.min(fit).max(1)
}

/// The layers of an experiment.
pub(super) async fn rows(
    tx: &mut Tx,
    environment: &Environment,
    experiment: i64,
) -> Result<Vec<LayerRow>, StoreError> {
    let layers = queries::layers(tx, experiment).await?;
    let row = |layer: NamedLayer| {
        let is_complete = pyramid::is_complete(&environment.data.layer(experiment, layer.id));
        LayerRow { layer, is_complete }
    };
    Ok(layers.into_iter().map(row).collect())
}

/// How many blocks there are to make.
pub(super) async fn count_blocks(work: &Work, layers: &[LayerRow]) -> Result<usize, ExportError> {
    let complete = layers.iter().filter(|layer| layer.is_complete).count();
    if complete == 0 {
        return Ok(0);
    }
    let layout = work.environment.maps.layout(&work.environment, work.experiment).await?;
    Ok(complete * pyramid::blocks(&layout).len())
}

/// Add up what there is to copy. Blocks.
pub(super) fn measure(work: &Work, layers: &[LayerRow], stored: &mut Stored) -> io::Result<()> {
    for row in layers.iter().filter(|row| row.is_complete) {
        let mut left = vec![work.environment.data.layer(work.experiment, row.layer.id)];
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(directory)? {
                let entry = entry?;
                match entry.file_type()?.is_dir() {
                    true => left.push(entry.path()),
                    false => stored.add(&entry.path()),
                }
            }
        }
    }
    Ok(())
}

/// Make the layers; the value is what is missing.
///
/// # Errors
/// When something cannot be read or written.
pub(super) async fn write(work: &Work, layers: &[LayerRow]) -> Result<Vec<String>, ExportError> {
    let mut names = Names::default();
    let mut missing = Vec::new();
    for row in layers {
        if !row.is_complete {
            missing.push(format!("layer \"{}\" is not built yet", row.name()));
            continue;
        }
        let name = names.give(&row.name(), "layer");
        let target = work.directory.join("layers").join(format!("{name}.ome.zarr"));
        write_layer(work, row.layer.id, &target).await?;
    }
    Ok(missing)
}

async fn write_layer(work: &Work, layer: i64, target: &Path) -> Result<(), ExportError> {
    let environment = &work.environment;
    let view = Arc::new(environment.maps.read_layer(environment, layer).await?);
    let layout = view.layout.clone().ok_or(MapError::from(LayoutError::NoSites))?;
    let look = look(environment, &view.source, &layout).await?;
    let (copying, target, size) = (work.clone(), target.to_owned(), layout.size());
    let full = blocking(move || {
        let full = FullResolution::create(&target, &look, size)?;
        let source = copying.environment.data.layer(copying.experiment, layer);
        for level in 1..look.levels {
            let level = level.to_string();
            copying.go_on()?;
            let copied =
                copy_tree(&source.join(&level), &target.join(&level), &copying.copied, &copying.tally);
            copying.go_on()?;
            if !copied? {
                return Err(ExportError::Unsteady);
            }
        }
        Ok(Arc::new(full))
    });
    let full = full.await?;
    let blocks = pyramid::blocks(&layout);
    let blocks = blocks.into_iter().map(|block| write_block(work, &view, block, &full));
    each(work, blocks).await?;
    Ok(())
}

async fn write_block(
    work: &Work,
    view: &LayerView,
    block: Block,
    full: &Arc<FullResolution>,
) -> Result<(), ExportError> {
    work.go_on()?;
    let (environment, source) = (&work.environment, &view.source);
    let layout = view.layout.as_ref().ok_or(MapError::from(LayoutError::NoSites))?;
    let window = block.window(layout.size());
    let plan = WindowPlan::new(environment, view, window).await?;
    let correction = correction_of(environment, source.experiment_id, source.statistics.as_ref()).await?;
    let (images, full, space) = (environment.images.clone(), Arc::clone(full), work.space.clone());
    let written = environment.compute.batch(move |engine| {
        space.check()?;
        let parts = plan.read(&images)?;
        let pixels = parts.compose(engine, window.size, correction.as_deref()).map_err(MapError::from)?;
        Ok::<_, ExportError>(full.write_block(block.y, block.x, &pixels)?)
    });
    written.await.map_err(MapError::from)??;
    work.tally.add(1);
    Ok(())
}
