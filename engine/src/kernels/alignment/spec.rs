//! Registry entries of alignment.

use super::cpu::{self, CompatibleReference, RobustReference};
use super::gpu;
use super::{Clip, Residues, RobustOptions, Shift};
use crate::error::Result;
use crate::image::{GreyPixel, Plane, Size};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance, values};

/// Shifting, cropping and padding.
pub const APPLY: KernelSpec = KernelSpec {
    name: "alignment_apply",
    shaders: gpu::APPLY_SHADERS,
    splits: true,
    tolerance: Tolerance::Exact,
    sample: sample_apply,
};

/// Compatible registration.
pub const COMPATIBLE: KernelSpec = KernelSpec {
    name: "alignment_compatible",
    shaders: gpu::COMPATIBLE_SHADERS,
    splits: false,
    tolerance: Tolerance::Exact,
    sample: sample_compatible,
};

/// Robust registration.
pub const ROBUST: KernelSpec = KernelSpec {
    name: "alignment_robust",
    shaders: &[],
    splits: false,
    tolerance: Tolerance::Counts {
        most: 0.05,
        equal_share: 0.0,
        because: "sums of floats depend on their order; one step of the sub-pixel shift is 0.05 px",
    },
    sample: sample_robust,
};

fn sample_apply(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
    let mut result = Vec::new();
    let small = Shift::new(i32::from(noise.next_u16() % 7) - 3, i32::from(noise.next_u16() % 7) - 3);
    for shift in [small, Shift::new(-small.x, 40), Shift::default()] {
        let residues = Residues::of(&[shift, small]);
        result.extend(applied(&eight, shift, residues, backend)?);
        result.extend(applied(&sixteen, shift, residues, backend)?);
    }
    Ok(result)
}

fn applied<T: GreyPixel>(
    plane: &Plane<T>,
    shift: Shift,
    residues: Residues,
    backend: SampleBackend<'_>,
) -> Result<Vec<f64>> {
    let plane = plane.view();
    let [moved, cropped, padded] = match backend {
        SampleBackend::Cpu => {
            [cpu::shift(plane, shift), cpu::crop(plane, shift, residues)?, cpu::pad(plane, shift, residues)?]
        }
        SampleBackend::Gpu(gpu) => [
            gpu::shift(gpu, plane, shift)?,
            gpu::crop(gpu, plane, shift, residues)?,
            gpu::pad(gpu, plane, shift, residues)?,
        ],
    };
    Ok(values(&moved).chain(values(&cropped)).chain(values(&padded)).collect())
}

/// Two planes with noise of their own, the second one moved against the first.
fn sample_pair(seed: u64, size: Size) -> (Plane<u16>, Plane<u16>) {
    let mut noise = Noise::new(seed);
    let reference = Plane::from_fn(size, |_, _| noise.next_u16() / 2);
    let shift = Shift::new(i32::from(noise.next_u16() % 9) - 4, i32::from(noise.next_u16() % 9) - 4);
    let mut target = cpu::shift(reference.view(), shift);
    for value in target.pixels_mut() {
        *value += noise.next_u16() / 8;
    }
    (reference, target)
}

/// Moved noise, and planes of which several shifts are equally good.
fn sample_compatible(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let (reference, target) = sample_pair(seed, size);
    let coarse = Plane::from_fn(size, |row, column| u8::from((3 * row + 5 * column) % 7 < 3));
    let mut shifts = compatible(&reference, &target, backend)?;
    shifts.extend(compatible(&coarse, &cpu::shift(coarse.view(), Shift::new(2, -1)), backend)?);
    Ok(shifts.into_iter().flat_map(|shift| [shift.y.into(), shift.x.into()]).collect())
}

fn compatible<T: GreyPixel>(
    reference: &Plane<T>,
    target: &Plane<T>,
    backend: SampleBackend<'_>,
) -> Result<Vec<Shift>> {
    let (reference, targets) = (reference.view(), [target.view(), reference.view()]);
    match backend {
        SampleBackend::Cpu => {
            let reference = CompatibleReference::new(reference)?;
            targets.into_iter().map(|target| reference.register(target)).collect()
        }
        SampleBackend::Gpu(gpu) => gpu::register_compatible(gpu, reference, &targets),
    }
}

fn sample_robust(seed: u64, size: Size, _backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let (reference, target) = sample_pair(seed, size);
    let options = RobustOptions { clip: Clip::Off, ..RobustOptions::default() };
    let found = RobustReference::new(reference.view(), &options)?.register(target.view())?;
    Ok(vec![found.subpixel.y, found.subpixel.x, found.quality, found.threshold])
}
