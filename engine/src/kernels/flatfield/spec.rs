//! Registry entry of flat-field correction.

use super::{FlatfieldCorrection, cpu, gpu};
use crate::error::Result;
use crate::image::{GreyPixel, Plane, Size};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance, values};

/// Flat-field correction.
pub const SPEC: KernelSpec = KernelSpec {
    name: "flatfield_apply",
    shaders: &[gpu::SHADER],
    splits: true,
    tolerance: Tolerance::Counts {
        most: 1.0,
        equal_share: 0.99,
        because: "WGSL leaves open whether a·b + c rounds once or twice",
    },
    sample,
};

/// Both depths, and more images than one load of the planes serves where limits are narrow.
fn sample(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let sixteen: Vec<Plane<u16>> = (0..3).map(|_| noise.plane(size)).collect();
    let eight: Vec<Plane<u8>> = (0..2).map(|_| noise.plane(size)).collect();
    let profile = Plane::from_fn(size, |_, _| match noise.next_u16() {
        0..500 => 0.0,
        value => 0.5 + f64::from(value) / 65_536.0,
    });
    let darkfield = Plane::from_fn(size, |_, _| 90.0 + f64::from(noise.next_u16()) / 4096.0);
    let correction = FlatfieldCorrection::new(&profile, &darkfield)?;
    let mut result = apply(&sixteen, &correction, backend)?;
    result.extend(apply(&eight, &correction, backend)?);
    Ok(result)
}

fn apply<T: GreyPixel>(
    images: &[Plane<T>],
    correction: &FlatfieldCorrection,
    backend: SampleBackend<'_>,
) -> Result<Vec<f64>> {
    let views: Vec<_> = images.iter().map(Plane::view).collect();
    let corrected = match backend {
        SampleBackend::Cpu => cpu::apply_all(&views, correction)?,
        SampleBackend::Gpu(gpu) => gpu::apply_all(gpu, &views, correction)?,
    };
    Ok(corrected.iter().flat_map(values).collect())
}
