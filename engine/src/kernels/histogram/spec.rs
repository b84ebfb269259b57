//! Registry entry of counting.

use super::{cpu, gpu};
use crate::error::Result;
use crate::image::{GreyPixel, Histogram, Plane, Size};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance};

/// Counting grey values.
pub const SPEC: KernelSpec = KernelSpec {
    name: "histogram",
    shaders: &[gpu::SHADER],
    splits: true,
    tolerance: Tolerance::Exact,
    sample,
};

/// Both depths, with many zeros and many of the brightest value.
fn sample(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
    let (eight, sixteen) = (counted(&eight, backend)?, counted(&sixteen, backend)?);
    Ok(eight.counts().iter().chain(sixteen.counts()).map(|count| *count as f64).collect())
}

fn counted<T: GreyPixel>(plane: &Plane<T>, backend: SampleBackend<'_>) -> Result<Histogram> {
    match backend {
        SampleBackend::Cpu => Ok(cpu::histogram(plane.view())),
        SampleBackend::Gpu(gpu) => gpu::histogram(gpu, plane.view()),
    }
}
