//! Registry entry of the fused tile.

use super::{Placement, cpu};
use crate::error::Result;
use crate::image::Size;
use crate::kernels::illumination::spec::sample_correction;
use crate::kernels::rescale::Limits;
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance, values};

/// Fetch, correct, place, rescale.
pub const SPEC: KernelSpec = KernelSpec {
    name: "tile",
    shaders: &[],
    splits: true,
    tolerance: Tolerance::Counts {
        most: 1.0,
        equal_share: 0.99,
        because: "the correction uses logarithm and power, which WGSL does not define to the last bit",
    },
    sample,
};

fn sample(seed: u64, size: Size, _backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let (first, second) = (noise.plane::<u16>(size), noise.plane::<u16>(size));
    let correction = sample_correction(&mut noise, size)?;
    let placements = [
        Placement { pixels: first.view(), y: -1, x: 2, correction: Some(correction.view()) },
        Placement { pixels: second.view(), y: 3, x: -2, correction: None },
    ];
    let tile = cpu::render_tile(size, &placements, Some(Limits::new(100, 40_000)?))?;
    Ok(values(&tile).collect())
}
