//! Flat-field correction on the CPU: a subtraction, a multiplication and an addition per pixel.

use super::FlatfieldCorrection;
use crate::error::Result;
use crate::image::{BitDepth, GreyPixel, Plane, PlaneRef};
use crate::kernels::illumination::cpu::{fused, truncate};
use crate::simd::{self, RowKernel};

/// Corrects images.
///
/// # Errors
/// [`crate::EngineError::Shape`] when an image does not have the size of the correction.
pub fn apply_all<T: GreyPixel>(
    images: &[PlaneRef<'_, T>],
    correction: &FlatfieldCorrection,
) -> Result<Vec<Plane<T>>> {
    correction.planes().check(images)?;
    images
        .iter()
        .map(|image| {
            let mut output = Plane::zeros(image.size());
            apply_into(*image, correction, &mut output)?;
            Ok(output)
        })
        .collect()
}

/// Corrects an image into a plane that exists already: no memory is allocated.
///
/// # Errors
/// [`crate::EngineError::Shape`] when image, correction and output differ in size.
pub fn apply_into<T: GreyPixel>(
    source: PlaneRef<'_, T>,
    correction: &FlatfieldCorrection,
    output: &mut Plane<T>,
) -> Result<()> {
    correction.planes().apply_into(source, output, T::flatten_row)
}

/// Corrects one row; all slices have one length.
#[inline(always)]
pub(crate) fn flatten_pixels<T: GreyPixel>(source: &[T], gain: &[f32], dark: &[f32], output: &mut [T]) {
    simd::run(FlattenRow { source, gain, dark, output });
}

struct FlattenRow<'a, T> {
    source: &'a [T],
    gain: &'a [f32],
    dark: &'a [f32],
    output: &'a mut [T],
}

impl<T: GreyPixel> RowKernel for FlattenRow<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let maximum = match T::DEPTH {
            BitDepth::Eight => 255.0,
            BitDepth::Sixteen => 65_535.0,
        };
        let inputs = self.source.iter().zip(self.gain).zip(self.dark);
        for (out, ((value, gain), dark)) in self.output.iter_mut().zip(inputs) {
            let value: u16 = (*value).into();
            let flat = fused::<FMA>(i32::from(value) as f32 - *dark, *gain, 0.5);
            let flat = if flat > 0.0 { flat } else { 0.0 };
            *out = T::from_low_bits(if *gain < 0.0 { value } else { truncate(flat, maximum) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Level;

    #[test]
    fn every_value_is_within_one_count_of_64_bit_floats_at_every_vector_level() {
        let source: Vec<u16> = (0..=u16::MAX).collect();
        for (profile, dark) in
            [(1.0f64, 0.0f64), (0.37, 100.0), (1.61, -3.5), (0.002, 64_000.0), (1.0, 431.0)]
        {
            let gain = vec![(1.0 / profile) as f32; source.len()];
            let darks = vec![dark as f32; source.len()];
            for level in Level::available() {
                let mut output = vec![7; source.len()];
                let row = FlattenRow { source: &source, gain: &gain, dark: &darks, output: &mut output };
                simd::run_at(level, row);
                let mut unequal = 0;
                for (value, actual) in source.iter().zip(&output) {
                    let flat = ((f64::from(*value) - dark) / profile + 0.5).floor();
                    let expected = flat.clamp(0.0, 65_535.0) as u16;
                    assert!(
                        expected.abs_diff(*actual) <= 1,
                        "{value} → {actual}, not {expected} ({level:?})"
                    );
                    unequal += usize::from(expected != *actual);
                }
                assert!(unequal * 100 < source.len(), "{unequal} unequal ({profile}, {dark}, {level:?})");
            }
        }
    }
}
