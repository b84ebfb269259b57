//! Registry entries of the downsampling kernels.

use super::{Filter, Label, cpu, gpu, levels};
use crate::error::Result;
use crate::image::{GreyPixel, Plane, Size};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance, values};

/// Halving by 2×2 means.
pub const SPEC: KernelSpec = KernelSpec {
    name: "downsample",
    shaders: &[gpu::SHADER],
    splits: true,
    tolerance: Tolerance::Exact,
    sample,
};

/// Halving by 2×2 maxima.
pub const MAX: KernelSpec = KernelSpec {
    name: "downsample_max",
    shaders: &[gpu::MAX_SHADER],
    splits: true,
    tolerance: Tolerance::Exact,
    sample: sample_max,
};

/// Halving label images by 2×2 majorities.
pub const MODE: KernelSpec = KernelSpec {
    name: "downsample_mode",
    shaders: &[gpu::MODE_SHADER],
    splits: true,
    tolerance: Tolerance::Exact,
    sample: sample_mode,
};

/// Several halvings at once.
pub const LEVELS: KernelSpec = KernelSpec {
    name: "downsample_levels",
    shaders: &[levels::MEAN_SHADER, levels::MAX_SHADER],
    splits: true,
    tolerance: Tolerance::Exact,
    sample: sample_levels,
};

fn sample(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
    Ok(values(&mean(&eight, backend)?).chain(values(&mean(&sixteen, backend)?)).collect())
}

fn mean<T: GreyPixel>(plane: &Plane<T>, backend: SampleBackend<'_>) -> Result<Plane<T>> {
    match backend {
        SampleBackend::Cpu => Ok(cpu::downsample(plane.view())),
        SampleBackend::Gpu(gpu) => gpu::downsample(gpu, plane.view()),
    }
}

fn sample_max(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
    Ok(values(&max(&eight, backend)?).chain(values(&max(&sixteen, backend)?)).collect())
}

fn max<T: GreyPixel>(plane: &Plane<T>, backend: SampleBackend<'_>) -> Result<Plane<T>> {
    match backend {
        SampleBackend::Cpu => Ok(cpu::downsample_max(plane.view())),
        SampleBackend::Gpu(gpu) => gpu::downsample_max(gpu, plane.view()),
    }
}

/// Few different labels, so that majorities and ties of every kind occur.
fn sample_mode(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let eight = Plane::from_fn(size, |_, _| [0u8, 1, 254, 255][usize::from(noise.next_u16() % 4)]);
    let sixteen = Plane::from_fn(size, |_, _| [0u16, 7, 256, u16::MAX][usize::from(noise.next_u16() % 4)]);
    let labels = Plane::from_fn(size, |_, _| [0i32, 1, 65_537, i32::MAX][usize::from(noise.next_u16() % 4)]);
    let mut result: Vec<f64> =
        values(&mode(&eight, backend)?).chain(values(&mode(&sixteen, backend)?)).collect();
    result.extend(mode(&labels, backend)?.pixels().iter().map(|label| f64::from(*label)));
    Ok(result)
}

fn mode<T: Label>(plane: &Plane<T>, backend: SampleBackend<'_>) -> Result<Plane<T>> {
    match backend {
        SampleBackend::Cpu => Ok(cpu::downsample_labels(plane.view())),
        SampleBackend::Gpu(gpu) => gpu::downsample_labels(gpu, plane.view()),
    }
}

/// Both depths and filters, and more levels than one dispatch makes.
fn sample_levels(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
    let mut result = Vec::new();
    for (filter, levels) in [(Filter::Mean, 5), (Filter::Max, 3)] {
        result.extend(halved(&eight, filter, levels, backend)?);
        result.extend(halved(&sixteen, filter, levels, backend)?);
    }
    Ok(result)
}

fn halved<T: GreyPixel>(
    plane: &Plane<T>,
    filter: Filter,
    count: usize,
    backend: SampleBackend<'_>,
) -> Result<Vec<f64>> {
    let made = match backend {
        SampleBackend::Cpu => cpu::downsample_levels(plane.view(), filter, count)?,
        SampleBackend::Gpu(gpu) => levels::downsample_levels(gpu, plane.view(), filter, count)?,
    };
    Ok(made.iter().flat_map(values).collect())
}
