//! Stretching on the GPU: `shaders/rescale.wgsl`.

use super::Limits;
use crate::error::Result;
use crate::gpu::{Gpu, Recording, layout};
use crate::image::{GreyPixel, Plane, PlaneRef};
use crate::shader::{Shader, shader};

pub(super) const SHADER: Shader = shader!("rescale");

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
    let pipeline = gpu.pipeline(&SHADER, &[("BITS", T::DEPTH.bits())])?;
    let source_words = layout::row_words::<T>(size.width)?;
    let output_words = layout::row_words::<u8>(size.width)?;
    let band = layout::band_rows(gpu.caps(), &[4 * u64::from(source_words)], output_words)?;
    let span = u32::from(limits.upper - limits.lower - 1);
    for first in (0..size.height).step_by(band) {
        let rows = band.min(size.height - first);
        let mut recording = Recording::new(gpu)?;
        let input = recording.upload(&layout::pack(&source, first..first + rows))?;
        let result = recording.output(4 * u64::from(output_words) * rows as u64)?;
        let params = [source_words, output_words, rows as u32, limits.lower.into(), span, 0, 0, 0];
        recording.dispatch(&pipeline, &params, &[&input, &result], output_words, rows as u32)?;
        recording.read(&result, |bytes| layout::unpack(bytes, &mut output, first))?;
    }
    Ok(output)
}
