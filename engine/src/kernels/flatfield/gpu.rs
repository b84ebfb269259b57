//! Flat-field correction on the GPU: `shaders/flatfield_apply.wgsl`.

use super::FlatfieldCorrection;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::image::{GreyPixel, Plane, PlaneRef};
use crate::kernels::illumination::gpu::{Shading, correct_by_planes};
use crate::shader::{Shader, shader};

pub(super) const SHADER: Shader = shader!("flatfield_apply");

/// Corrects images; the planes of the correction are read once for as many as the device takes.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it;
/// [`crate::EngineError::Shape`] when an image does not have the size of the correction.
pub(crate) fn apply_all<T: GreyPixel>(
    gpu: &Gpu,
    images: &[PlaneRef<'_, T>],
    correction: &FlatfieldCorrection,
) -> Result<Vec<Plane<T>>> {
    correction.planes().check(images)?;
    let shading = Shading {
        shader: SHADER,
        size: correction.size(),
        first: correction.gain.view(),
        second: correction.dark.view(),
    };
    correct_by_planes(gpu, images, &shading)
}
