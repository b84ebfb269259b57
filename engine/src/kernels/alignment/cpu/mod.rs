//! Alignment on the CPU.

mod apply;
mod compatible;
mod fourier;
mod overlap;
mod permutation;
mod robust;
mod whiten;

pub use apply::{crop, pad, shift};
pub use compatible::CompatibleReference;
pub use permutation::permutation_threshold;
pub use robust::RobustReference;

use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, Plane, PlaneRef, Size};

/// The pixels widened to 16 bits, which is exact.
fn widened<T: GreyPixel>(source: PlaneRef<'_, T>) -> Plane<u16> {
    let mut output = Plane::zeros(source.size());
    for row in 0..source.size().height {
        T::widen_row(source.row(row), output.row_mut(row));
    }
    output
}

/// Shifts are 32-bit numbers, and sums of products of 2³² pixels fit 64 bits.
fn check_size(size: Size) -> Result<()> {
    let shiftable = |side: usize| i32::try_from(side).is_ok();
    let area = size.height.checked_mul(size.width);
    let countable = area.is_some_and(|area| u32::try_from(area).is_ok());
    if shiftable(size.height) && shiftable(size.width) && countable {
        return Ok(());
    }
    Err(EngineError::Shape {
        what: "plane to register",
        expected: "sides below 2³¹ and fewer than 2³² pixels".to_owned(),
        actual: size.to_string(),
    })
}

/// Reference and target must have one size.
fn check_same_size(reference: Size, target: Size) -> Result<()> {
    if reference == target {
        return Ok(());
    }
    Err(EngineError::Shape {
        what: "target to register",
        expected: reference.to_string(),
        actual: target.to_string(),
    })
}

/// The lag that an index of a circular correlation stands for: above half the side, negative.
fn signed(index: usize, side: usize) -> i32 {
    // Sides were checked to fit.
    let of = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    if index > side / 2 { of(index) - of(side) } else { of(index) }
}

/// The index of a lag.
fn wrapped(lag: i32, side: usize) -> usize {
    let distance = usize::try_from(lag.unsigned_abs()).unwrap_or(usize::MAX) % side.max(1);
    if lag < 0 && distance > 0 { side - distance } else { distance }
}
