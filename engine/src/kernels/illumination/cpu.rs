//! Correction on the CPU: logarithm and power as polynomials, one vector loop per row.

use super::Correction;
use crate::error::Result;
use crate::image::{BitDepth, GreyPixel, Plane, PlaneRef};
use crate::simd::{self, RowKernel};

/// Corrects an image.
///
/// # Errors
/// [`crate::EngineError::Shape`] when the image does not have the size of the correction.
pub fn correct<T: GreyPixel>(source: PlaneRef<'_, T>, correction: &Correction) -> Result<Plane<T>> {
    let mut output = Plane::zeros(source.size());
    correct_into(source, correction, &mut output)?;
    Ok(output)
}

/// Corrects images.
///
/// # Errors
/// As [`correct`].
pub fn correct_all<T: GreyPixel>(
    images: &[PlaneRef<'_, T>],
    correction: &Correction,
) -> Result<Vec<Plane<T>>> {
    correction.planes().check(images)?;
    images.iter().map(|image| correct(*image, correction)).collect()
}

/// Corrects an image into a plane that exists already: no memory is allocated.
///
/// # Errors
/// [`crate::EngineError::Shape`] when image, correction and output differ in size.
pub fn correct_into<T: GreyPixel>(
    source: PlaneRef<'_, T>,
    correction: &Correction,
    output: &mut Plane<T>,
) -> Result<()> {
    correction.planes().apply_into(source, output, T::correct_row)
}

/// Corrects one row; all slices have one length.
#[inline(always)]
pub(crate) fn correct_pixels<T: GreyPixel>(source: &[T], exponent: &[f32], offset: &[f32], output: &mut [T]) {
    simd::run(CorrectRow { source, exponent, offset, output });
}

struct CorrectRow<'a, T> {
    source: &'a [T],
    exponent: &'a [f32],
    offset: &'a [f32],
    output: &'a mut [T],
}

impl<T: GreyPixel> RowKernel for CorrectRow<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let maximum = match T::DEPTH {
            BitDepth::Eight => 255.0,
            BitDepth::Sixteen => 65_535.0,
        };
        let inputs = self.source.iter().zip(self.exponent).zip(self.offset);
        for (out, ((value, exponent), offset)) in self.output.iter_mut().zip(inputs) {
            let value: u16 = (*value).into();
            let logarithm = log2::<FMA>(i32::from(value) as f32);
            let corrected = truncate(raise::<FMA>(logarithm, *exponent, *offset), maximum);
            let unchanged = (*exponent < 0.0) | (value == 0);
            *out = T::from_low_bits(if unchanged { value } else { corrected });
        }
    }
}

/// `a·b + c`, with one rounding where the processor has the instruction.
#[inline(always)]
pub(crate) fn fused<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Coefficients of `log2(1 + t) / t` on `√½ - 1 ≤ t ≤ √2 - 1`: minimax for the absolute error of
/// the logarithm (Remez exchange in 40-digit arithmetic), 6.7·10⁻⁹.
const LOG2: [f32; 9] = [
    1.442_694_9,
    -0.721_347_13,
    0.480_922_53,
    -0.360_721_2,
    0.287_656_7,
    -0.238_519_44,
    0.217_379_38,
    -0.210_303_32,
    0.125_412_42,
];

/// A logarithm as a whole number and a rest, so that neither loses digits to the other.
#[derive(Clone, Copy)]
struct Logarithm {
    whole: f32,
    rest: f32,
}

/// Binary logarithm of a whole number from 1 on; the rest lies between -½ and ½.
#[inline(always)]
fn log2<const FMA: bool>(value: f32) -> Logarithm {
    // Bits of √½: subtracting them rounds the exponent so that the mantissa is around 1.
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let shifted = value.to_bits().wrapping_sub(SQRT_HALF);
    let whole = ((shifted as i32) >> 23) as f32;
    let mantissa = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(SQRT_HALF));
    let t = mantissa - 1.0;
    let mut sum = LOG2[8];
    let mut index = 8;
    while index > 0 {
        index -= 1;
        sum = fused::<FMA>(sum, t, LOG2[index]);
    }
    Logarithm { whole, rest: sum * t }
}

/// Coefficients of `(2^f - 1) / f` on `-½ ≤ f ≤ ½`: minimax for the relative error, 2·10⁻⁹.
const EXP2: [f32; 6] =
    [std::f32::consts::LN_2, 0.240_226_48, 0.055_503_325, 0.009_618_437, 0.001_339_887_4, 0.000_153_533_62];

/// `exp2(exponent · logarithm + offset)`, for results from ½ to 2¹⁶; anything smaller or larger
/// gives some number below 1 or above 65 535.
///
/// The power is up to 16, of which a 32-bit float keeps 20 binary digits after the point. So its
/// whole part `k` is taken off before the parts are added up, not after.
#[inline(always)]
fn raise<const FMA: bool>(logarithm: Logarithm, exponent: f32, offset: f32) -> f32 {
    // Adding 1.5·2²³ rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let Logarithm { whole, rest } = logarithm;
    let power = fused::<FMA>(exponent, whole + rest, offset);
    let power = if power > 17.0 { 17.0 } else { power };
    let power = if power < -1.0 { -1.0 } else { power };
    let rounded = power + ROUND;
    let k = rounded - ROUND;
    let high = if FMA {
        exponent.mul_add(whole, -k)
    } else {
        // The upper half of the digits times a number below 17 is exact.
        let upper = f32::from_bits(exponent.to_bits() & 0xffff_f000);
        (upper * whole - k) + (exponent - upper) * whole
    };
    let fraction = fused::<FMA>(exponent, rest, high + offset);
    let fraction = if fraction > 0.5 { 0.5 } else { fraction };
    let fraction = if fraction < -0.5 { -0.5 } else { fraction };
    let mut sum = EXP2[5];
    let mut index = 5;
    while index > 0 {
        index -= 1;
        sum = fused::<FMA>(sum, fraction, EXP2[index]);
    }
    let mantissa = fused::<FMA>(sum, fraction, 1.0);
    f32::from_bits(mantissa.to_bits().wrapping_add(rounded.to_bits() << 23))
}

/// The whole part of a number that is not negative, at most `maximum` (below 2¹⁶).
///
/// A cast would do, but its rules for NaN and overflow keep LLVM from vectorising it.
#[inline(always)]
pub(crate) fn truncate(value: f32, maximum: f32) -> u16 {
    const ROUND: f32 = 8_388_608.0;
    let value = if value > maximum { maximum } else { value };
    let rounded = value + ROUND;
    let too_high = rounded - ROUND > value;
    (rounded.to_bits() & 0xffff).wrapping_sub(u32::from(too_high)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Level;

    fn reference(value: u16, exponent: f32, offset: f32) -> u16 {
        if value == 0 || exponent < 0.0 {
            return value;
        }
        let power = f64::from(exponent) * f64::from(value).log2() + f64::from(offset);
        power.exp2().clamp(0.0, 65_535.0) as u16
    }

    #[test]
    fn every_value_is_within_one_count_of_64_bit_floats_at_every_vector_level() {
        let source: Vec<u16> = (0..=u16::MAX).collect();
        for (exponent, offset) in
            [(1.0, 0.0), (0.75, 3.9), (1.45, -7.1), (-1.0, 0.0), (0.9, 2.0), (3.0, -30.0)]
        {
            for level in Level::available() {
                let mut output = vec![0; source.len()];
                let (exponents, offsets) = (vec![exponent; source.len()], vec![offset; source.len()]);
                simd::run_at(
                    level,
                    CorrectRow {
                        source: &source,
                        exponent: &exponents,
                        offset: &offsets,
                        output: &mut output,
                    },
                );
                let mut unequal = 0;
                for (value, actual) in source.iter().zip(&output) {
                    let expected = reference(*value, exponent, offset);
                    assert!(
                        expected.abs_diff(*actual) <= 1,
                        "{value} → {actual}, not {expected} ({level:?})"
                    );
                    unequal += usize::from(expected != *actual);
                }
                // The identity is the hard case: every exact result is a whole number, and
                // truncation makes an error of 10⁻⁷ a whole count.
                if exponent != 1.0 {
                    assert!(unequal * 100 < source.len(), "{unequal} unequal ({exponent}, {level:?})");
                }
            }
        }
    }
}
