//! Labelling: what hangs together is one object.
//!
//! Objects are numbered 1, 2, … in raster order of their first pixels. Rows are cut into runs, runs that touch are
//! joined in sets (union-find), and each run is written once: no pixel is visited more often than twice.
//!
//! ```
//! use tm_engine::analysis::{Connectivity, Mask, label, relabel};
//! use tm_engine::image::{Plane, Size};
//! let mask = Mask::new(Size::new(2, 4), vec![0, 1, 0, 1, 1, 0, 0, 1])?;
//! assert_eq!(label(&mask, Connectivity::Four).pixels(), [0, 1, 0, 2, 3, 0, 0, 2]);
//! assert_eq!(label(&mask, Connectivity::Eight).pixels(), [0, 1, 0, 2, 1, 0, 0, 2]);
//! let labels = Plane::new(Size::new(1, 5), vec![7, 7, 0, 3, 7])?;
//! assert_eq!(relabel(&labels).pixels(), [1, 1, 0, 2, 1]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use std::collections::HashMap;

use super::runs::Runs;
use super::{Connectivity, Mask};
use crate::image::Plane;

/// Labels the components of a mask.
pub fn label(mask: &Mask, connectivity: Connectivity) -> Plane<i32> {
    let runs = Runs::new(mask, true);
    let components = runs.components(connectivity);
    let mut labels = Plane::zeros(mask.size());
    for (run, component) in runs.all.iter().zip(&components.of_run) {
        labels.row_mut(run.row)[run.columns()].fill(label_of(*component));
    }
    labels
}

/// The label of the component with this number from 0 on.
pub(super) fn label_of(component: usize) -> i32 {
    // A plane of 2³² components does not fit memory.
    i32::try_from(component + 1).unwrap_or(i32::MAX)
}

/// Renumbers objects to 1, 2, … in raster order of their first pixels; what is not positive becomes background.
pub fn relabel(labels: &Plane<i32>) -> Plane<i32> {
    let mut numbers: HashMap<i32, i32> = HashMap::new();
    let (mut last, mut last_number) = (0, 0);
    let mut output = Plane::zeros(labels.size());
    for (out, label) in output.pixels_mut().iter_mut().zip(labels.pixels()) {
        if *label != last {
            let next = label_of(numbers.len());
            last_number = if *label > 0 { *numbers.entry(*label).or_insert(next) } else { 0 };
            last = *label;
        }
        *out = last_number;
    }
    output
}
