//! Stretching on the GPU: `shaders/rescale.wgsl`.

use super::Limits;
use crate::error::Result;
use crate::gpu::{Gpu, Recording, layout};
use crate::image::{GreyPixel, Plane, PlaneRef, Size};
use crate::shader::{Shader, shader};

pub(crate) const SHADER: Shader = shader!("rescale");

/// Stretches a plane to 8 bits, in bands of rows as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it;
/// [`crate::EngineError::Parameter`] when the limits are not in order.
pub(crate) fn rescale<T: GreyPixel>(gpu: &Gpu, source: PlaneRef<'_, T>, limits: Limits) -> Result<Plane<u8>> {
    limits.check()?;
    let size = source.size();
    let mut output = Plane::zeros(size);
    if size.area() == 0 {
        return Ok(output);
    }
    let source_words = layout::row_words::<T>(size.width)?;
    let output_words = layout::row_words::<u8>(size.width)?;
    let band = layout::band_rows(gpu.caps(), &[4 * u64::from(source_words)], output_words)?;
    for first in (0..size.height).step_by(band) {
        let rows = band.min(size.height - first);
        let mut recording = Recording::new(gpu)?;
        let input = recording.upload(&layout::pack(&source, first..first + rows))?;
        let result = record::<T>(&mut recording, &input, Size::new(rows, size.width), limits)?;
        recording.read(&result, |bytes| layout::unpack(bytes, &mut output, first))?;
    }
    Ok(output)
}

/// Records the stretching of a plane on the device, within its limits, whose rows start at words.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn record<T: GreyPixel>(
    recording: &mut Recording<'_>,
    source: &wgpu::Buffer,
    size: Size,
    limits: Limits,
) -> Result<wgpu::Buffer> {
    let pipeline = recording.gpu().pipeline(&SHADER, &[("BITS", T::DEPTH.bits())])?;
    let source_words = layout::row_words::<T>(size.width)?;
    let output_words = layout::row_words::<u8>(size.width)?;
    let rows = layout::count(size.height)?;
    let span = u32::from(limits.upper - limits.lower - 1);
    let output = recording.output(4 * u64::from(output_words) * u64::from(rows))?;
    let params = [source_words, output_words, rows, limits.lower.into(), span, 0, 0, 0];
    recording.dispatch(&pipeline, &params, &[source, &output], output_words, rows)?;
    Ok(output)
}
