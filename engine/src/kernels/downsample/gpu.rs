//! Halving on the GPU: one shader per rule.

use super::{Label, MAX, MODE, SPEC};
use crate::error::Result;
use crate::gpu::{Gpu, Job, layout};
use crate::image::{GreyPixel, Pixel, Plane, PlaneRef};

pub(super) const SOURCE: &str = include_str!("../../../../shaders/downsample.wgsl");
pub(super) const MAX_SOURCE: &str = include_str!("../../../../shaders/downsample_max.wgsl");
pub(super) const MODE_SOURCE: &str = include_str!("../../../../shaders/downsample_mode.wgsl");

/// Halves a plane by means, in bands of rows as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn downsample<T: GreyPixel>(gpu: &Gpu, source: PlaneRef<'_, T>) -> Result<Plane<T>> {
    halve(gpu, SPEC.name, SOURCE, source)
}

/// Halves a plane by maxima, in bands of rows as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn downsample_max<T: GreyPixel>(gpu: &Gpu, source: PlaneRef<'_, T>) -> Result<Plane<T>> {
    halve(gpu, MAX.name, MAX_SOURCE, source)
}

/// Halves a label image by majorities, in bands of rows as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn downsample_labels<T: Label>(gpu: &Gpu, source: PlaneRef<'_, T>) -> Result<Plane<T>> {
    halve(gpu, MODE.name, MODE_SOURCE, source)
}

fn halve<T: Pixel>(
    gpu: &Gpu,
    kernel: &'static str,
    shader: &str,
    source: PlaneRef<'_, T>,
) -> Result<Plane<T>> {
    let mut output = Plane::zeros(source.size().halved());
    let size = output.size();
    if size.area() == 0 {
        return Ok(output);
    }
    let pipeline = gpu.pipeline(kernel, shader, layout::bits::<T>())?;
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
        let mut job = Job::new(gpu)?;
        let input = job.upload(&layout::pack(&source, source_rows.clone()))?;
        let result = job.output(4 * u64::from(output_words) * rows as u64)?;
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
        job.dispatch(&pipeline, &params, &[&input, &result], output_words, row_count)?;
        job.read(&result, |bytes| layout::unpack(bytes, &mut output, first))?;
    }
    Ok(output)
}
