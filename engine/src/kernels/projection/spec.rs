//! Registry entry of the maximum projection.

use super::cpu;
use crate::error::Result;
use crate::image::{GreyPlane, Size};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance};

/// Maximum projection.
pub const SPEC: KernelSpec =
    KernelSpec { name: "projection", shaders: &[], splits: true, tolerance: Tolerance::Exact, sample };

fn sample(seed: u64, size: Size, _backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let planes: Vec<GreyPlane> = (0..3).map(|_| noise.plane::<u16>(size).into()).collect();
    let GreyPlane::U16(result) = cpu::project_max(&planes)? else { unreachable!("the depth is kept") };
    Ok(crate::kernels::spec::values(&result).collect())
}
