//! Maximum projection on the CPU.

use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, GreyPlane, Plane};
use crate::parallel;
use crate::simd::{self, RowKernel};

/// Refuses no planes, and planes that differ in size or depth.
pub(super) fn check(planes: &[GreyPlane]) -> Result<&GreyPlane> {
    let first = planes.first().ok_or_else(|| EngineError::Parameter {
        name: "planes",
        problem: "are empty: nothing to project".to_owned(),
    })?;
    let differs = |plane: &&GreyPlane| plane.size() != first.size() || plane.depth() != first.depth();
    match planes.iter().find(differs) {
        None => Ok(first),
        Some(plane) => Err(EngineError::Shape {
            what: "planes of a projection",
            expected: format!("{} at {} bits", first.size(), first.depth().bits()),
            actual: format!("{} at {} bits", plane.size(), plane.depth().bits()),
        }),
    }
}

/// Projects a stack of planes to their pixel-wise maximum.
///
/// # Errors
/// [`EngineError::Parameter`] for no planes; [`EngineError::Shape`] when sizes or depths differ.
pub fn project_max(planes: &[GreyPlane]) -> Result<GreyPlane> {
    let mut result = check(planes)?.clone();
    for plane in &planes[1..] {
        match (&mut result, plane) {
            (GreyPlane::U8(result), GreyPlane::U8(plane)) => raise(result, plane),
            (GreyPlane::U16(result), GreyPlane::U16(plane)) => raise(result, plane),
            // All have one depth.
            _ => {}
        }
    }
    Ok(result)
}

fn raise<T: GreyPixel>(result: &mut Plane<T>, plane: &Plane<T>) {
    let width = result.size().width;
    parallel::for_each_band(result.pixels_mut(), width, |first, rows| {
        let start = first * width;
        T::raise_row(&plane.pixels()[start..start + rows.len()], rows);
    });
}

/// Takes the larger of two rows.
#[inline(always)]
pub(crate) fn raise_pixels<T: GreyPixel>(source: &[T], output: &mut [T]) {
    simd::run(Raise { source, output });
}

struct Raise<'a, T> {
    source: &'a [T],
    output: &'a mut [T],
}

impl<T: GreyPixel> RowKernel for Raise<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (out, value) in self.output.iter_mut().zip(self.source) {
            *out = (*out).max(*value);
        }
    }
}
