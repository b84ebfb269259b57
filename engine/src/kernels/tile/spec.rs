//! Registry entry of the fused tile.

use super::{Placement, cpu, gpu};
use crate::error::Result;
use crate::image::{GreyPixel, Plane, Rect, Size};
use crate::kernels::illumination::Correction;
use crate::kernels::illumination::spec::sample_correction;
use crate::kernels::rescale::{self, Limits};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance, values};

/// Fetch, correct, place, rescale.
pub const SPEC: KernelSpec = KernelSpec {
    name: "tile",
    shaders: &[gpu::SHADER, rescale::gpu::SHADER],
    splits: true,
    tolerance: Tolerance::Counts {
        most: 1.0,
        equal_share: 0.99,
        because: "the correction uses logarithm and power, which WGSL does not define to the last bit",
    },
    sample,
};

/// Both depths: placements that leave the canvas on all sides and cover each other, one of them with the
/// whole correction, two with windows of it, one without.
fn sample(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let correction = sample_correction(&mut noise, size)?;
    let (first, second) = (noise.plane::<u16>(size), noise.plane::<u16>(size));
    let limits = Limits::new(100, 40_000)?;
    let mut result = tiles(size, [&first, &second], &correction, Some(limits), backend)?;
    let (first, second) = (noise.plane::<u8>(size), noise.plane::<u8>(size));
    result.extend(tiles(size, [&first, &second], &correction, None, backend)?);
    Ok(result)
}

fn tiles<T: GreyPixel>(
    size: Size,
    [first, second]: [&Plane<T>; 2],
    correction: &Correction,
    limits: Option<Limits>,
    backend: SampleBackend<'_>,
) -> Result<Vec<f64>> {
    let half = size.halved();
    let window = Rect::new(size.height - half.height, size.width - half.width, half);
    let corrected = |y, x| -> Result<Placement<'_, T>> {
        Ok(Placement { pixels: second.window(window)?, y, x, correction: Some(correction.window(window)?) })
    };
    let placements = [
        Placement { pixels: first.view(), y: -1, x: 2, correction: Some(correction.view()) },
        Placement { pixels: second.view(), y: 3, x: -2, correction: None },
        corrected(1, 5)?,
        corrected(2, -3)?,
    ];
    let (stored, shown) = match backend {
        SampleBackend::Cpu => {
            (cpu::compose(size, &placements)?, cpu::render_tile(size, &placements, limits)?)
        }
        SampleBackend::Gpu(gpu) => {
            (gpu::compose(gpu, size, &placements)?, gpu::render_tile(gpu, size, &placements, limits)?)
        }
    };
    Ok(values(&stored).chain(values(&shown)).collect())
}
