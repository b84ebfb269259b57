//! The fused tile on the CPU.

use std::ops::Range;

use super::{Placement, Shown};
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, Plane, Size};
use crate::kernels::rescale::{Limits, cpu::Ramp};
use crate::parallel;

/// Pixels corrected at a time between correction and rescaling: they stay in the first cache.
const STRIP: usize = 1024;

/// Places pixels at their stored depth, corrected where a placement says so.
///
/// # Errors
/// [`EngineError::Shape`] when a correction window does not have the size of its pixels.
pub fn compose<T: GreyPixel>(size: Size, placements: &[Placement<'_, T>]) -> Result<Plane<T>> {
    check(placements)?;
    Ok(paint(size, placements, |source, planes, out| match planes {
        Some((exponent, offset)) => T::correct_row(source, exponent, offset, out),
        None => out.copy_from_slice(source),
    }))
}

/// Places pixels and stretches them to 8 bits; without limits 8-bit pixels are copied.
///
/// # Errors
/// [`EngineError::Shape`] when a correction window does not have the size of its pixels;
/// [`EngineError::Parameter`] for limits out of order, or none for 16-bit pixels.
pub fn render_tile<T: GreyPixel>(
    size: Size,
    placements: &[Placement<'_, T>],
    limits: Option<Limits>,
) -> Result<Plane<u8>> {
    check(placements)?;
    let ramp = match Shown::new::<T>(limits)? {
        Shown::Stretched(limits) => Some(Ramp::new(limits)?),
        Shown::AsStored => None,
    };
    let finish = |values: &[T], out: &mut [u8]| match ramp {
        Some(ramp) => ramp.apply(values, out),
        None => {
            for (out, value) in out.iter_mut().zip(values) {
                *out = (*value).into() as u8;
            }
        }
    };
    Ok(paint(size, placements, |source, planes, out| match planes {
        Some((exponent, offset)) => {
            let mut strip = [T::default(); STRIP];
            let strips = source.chunks(STRIP).zip(exponent.chunks(STRIP)).zip(offset.chunks(STRIP));
            for (((source, exponent), offset), out) in strips.zip(out.chunks_mut(STRIP)) {
                let strip = &mut strip[..source.len()];
                T::correct_row(source, exponent, offset, strip);
                finish(strip, out);
            }
        }
        None => finish(source, out),
    }))
}

pub(crate) fn check<T: GreyPixel>(placements: &[Placement<'_, T>]) -> Result<()> {
    for placement in placements {
        let size = placement.pixels.size();
        if let Some(window) = &placement.correction
            && (window.size() != size || !window.is_complete())
        {
            return Err(EngineError::Shape {
                what: "correction window of a placement",
                expected: size.to_string(),
                actual: window.size().to_string(),
            });
        }
    }
    Ok(())
}

type CorrectionRows<'a> = Option<(&'a [f32], &'a [f32])>;

/// Paints the rows of all placements in order; `pixel_row` turns source pixels into output.
fn paint<T: GreyPixel, U: GreyPixel>(
    size: Size,
    placements: &[Placement<'_, T>],
    pixel_row: impl Fn(&[T], CorrectionRows<'_>, &mut [U]) + Sync + Send,
) -> Plane<U> {
    let mut output = Plane::zeros(size);
    parallel::for_each_band(output.pixels_mut(), size.width, |first, rows| {
        let band = Range { start: first, end: first + rows.len() / size.width };
        for placement in placements {
            let source = placement.pixels;
            let Some((from_rows, to_row)) = overlap(placement.y, source.size().height, &band) else {
                continue;
            };
            let Some((columns, to_column)) = overlap(placement.x, source.size().width, &(0..size.width))
            else {
                continue;
            };
            for (index, row) in from_rows.enumerate() {
                let start = (to_row - first + index) * size.width + to_column;
                let out = &mut rows[start..start + columns.len()];
                let planes = placement.correction.as_ref().map(|window| {
                    let (exponent, offset) = window.row(row);
                    (&exponent[columns.clone()], &offset[columns.clone()])
                });
                pixel_row(&source.row(row)[columns.clone()], planes, out);
            }
        }
    });
    output
}

/// The part of `length` pixels placed at `position` that falls into `wanted`: the source range,
/// and where its start lies in the output.
pub(super) fn overlap(position: i64, length: usize, wanted: &Range<usize>) -> Option<(Range<usize>, usize)> {
    // Planes have fewer than 2⁶³ pixels; i128 keeps far-off positions from overflowing.
    let position = i128::from(position);
    let start = position.max(wanted.start as i128);
    let end = (position + length as i128).min(wanted.end as i128);
    if start >= end {
        return None;
    }
    let source = (start - position) as usize..(end - position) as usize;
    Some((source, start as usize))
}
