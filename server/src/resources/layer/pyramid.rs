//! Building the stored levels of a layer: blocks of 4096×4096 pixels first, then the levels above them.
//!
//! ```text
//! level 0     full resolution: composed from the channel images, corrected, never stored
//! level 1…4   a block owns whole shards of 2048, 1024, 512, 256 pixels: written by its own job
//! level 5…    made from level 4 once all blocks are there
//! ```
//!
//! Level k has 1/2^k of the full resolution. Each is the 2×2 mean of the one before it at the stored
//! depth, ties up, zeros beyond the map; it is rescaled only when it is shown. Every function may be
//! run again: it writes the same bytes to the same places.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tm_engine::Engine;
use tm_engine::image::{Rect, Size};

use super::layout::{LayoutError, MapLayout};
use super::{LayerSource, MapError};
use crate::environment::Environment;
use crate::resources::image::{MissingImage, WindowPlan, correction_of};
use crate::storage::images::{LayerPyramid, LayerSpec, create_layer, layer_shard_edge};
use crate::storage::{StorageError, atomic};

/// Edge of a block in pixels of full resolution.
pub const BLOCK_PX: usize = 4096;
/// The last level that blocks write; a block has one chunk of it.
const LAST_BLOCK_LEVEL: usize = 4;
/// An empty file that says all levels are there. Zarr readers pass over it.
const COMPLETE: &str = ".complete";

/// An aligned block of the map, counted in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Block {
    /// Row.
    pub y: usize,
    /// Column.
    pub x: usize,
}

/// What a block was made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockReport {
    /// Pixels of full resolution that were composed.
    pub pixels: usize,
    /// Sites of the block that stay black.
    pub missing: BTreeSet<MissingImage>,
}

impl Block {
    /// The pixels of the map that it covers; less than a block at the lower and right edge.
    pub fn window(self, map: Size) -> Rect {
        let (y, x) = (self.y * BLOCK_PX, self.x * BLOCK_PX);
        let (height, width) = (map.height.saturating_sub(y), map.width.saturating_sub(x));
        Rect::new(y, x, Size::new(height.min(BLOCK_PX), width.min(BLOCK_PX)))
    }
}

/// The blocks that touch a site, by row and column. The others are black and are not stored.
pub fn blocks(layout: &MapLayout) -> Vec<Block> {
    let mut touched = BTreeSet::new();
    for site in layout.sites_in(Rect::new(0, 0, layout.size())) {
        let rect = site.rect;
        for y in rect.y / BLOCK_PX..(rect.y + rect.size.height).div_ceil(BLOCK_PX) {
            for x in rect.x / BLOCK_PX..(rect.x + rect.size.width).div_ceil(BLOCK_PX) {
                touched.insert(Block { y, x });
            }
        }
    }
    touched.into_iter().collect()
}

/// Number of sites that a block touches.
pub fn sites_of(layout: &MapLayout, block: Block) -> usize {
    layout.sites_in(block.window(layout.size())).len()
}

/// Whether all levels of the layer at `path` are stored: its pixels will not change any more.
pub fn is_complete(path: &Path) -> bool {
    path.join(COMPLETE).exists()
}

/// Make the files of a layer, without pixels. Files that are there already are kept.
///
/// # Errors
/// [`MapError`] when the experiment has no sites or the disk fails.
pub async fn create_files(environment: &Environment, experiment: i64, layer: i64) -> Result<(), MapError> {
    let view = environment.maps.read_layer(environment, layer).await?;
    let layout = view.layout.ok_or(LayoutError::NoSites)?;
    let path = environment.data.layer(experiment, layer);
    let LayerSource { channel_name, tpoint, zplane, depth, .. } = view.source;
    let spec = LayerSpec {
        name: format!("{channel_name} t{tpoint} z{zplane}"),
        size: layout.size(),
        levels: layout.depth(),
        depth,
        pixel_size_um: None,
    };
    let created = environment.compute.batch(move |_| match create_layer(&path, &spec) {
        Err(StorageError::Io(error)) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        created => created,
    });
    Ok(created.await??)
}

/// Compose a block at full resolution and store its share of the levels 1 to 4.
///
/// Each site's window is read once. Holds the composed block and the pixels it is made of: 64 MB at
/// 16 bits, and a third of a block for the levels.
///
/// # Errors
/// [`MapError`] when the files of the layer are not there, pixels are damaged or the disk fails.
pub async fn build_block(
    environment: &Environment,
    experiment: i64,
    layer: i64,
    block: Block,
) -> Result<BlockReport, MapError> {
    let view = environment.maps.read_layer(environment, layer).await?;
    let layout = view.layout.as_ref().ok_or(LayoutError::NoSites)?;
    let window = block.window(layout.size());
    let plan = WindowPlan::new(environment, &view, window).await?;
    let correction = correction_of(environment, experiment, view.source.statistics.as_ref()).await?;
    let (images, path) = (environment.images.clone(), environment.data.layer(experiment, layer));
    let built = environment.compute.batch(move |engine| {
        let parts = plan.read(&images)?;
        let pyramid = images.get_layer(&path)?;
        let levels = LAST_BLOCK_LEVEL.min(pyramid.levels().saturating_sub(1));
        let planes = parts.build_levels(engine, window.size, correction.as_deref(), levels)?;
        for (plane, level) in planes.iter().zip(1..) {
            pyramid.write_shard(level, block.y, block.x, plane)?;
        }
        Ok(BlockReport { pixels: window.size.area(), missing: parts.missing })
    });
    built.await?
}

/// Make the levels above 4 from level 4, and declare the layer complete. All blocks must be there.
///
/// # Errors
/// [`MapError`] when the files of the layer are not there or the disk fails.
pub async fn build_top(environment: &Environment, experiment: i64, layer: i64) -> Result<(), MapError> {
    let (images, path) = (environment.images.clone(), environment.data.layer(experiment, layer));
    let built = environment.compute.batch(move |engine| {
        let pyramid = images.get_layer(&path)?;
        for level in LAST_BLOCK_LEVEL + 1..pyramid.levels() {
            build_level(engine, &pyramid, level)?;
        }
        Ok(atomic::write(&path.join(COMPLETE), &[]).map_err(StorageError::from)?)
    });
    built.await?
}

fn build_level(engine: &Engine, pyramid: &LayerPyramid, level: usize) -> Result<(), MapError> {
    let size = pyramid.level_size(level).unwrap_or_default();
    let edge = layer_shard_edge(level);
    for y in 0..size.height.div_ceil(edge) {
        for x in 0..size.width.div_ceil(edge) {
            let below = Rect::new(2 * y * edge, 2 * x * edge, Size::new(2 * edge, 2 * edge));
            let plane = engine.downsample_grey(&pyramid.read_window(level - 1, below)?)?;
            pyramid.write_shard(level, y, x, &plane)?;
        }
    }
    Ok(())
}
