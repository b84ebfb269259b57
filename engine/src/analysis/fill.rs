//! Filling holes: background that does not reach the edge of the image becomes foreground.
//!
//! Background is followed through 4 or 8 neighbours; with 8, fewer places are enclosed. The module `fill` uses 8.
//!
//! ```
//! use tm_engine::analysis::{Connectivity, Mask, fill_holes};
//! use tm_engine::image::Size;
//! let mask = Mask::new(Size::new(3, 4), vec![0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1])?;
//! assert_eq!(fill_holes(&mask, Connectivity::Four).count(), mask.count() + 1);
//! assert_eq!(fill_holes(&mask, Connectivity::Eight), mask);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::runs::Runs;
use super::{Connectivity, Mask};

/// Fills the holes of a mask.
pub fn fill_holes(mask: &Mask, connectivity: Connectivity) -> Mask {
    let size = mask.size();
    let runs = Runs::new(mask, false);
    let components = runs.components(connectivity);
    let mut is_outside = vec![false; components.count];
    for (run, component) in runs.all.iter().zip(&components.of_run) {
        is_outside[*component] |=
            run.row == 0 || run.row + 1 == size.height || run.start == 0 || run.end == size.width;
    }
    let mut filled = mask.clone();
    for (run, component) in runs.all.iter().zip(&components.of_run) {
        if !is_outside[*component] {
            filled.fill(run.row, run.columns());
        }
    }
    filled
}
