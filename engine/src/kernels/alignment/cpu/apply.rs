//! Moving planes by whole pixels: rows are copied, nothing is computed.

use super::overlap::Span;
use crate::error::Result;
use crate::image::{GreyPixel, Plane, PlaneRef};
use crate::kernels::alignment::{Residues, Shift};
use crate::parallel;

/// Moves a plane, `out[r, c] = in[r - y, c - x]`; what comes from outside is 0.
pub fn shift<T: GreyPixel>(source: PlaneRef<'_, T>, shift: Shift) -> Plane<T> {
    let size = source.size();
    let mut output = Plane::zeros(size);
    let (rows, columns) = (Span::of(size.height, shift.y), Span::of(size.width, shift.x));
    if columns.length == 0 {
        return output;
    }
    parallel::for_each_band(output.pixels_mut(), size.width, |first, band| {
        for (index, out) in band.chunks_exact_mut(size.width).enumerate() {
            if let Some(row) = rows.source_of(first + index) {
                out[columns.moved()].copy_from_slice(&source.row(row)[columns.original()]);
            }
        }
    });
    output
}

/// The block of a target that every cycle of its site has; see [`super::super`].
///
/// # Errors
/// [`crate::EngineError::Parameter`] when the residues were not made with this shift among others.
pub fn crop<T: GreyPixel>(source: PlaneRef<'_, T>, shift: Shift, residues: Residues) -> Result<Plane<T>> {
    Ok(source.window(residues.block(shift, source.size())?)?.to_plane())
}

/// The block of [`crop`] at its place in the frame of the reference, zeros around it.
///
/// # Errors
/// As [`crop`].
pub fn pad<T: GreyPixel>(source: PlaneRef<'_, T>, shift: Shift, residues: Residues) -> Result<Plane<T>> {
    let block = source.window(residues.block(shift, source.size())?)?;
    let place = residues.intersection(source.size());
    let mut output = Plane::zeros(source.size());
    if place.size.area() == 0 {
        return Ok(output);
    }
    for row in 0..place.size.height {
        let out = &mut output.row_mut(place.y + row)[place.x..place.x + place.size.width];
        out.copy_from_slice(block.row(row));
    }
    Ok(output)
}
