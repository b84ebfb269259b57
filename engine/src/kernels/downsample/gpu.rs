//! Halving on the GPU: one shader per rule.

pub(crate) mod levels;

use super::Label;
use crate::error::Result;
use crate::gpu::{Gpu, Recording, layout};
use crate::image::{GreyPixel, Pixel, Plane, PlaneRef};
use crate::shader::{Shader, shader};

pub(super) const SHADER: Shader = shader!("downsample");
pub(super) const MAX_SHADER: Shader = shader!("downsample_max");
pub(super) const MODE_SHADER: Shader = shader!("downsample_mode");

/// Halves a plane by means, in bands of rows as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn downsample<T: GreyPixel>(gpu: &Gpu, source: PlaneRef<'_, T>) -> Result<Plane<T>> {
    halve(gpu, &SHADER, source)
}

/// Halves a plane by maxima, in bands of rows as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn downsample_max<T: GreyPixel>(gpu: &Gpu, source: PlaneRef<'_, T>) -> Result<Plane<T>> {
    halve(gpu, &MAX_SHADER, source)
}

/// Halves a label image by majorities, in bands of rows as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn downsample_labels<T: Label>(gpu: &Gpu, source: PlaneRef<'_, T>) -> Result<Plane<T>> {
    halve(gpu, &MODE_SHADER, source)
}

fn halve<T: Pixel>(gpu: &Gpu, shader: &Shader, source: PlaneRef<'_, T>) -> Result<Plane<T>> {
    let mut output = Plane::zeros(source.size().halved());
    let size = output.size();
    if size.area() == 0 {
        return Ok(output);
    }
    let pipeline = gpu.pipeline(shader, &[("BITS", layout::bits::<T>())])?;
    let source_words = layout::row_words::<T>(source.size().width)?;
    let output_words = layout::row_words::<T>(size.width)?;
    // A width fits 32 bits where its words do, but for the narrowest pixels.
    let source_columns = layout::count(source.size().width)?;
    let output_columns = layout::count(size.width)?;
    let band = layout::band_rows(
        gpu.caps(),
        &[8 * u64::from(source_words), 4 * u64::from(output_words)],
        output_words,
    )?;
    for first in (0..size.height).step_by(band) {
        let rows = band.min(size.height - first);
        let source_rows = 2 * first..(2 * (first + rows)).min(source.size().height);
        let mut recording = Recording::new(gpu)?;
        let input = recording.upload(&layout::pack(&source, source_rows.clone()))?;
        let result = recording.output(4 * u64::from(output_words) * rows as u64)?;
        let row_count = layout::count(rows)?;
        let params = [
            source_words,
            layout::count(source_rows.len())?,
            output_words,
            row_count,
            source_columns,
            output_columns,
            0,
            0,
        ];
        recording.dispatch(&pipeline, &params, &[&input, &result], output_words, row_count)?;
        recording.read(&result, |bytes| layout::unpack(bytes, &mut output, first))?;
    }
    Ok(output)
}
