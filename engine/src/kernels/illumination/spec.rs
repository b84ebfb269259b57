//! Registry entries of illumination statistics and correction.

use super::{Correction, IlluminationSums, cpu};
use crate::error::Result;
use crate::image::{BitDepth, GreyPlane, Plane, Size};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance, values};

/// Sums over images: mean, deviation, histogram, percentiles.
pub const SUMS: KernelSpec =
    KernelSpec { name: "illumination_sums", source: None, tolerance: Tolerance::Exact, sample: sample_sums };

/// Illumination correction.
pub const APPLY: KernelSpec = KernelSpec {
    name: "illumination_apply",
    source: None,
    tolerance: Tolerance::Counts {
        most: 1.0,
        equal_share: 0.99,
        because: "logarithm and power are approximated, and WGSL does not define them to the last bit",
    },
    sample: sample_apply,
};

fn sample_sums(seed: u64, size: Size, _backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let images: Vec<GreyPlane> = (0..3).map(|_| noise.plane::<u16>(size).into()).collect();
    let mut sums = IlluminationSums::new(size, BitDepth::Sixteen);
    sums.add_all(&images.iter().collect::<Vec<_>>())?;
    let statistics = sums.finish();
    Ok(statistics.mean.into_pixels().into_iter().chain(statistics.std.into_pixels()).collect())
}

fn sample_apply(seed: u64, size: Size, _backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let image = noise.plane::<u16>(size);
    let correction = sample_correction(&mut noise, size)?;
    Ok(values(&cpu::correct(image.view(), &correction)?).collect())
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
