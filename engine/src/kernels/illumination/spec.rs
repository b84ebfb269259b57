//! Registry entries of illumination statistics and correction.

use super::{Correction, IlluminationSums, cpu, gpu};
use crate::error::Result;
use crate::image::{BitDepth, GreyPixel, GreyPlane, Plane, Size};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance, values};

/// Sums over images: mean, deviation, histogram, percentiles.
pub const SUMS: KernelSpec = KernelSpec {
    name: "illumination_sums",
    shaders: &[gpu::SUMS_SHADER],
    splits: true,
    tolerance: Tolerance::Exact,
    sample: sample_sums,
};

/// Illumination correction.
pub const APPLY: KernelSpec = KernelSpec {
    name: "illumination_apply",
    shaders: &[gpu::APPLY_SHADER],
    splits: true,
    tolerance: Tolerance::Counts {
        most: 1.0,
        equal_share: 0.99,
        because: "logarithm and power are approximated, and WGSL leaves open whether a·b + c rounds once",
    },
    sample: sample_apply,
};

/// Both depths, and more images than the CPU takes at once; a single square has 44 bits, so upper
/// words are used.
fn sample_sums(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let sixteen: Vec<GreyPlane> = (0..5).map(|_| noise.plane::<u16>(size).into()).collect();
    let eight: Vec<GreyPlane> = (0..3).map(|_| noise.plane::<u8>(size).into()).collect();
    let mut result = Vec::new();
    for images in [sixteen, eight] {
        let images: Vec<&GreyPlane> = images.iter().collect();
        let depth = images.first().map_or(BitDepth::Sixteen, |image| image.depth());
        let sums = match backend {
            SampleBackend::Cpu => {
                let mut sums = IlluminationSums::new(size, depth);
                sums.add_all(&images)?;
                sums
            }
            SampleBackend::Gpu(gpu) => gpu::sum_images(gpu, size, depth, &images)?,
        };
        result.extend(sums.exact_values());
    }
    Ok(result)
}

/// Both depths, and more images than one load of the planes serves where limits are narrow.
fn sample_apply(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let sixteen: Vec<Plane<u16>> = (0..3).map(|_| noise.plane(size)).collect();
    let eight: Vec<Plane<u8>> = (0..2).map(|_| noise.plane(size)).collect();
    let correction = sample_correction(&mut noise, size)?;
    let mut result = apply(&sixteen, &correction, backend)?;
    result.extend(apply(&eight, &correction, backend)?);
    Ok(result)
}

fn apply<T: GreyPixel>(
    images: &[Plane<T>],
    correction: &Correction,
    backend: SampleBackend<'_>,
) -> Result<Vec<f64>> {
    let views: Vec<_> = images.iter().map(Plane::view).collect();
    let corrected = match backend {
        SampleBackend::Cpu => cpu::correct_all(&views, correction)?,
        SampleBackend::Gpu(gpu) => gpu::correct_all(gpu, &views, correction)?,
    };
    Ok(corrected.iter().flat_map(values).collect())
}

/// A correction of plausible strength with some unusable pixels.
pub(crate) fn sample_correction(noise: &mut Noise, size: Size) -> Result<Correction> {
    let mean = Plane::from_fn(size, |_, _| 2.5 + f64::from(noise.next_u16()) / 65_536.0);
    let std = Plane::from_fn(size, |_, _| match noise.next_u16() {
        0..500 => 0.0,
        value => 0.4 + 0.2 * f64::from(value) / 65_536.0,
    });
    Correction::from_smoothed(24, &mean, &std)
}
