//! Registry entry of the maximum projection.

use super::{cpu, gpu};
use crate::error::Result;
use crate::image::{GreyPlane, Size};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance, values};

/// Maximum projection.
pub const SPEC: KernelSpec = KernelSpec {
    name: "projection",
    shaders: &[gpu::SHADER],
    splits: true,
    tolerance: Tolerance::Exact,
    sample,
};

/// Both depths, of an odd and of an even number of planes.
fn sample(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let sixteen: Vec<GreyPlane> = (0..3).map(|_| noise.plane::<u16>(size).into()).collect();
    let eight: Vec<GreyPlane> = (0..2).map(|_| noise.plane::<u8>(size).into()).collect();
    let mut result = Vec::new();
    for planes in [sixteen, eight] {
        let projected = match backend {
            SampleBackend::Cpu => cpu::project_max(&planes)?,
            SampleBackend::Gpu(gpu) => gpu::project_max(gpu, &planes)?,
        };
        match projected {
            GreyPlane::U8(plane) => result.extend(values(&plane)),
            GreyPlane::U16(plane) => result.extend(values(&plane)),
        }
    }
    Ok(result)
}
