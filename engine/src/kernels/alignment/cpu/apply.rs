//! Moving planes by whole pixels: rows are copied, nothing is computed.

use crate::error::Result;
use crate::image::{GreyPixel, Plane, PlaneRef};
use crate::kernels::alignment::span::Transfer;
use crate::kernels::alignment::{Residues, Shift};
use crate::parallel;

/// Moves a plane, `out[r, c] = in[r - y, c - x]`; what comes from outside is 0.
pub fn shift<T: GreyPixel>(source: PlaneRef<'_, T>, shift: Shift) -> Plane<T> {
    transferred(source, Transfer::shift(source.size(), shift))
}

/// The block of a target that every cycle of its site has; see [`super::super`].
///
/// # Errors
/// [`crate::EngineError::Parameter`] when the residues were not made with this shift among others.
pub fn crop<T: GreyPixel>(source: PlaneRef<'_, T>, shift: Shift, residues: Residues) -> Result<Plane<T>> {
    Ok(transferred(source, Transfer::crop(source.size(), shift, residues)?))
}

/// The block of [`crop`] at its place in the frame of the reference, zeros around it.
///
/// # Errors
/// As [`crop`].
pub fn pad<T: GreyPixel>(source: PlaneRef<'_, T>, shift: Shift, residues: Residues) -> Result<Plane<T>> {
    Ok(transferred(source, Transfer::pad(source.size(), shift, residues)?))
}

fn transferred<T: GreyPixel>(source: PlaneRef<'_, T>, transfer: Transfer) -> Plane<T> {
    let mut output = Plane::zeros(transfer.output);
    let window = transfer.window;
    if window.size.area() == 0 {
        return output;
    }
    let width = transfer.output.width;
    parallel::for_each_band(output.pixels_mut(), width, |first, band| {
        let (rows, place) = transfer.rows(first..first + band.len() / width);
        for (row, out) in rows.zip(band.chunks_exact_mut(width).skip(place - first)) {
            let pixels = &source.row(row)[window.x..window.x + window.size.width];
            out[transfer.x..transfer.x + window.size.width].copy_from_slice(pixels);
        }
    });
    output
}
