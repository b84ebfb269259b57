//! Moving planes by whole pixels: `shaders/alignment_apply.wgsl`.

use crate::error::Result;
use crate::gpu::{Gpu, Recording, layout};
use crate::image::{GreyPixel, Plane, PlaneRef};
use crate::kernels::alignment::span::Transfer;
use crate::kernels::alignment::{Residues, Shift};
use crate::shader::{Shader, shader};

pub(super) const SHADER: Shader = shader!("alignment_apply");

/// Moves a plane, in bands of rows as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn shift<T: GreyPixel>(gpu: &Gpu, source: PlaneRef<'_, T>, shift: Shift) -> Result<Plane<T>> {
    transferred(gpu, source, Transfer::shift(source.size(), shift))
}

/// The block of a target that every cycle of its site has.
///
/// # Errors
/// As [`shift`], and [`crate::EngineError::Parameter`] when the residues were not made with this
/// shift among others.
pub(crate) fn crop<T: GreyPixel>(
    gpu: &Gpu,
    source: PlaneRef<'_, T>,
    shift: Shift,
    residues: Residues,
) -> Result<Plane<T>> {
    transferred(gpu, source, Transfer::crop(source.size(), shift, residues)?)
}

/// The block of [`crop`] at its place in the frame of the reference, zeros around it.
///
/// # Errors
/// As [`crop`].
pub(crate) fn pad<T: GreyPixel>(
    gpu: &Gpu,
    source: PlaneRef<'_, T>,
    shift: Shift,
    residues: Residues,
) -> Result<Plane<T>> {
    transferred(gpu, source, Transfer::pad(source.size(), shift, residues)?)
}

fn transferred<T: GreyPixel>(gpu: &Gpu, source: PlaneRef<'_, T>, transfer: Transfer) -> Result<Plane<T>> {
    let mut output = Plane::zeros(transfer.output);
    let window = transfer.window;
    if window.size.area() == 0 {
        return Ok(output);
    }
    let pipeline = gpu.pipeline(&SHADER, &[("BITS", T::DEPTH.bits())])?;
    let source_words = layout::row_words::<T>(source.size().width)?;
    let output_words = layout::row_words::<T>(transfer.output.width)?;
    let band = layout::band_rows(
        gpu.caps(),
        &[4 * u64::from(source_words), 4 * u64::from(output_words)],
        output_words,
    )?;
    for first in (0..transfer.output.height).step_by(band) {
        let rows = band.min(transfer.output.height - first);
        let (source_rows, place) = transfer.rows(first..first + rows);
        if source_rows.is_empty() {
            continue;
        }
        let mut recording = Recording::new(gpu)?;
        let input = recording.upload(&layout::pack(&source, source_rows.clone()))?;
        let result = recording.output(4 * u64::from(output_words) * rows as u64)?;
        let row_count = layout::count(rows)?;
        let params = [
            source_words,
            layout::count(source_rows.len())?,
            output_words,
            row_count,
            layout::count(place - first)?,
            layout::count(transfer.x)?,
            layout::count(window.x)?,
            layout::count(window.size.width)?,
        ];
        recording.dispatch(&pipeline, &params, &[&input, &result], output_words, row_count)?;
        recording.read(&result, |bytes| layout::unpack(bytes, &mut output, first))?;
    }
    Ok(output)
}
