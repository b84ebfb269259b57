//! Registry entry of the downsampling kernel.

use super::{cpu, gpu};
use crate::error::Result;
use crate::image::{GreyPixel, Plane, Size};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance, values};

/// Halving by 2×2 means.
pub const SPEC: KernelSpec =
    KernelSpec { name: "downsample", source: Some(gpu::SOURCE), tolerance: Tolerance::Exact, sample };

fn sample(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
    Ok(values(&run(&eight, backend)?).chain(values(&run(&sixteen, backend)?)).collect())
}

fn run<T: GreyPixel>(plane: &Plane<T>, backend: SampleBackend<'_>) -> Result<Plane<T>> {
    match backend {
        SampleBackend::Cpu => Ok(cpu::downsample(plane.view())),
        SampleBackend::Gpu(gpu) => gpu::downsample(gpu, plane.view()),
    }
}
