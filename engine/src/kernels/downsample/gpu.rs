//! Halving on the GPU: `shaders/downsample.wgsl`.

use crate::error::Result;
use crate::gpu::{Gpu, Job, layout};
use crate::image::{GreyPixel, Plane, PlaneRef};

pub(super) const SOURCE: &str = include_str!("../../../../shaders/downsample.wgsl");

/// Halves a plane, in bands of rows as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn downsample<T: GreyPixel>(gpu: &Gpu, source: PlaneRef<'_, T>) -> Result<Plane<T>> {
    let mut output = Plane::zeros(source.size().halved());
    let size = output.size();
    if size.area() == 0 {
        return Ok(output);
    }
    let pipeline = gpu.pipeline("downsample", SOURCE, T::DEPTH.bits())?;
    let source_words = layout::row_words::<T>(source.size().width)?;
    let output_words = layout::row_words::<T>(size.width)?;
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
        let params = [source_words, source_rows.len() as u32, output_words, rows as u32];
        job.dispatch(&pipeline, &params, &[&input, &result], output_words, rows as u32)?;
        job.read(&result, |bytes| layout::unpack(bytes, &mut output, first))?;
    }
    Ok(output)
}
