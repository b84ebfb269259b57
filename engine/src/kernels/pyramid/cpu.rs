//! The levels of a block on the CPU.

use crate::error::Result;
use crate::image::{GreyPixel, Plane, Size};
use crate::kernels::downsample::{self, Filter};
use crate::kernels::tile::{self, Placement};

/// Levels 1 to `levels` of a canvas of this size.
///
/// # Errors
/// Those of [`tile::cpu::compose`]; [`crate::EngineError::Parameter`] for more than 32 levels.
pub fn build_levels<T: GreyPixel>(
    size: Size,
    placements: &[Placement<'_, T>],
    filter: Filter,
    levels: usize,
) -> Result<Vec<Plane<T>>> {
    downsample::level_sizes(size, levels)?;
    let canvas = tile::cpu::compose(size, placements)?;
    downsample::cpu::downsample_levels(canvas.view(), filter, levels)
}
