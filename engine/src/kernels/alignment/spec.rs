//! Registry entries of alignment.

use super::cpu::{self, CompatibleReference, RobustReference};
use super::gpu;
use super::{Clip, Registration, Residues, RobustOptions, Shift};
use crate::error::{EngineError, Result};
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
    shaders: gpu::ROBUST_SHADERS,
    splits: false,
    tolerance: Tolerance::Counts {
        most: 1.0,
        equal_share: 0.0,
        because: "32-bit floats: whole pixels are equal, the sub-pixel shift within one step of 0.05 px, \
                  quality and threshold within a thousandth",
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

/// Pairs that a device decides by itself: moved noise, and spots in opposite corners, which lie next
/// to each other in a circle. And stripes, of which several shifts are equally good.
fn sample_compatible(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let (reference, target) = sample_pair(seed, size);
    let last = (size.height.saturating_sub(1), size.width.saturating_sub(1));
    let spot = |at| Plane::from_fn(size, |row, column| u16::from((row, column) == at) << 15);
    let (last_spot, first_spot) = (spot(last), spot((0, 0)));
    let mut shifts = vec![
        decided(&reference, &target, backend)?,
        decided(&target, &reference, backend)?,
        decided(&last_spot, &first_spot, backend)?,
        decided(&first_spot, &last_spot, backend)?,
    ];
    let stripes = Plane::from_fn(size, |row, column| u8::from((3 * row + 5 * column) % 7 < 3));
    let (reference, moved) = (stripes.view(), cpu::shift(stripes.view(), Shift::new(2, -1)));
    let targets = [moved.view(), reference];
    shifts.extend(match backend {
        SampleBackend::Cpu => {
            let reference = CompatibleReference::new(reference)?;
            targets.into_iter().map(|target| reference.register(target)).collect::<Result<Vec<_>>>()?
        }
        SampleBackend::Gpu(gpu) => gpu::register_compatible(gpu, reference, &targets)?,
    });
    Ok(shifts.into_iter().flat_map(|shift| [shift.y.into(), shift.x.into()]).collect())
}

/// The shift of a pair of which it is an error that a device leaves it to the CPU.
fn decided(reference: &Plane<u16>, target: &Plane<u16>, backend: SampleBackend<'_>) -> Result<Shift> {
    match backend {
        SampleBackend::Cpu => CompatibleReference::new(reference.view())?.register(target.view()),
        SampleBackend::Gpu(gpu) => gpu::CompatibleReference::new(gpu, reference.view())?
            .register(target.view())?
            .ok_or_else(|| EngineError::Device("a pair without ties was not decided".to_owned())),
    }
}

/// Both depths, in units of the tolerance, so that shifts in whole pixels are equal or far apart.
fn sample_robust(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let (reference, target) = sample_pair(seed, size);
    let [low, low_target] = [&reference, &target]
        .map(|plane| Plane::from_fn(size, |row, column| plane.get(row, column).to_be_bytes()[0]));
    let mut found = robust(&reference, &target, Clip::Off, backend)?;
    found.extend(robust(&low, &low_target, Clip::Percentile(90.0), backend)?);
    Ok(found)
}

fn robust<T: GreyPixel>(
    reference: &Plane<T>,
    target: &Plane<T>,
    clip: Clip,
    backend: SampleBackend<'_>,
) -> Result<Vec<f64>> {
    let options = RobustOptions { clip, ..RobustOptions::default() };
    let targets = [target.view(), reference.view()];
    let found = match backend {
        SampleBackend::Cpu => {
            let reference = RobustReference::new(reference.view(), &options)?;
            targets.into_iter().map(|target| reference.register(target)).collect::<Result<Vec<_>>>()?
        }
        SampleBackend::Gpu(gpu) => gpu::register_robust(gpu, reference.view(), &targets, &options)?,
    };
    let steps = f64::from(options.upsampling);
    Ok(found
        .into_iter()
        .flat_map(|Registration { shift, subpixel, quality, threshold }| {
            let whole = [shift.y, shift.x].map(|pixels| 1e3 * f64::from(pixels));
            let fine = [subpixel.y, subpixel.x].map(|pixels| (steps * pixels).round());
            whole.into_iter().chain(fine).chain([1e3 * quality, 1e3 * threshold])
        })
        .collect())
}
