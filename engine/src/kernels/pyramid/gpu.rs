//! The levels of a block on the GPU: `shaders/place.wgsl` for each placement, then
//! `shaders/downsample_levels.wgsl` or `shaders/downsample_levels_max.wgsl`, in one recording.

use crate::error::Result;
use crate::gpu::Gpu;
use crate::image::{GreyPixel, Plane, Size};
use crate::kernels::downsample::{Filter, levels as halving};
use crate::kernels::tile::{self, Placement};

/// Levels 1 to `levels` of a canvas of this size, in cells as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it; others as on the CPU.
pub(crate) fn build_levels<T: GreyPixel>(
    gpu: &Gpu,
    size: Size,
    placements: &[Placement<'_, T>],
    filter: Filter,
    levels: usize,
) -> Result<Vec<Plane<T>>> {
    tile::cpu::check(placements)?;
    let rule = halving::rule(levels, tile::gpu::RULE.workgroup);
    halving::make_levels(gpu, size, levels, rule, |recording, cell| {
        let canvas = tile::gpu::record_canvas(recording, cell, placements)?;
        halving::record::<T>(recording, &canvas, cell.size, filter, levels)
    })
}
