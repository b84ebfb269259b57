//! Stretching on the CPU: an exact integer division in 16-bit vector lanes.

use super::Limits;
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, Plane, PlaneRef};
use crate::parallel;
use crate::simd::{self, RowKernel};

/// Stretches the grey values of a plane to 8 bits.
///
/// # Errors
/// [`EngineError::Parameter`] when the limits are not in order.
pub fn rescale<T: GreyPixel>(source: PlaneRef<'_, T>, limits: Limits) -> Result<Plane<u8>> {
    let mut output = Plane::zeros(source.size());
    rescale_into(source, limits, &mut output)?;
    Ok(output)
}

/// Stretches into a plane that exists already: no memory is allocated.
///
/// # Errors
/// [`EngineError::Shape`] when the sizes differ; [`EngineError::Parameter`] when the limits are
/// not in order.
pub fn rescale_into<T: GreyPixel>(
    source: PlaneRef<'_, T>,
    limits: Limits,
    output: &mut Plane<u8>,
) -> Result<()> {
    if output.size() != source.size() {
        return Err(EngineError::Shape {
            what: "output of rescaling",
            expected: source.size().to_string(),
            actual: output.size().to_string(),
        });
    }
    let ramp = Ramp::new(limits)?;
    let width = output.size().width;
    parallel::for_each_band(output.pixels_mut(), width, |first, rows| {
        for (index, out) in rows.chunks_exact_mut(width).enumerate() {
            ramp.apply(source.row(first + index), out);
        }
    });
    Ok(())
}

/// Limits prepared for many pixels: a division turned into a multiplication.
///
/// With `d = v - lower` clamped to `0 ≤ d ≤ span` and `span = upper - lower - 1`, the wanted
/// value is `q = ⌊255·d / span⌋`. The estimate is `⌊y·factor / 2¹⁶⌋`, where
///
/// * `span ≥ 256`: `y = d`, `factor = ⌊255·2¹⁶ / span⌋`;
/// * `span < 256`: `y = 255·d` (fits 16 bits), `factor = ⌈2¹⁶ / span⌉ - 1`.
///
/// Both factors fit 16 bits, and `⌊y·factor / 2¹⁶⌋` is `q` or `q - 1`: the exact product exceeds
/// `255·d/span - 1`. One comparison of `255·d` with `(estimate + 1)·span` settles which.
#[derive(Debug, Clone, Copy)]
pub struct Ramp {
    lower: u16,
    span: u16,
    factor: u16,
}

impl Ramp {
    pub(crate) fn new(limits: Limits) -> Result<Self> {
        limits.check()?;
        let span = limits.upper - limits.lower - 1;
        let factor = match u32::from(span) {
            0 => 0,
            narrow @ 1..256 => (1u32 << 16).div_ceil(narrow) - 1,
            wide => (255u32 << 16) / wide,
        };
        Ok(Self { lower: limits.lower, span, factor: factor as u16 })
    }

    /// Stretches one row.
    pub(crate) fn apply<T: GreyPixel>(self, source: &[T], output: &mut [u8]) {
        T::stretch_row(self, source, output);
    }
}

/// Stretches one row of one pixel type.
#[inline(always)]
pub(crate) fn stretch_row<T: GreyPixel>(ramp: Ramp, source: &[T], output: &mut [u8]) {
    match ramp.span {
        0 => {
            for (out, value) in output.iter_mut().zip(source) {
                *out = if (*value).into() > ramp.lower { 255 } else { 0 };
            }
        }
        1..256 => simd::run(Stretch::<T, true> { ramp, source, output }),
        256.. => simd::run(Stretch::<T, false> { ramp, source, output }),
    }
}

struct Stretch<'a, T, const NARROW: bool> {
    ramp: Ramp,
    source: &'a [T],
    output: &'a mut [u8],
}

impl<T: GreyPixel, const NARROW: bool> RowKernel for Stretch<'_, T, NARROW> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Ramp { lower, span, factor } = self.ramp;
        for (out, value) in self.output.iter_mut().zip(self.source) {
            let above = (*value).into().saturating_sub(lower).min(span);
            *out = divide::<NARROW>(above, span, factor);
        }
    }
}

/// `⌊255·above / span⌋` in 16-bit arithmetic; 32-bit products are kept as two halves.
#[inline(always)]
fn divide<const NARROW: bool>(above: u16, span: u16, factor: u16) -> u8 {
    let times_255 = above.wrapping_mul(255);
    let estimate = high(if NARROW { times_255 } else { above }, factor);
    let next = estimate + 1;
    // 255·above ≥ next·span, compared as (high half, low half).
    let (left_high, left_low) = (high(above, 255), times_255);
    let (right_high, right_low) = (high(next, span), next.wrapping_mul(span));
    let reached = (left_high > right_high) | ((left_high == right_high) & (left_low >= right_low));
    (estimate + u16::from(reached)) as u8
}

/// Upper half of a 32-bit product.
#[inline(always)]
fn high(a: u16, b: u16) -> u16 {
    ((u32::from(a) * u32::from(b)) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Level;

    #[test]
    fn the_multiplication_gives_the_quotient_for_every_value_of_many_spans() {
        let spans = (1..600).chain((600..65_535).step_by(97)).chain([32_767, 32_768, 65_533, 65_534]);
        for span in spans {
            let ramp = Ramp::new(Limits { lower: 0, upper: span + 1 }).expect("limits are in order");
            for above in 0..=span {
                let expected = (255 * u32::from(above) / u32::from(span)) as u8;
                let actual = if span < 256 {
                    divide::<true>(above, span, ramp.factor)
                } else {
                    divide::<false>(above, span, ramp.factor)
                };
                assert_eq!(actual, expected, "{above} of {span}");
            }
        }
    }

    #[test]
    fn every_vector_level_gives_the_same_values() {
        let source: Vec<u16> = (0..=u16::MAX).collect();
        let ramp = Ramp::new(Limits { lower: 431, upper: 40_056 }).expect("limits are in order");
        let mut first = vec![0; source.len()];
        simd::run_at(Level::Baseline, Stretch::<_, false> { ramp, source: &source, output: &mut first });
        for level in Level::available() {
            let mut output = vec![7; source.len()];
            simd::run_at(level, Stretch::<_, false> { ramp, source: &source, output: &mut output });
            assert_eq!(output, first, "{level:?}");
        }
    }
}
