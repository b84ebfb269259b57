//! Registry entry of the rescaling kernel.

use super::{Limits, cpu, gpu};
use crate::error::Result;
use crate::image::{GreyPixel, Plane, Size};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance, values};

/// Stretching to 8 bits.
pub const SPEC: KernelSpec = KernelSpec {
    name: "rescale",
    shaders: &[gpu::SHADER],
    splits: true,
    tolerance: Tolerance::Exact,
    sample,
};

fn sample(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
    // Random limits, the narrowest and the widest ones; black is frequent, so that a value at the lower
    // of two narrow limits occurs.
    let lower = noise.next_u16().min(u16::MAX - 1);
    let upper = noise.next_u16().max(lower + 1);
    let mut result = Vec::new();
    for limits in [
        Limits { lower, upper },
        Limits { lower, upper: lower + 1 },
        Limits { lower: lower / 2, upper: (lower / 2).saturating_add(1 + upper % 256) },
        Limits { lower: 0, upper: u16::MAX },
        Limits { lower: 0, upper: 255 },
        Limits { lower: 0, upper: 1 },
    ] {
        result.extend(values(&run(&eight, limits, backend)?));
        result.extend(values(&run(&sixteen, limits, backend)?));
    }
    Ok(result)
}

fn run<T: GreyPixel>(plane: &Plane<T>, limits: Limits, backend: SampleBackend<'_>) -> Result<Plane<u8>> {
    match backend {
        SampleBackend::Cpu => cpu::rescale(plane.view(), limits),
        SampleBackend::Gpu(gpu) => gpu::rescale(gpu, plane.view(), limits),
    }
}
