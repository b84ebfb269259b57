//! Maximum projection on the GPU: `shaders/projection.wgsl`.

use super::cpu::check;
use crate::error::Result;
use crate::gpu::{Gpu, Recording, layout};
use crate::image::{GreyPixel, GreyPlane, Plane};
use crate::shader::{Shader, shader};

pub(super) const SHADER: Shader = shader!("projection");

/// Projects a stack of planes, in runs of pixels as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it; others as on the CPU.
pub(crate) fn project_max(gpu: &Gpu, planes: &[GreyPlane]) -> Result<GreyPlane> {
    check(planes)?;
    let (mut eight, mut sixteen) = (Vec::new(), Vec::new());
    for plane in planes {
        match plane {
            GreyPlane::U8(plane) => eight.push(plane),
            GreyPlane::U16(plane) => sixteen.push(plane),
        }
    }
    // All have one depth.
    if sixteen.is_empty() { Ok(project(gpu, &eight)?.into()) } else { Ok(project(gpu, &sixteen)?.into()) }
}

fn project<T: GreyPixel>(gpu: &Gpu, planes: &[&Plane<T>]) -> Result<Plane<T>> {
    let mut output = Plane::zeros(planes.first().map(|plane| plane.size()).unwrap_or_default());
    let pixels = output.size().area();
    if pixels == 0 {
        return Ok(output);
    }
    let per_word = 4 / size_of::<T>();
    let pipeline = gpu.pipeline(&SHADER, &[("BITS", T::DEPTH.bits())])?;
    let stack_bytes = 4 * planes.len() as u64;
    let grid = layout::Grid::new(gpu.caps(), stack_bytes, pixels.div_ceil(per_word))?;
    for first in (0..pixels).step_by(grid.words * per_word) {
        let part = first..(first + grid.words * per_word).min(pixels);
        let words = layout::count(part.len().div_ceil(per_word))?;
        let mut recording = Recording::new(gpu)?;
        let parts: Vec<_> =
            planes.iter().map(|plane| layout::whole_words(&plane.pixels()[part.clone()])).collect();
        let source = recording.upload_all(&parts)?;
        let result = recording.output(4 * u64::from(words))?;
        let params = [words, layout::count(planes.len())?, grid.columns, 0];
        let rows = words.div_ceil(grid.columns);
        recording.dispatch(&pipeline, &params, &[&source, &result], grid.columns, rows)?;
        recording.read(&result, |bytes| {
            let out: &mut [u8] = bytemuck::cast_slice_mut(&mut output.pixels_mut()[part.clone()]);
            out.copy_from_slice(&bytes[..out.len()]);
        })?;
    }
    Ok(output)
}
