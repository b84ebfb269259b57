//! Smoothing that keeps edges: neighbours count by how near they are and by how similar.
//!
//! ```text
//! out(y, x) = ⌊ Σ w·v / Σ w ⌋        over the pixels v at offsets (dy, dx) of the disc dy² + dx² ≤ r²
//! w         = exp(-(dy² + dx²)/2n²) · exp(-(v - in(y, x))²/2n²),    r = round(1.5·n), ties away from 0
//! ```
//!
//! One number n is the standard deviation in pixels and in grey values (Tomasi and Manduchi 1998). The plane is
//! mirrored at its edge pixels, which are not repeated (d c b | a b c d | c b a). Single precision: the result may
//! be one count from the exact one; a mean that is whole within 2⁻¹⁰ is not cut off below it.

use crate::image::{GreyPixel, Plane, Size};
use crate::parallel;
use crate::simd::{self, RowKernel};

/// Smooths with a standard deviation of `spread` pixels and grey values, not 0.
pub(super) fn bilateral<T: GreyPixel>(source: &Plane<T>, spread: usize) -> Plane<T> {
    let size = source.size();
    let mut output = Plane::zeros(size);
    if size.area() == 0 {
        return output;
    }
    let radius = (3 * spread).div_ceil(2);
    let padded = pad(source, radius);
    let steepness = -std::f32::consts::LOG2_E / (2.0 * (spread * spread) as f32);
    let (reach, limit) = (radius.cast_signed(), (radius * radius).cast_signed());
    let offsets = (-reach..=reach).flat_map(|y| (-reach..=reach).map(move |x| (y, x)));
    let near: Vec<Neighbour> = offsets
        .map(|(y, x)| (y, x, y * y + x * x))
        .filter(|(_, _, square)| *square <= limit)
        .map(|(y, x, square)| Neighbour {
            row: (reach + y).cast_unsigned(),
            column: (reach + x).cast_unsigned(),
            exponent: square as f32 * steepness,
        })
        .collect();
    parallel::for_each_band(output.pixels_mut(), size.width, |first, rows| {
        for (index, out) in rows.chunks_exact_mut(size.width).enumerate() {
            simd::run(Smooth {
                padded: &padded,
                near: &near,
                steepness,
                radius,
                row: first + index,
                output: out,
            });
        }
    });
    output
}

/// A pixel of the disc: its place in the padded plane from the place of the pixel in the plane, and the power of 2
/// that its distance stands for.
struct Neighbour {
    row: usize,
    column: usize,
    exponent: f32,
}

fn pad<T: GreyPixel>(source: &Plane<T>, radius: usize) -> Plane<f32> {
    let size = source.size();
    let inside = |at: usize, length: usize| {
        let period = (2 * (length - 1)).max(1).cast_signed();
        let turned = (at.cast_signed() - radius.cast_signed()).rem_euclid(period);
        turned.min(period - turned).cast_unsigned().min(length - 1)
    };
    Plane::from_fn(Size::new(size.height + 2 * radius, size.width + 2 * radius), |row, column| {
        f32::from(source.get(inside(row, size.height), inside(column, size.width)).into())
    })
}

/// Pixels that are computed at once.
const LANES: usize = 16;

struct Smooth<'a, T> {
    padded: &'a Plane<f32>,
    near: &'a [Neighbour],
    steepness: f32,
    radius: usize,
    row: usize,
    output: &'a mut [T],
}

impl<T: GreyPixel> RowKernel for Smooth<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let mut column = 0;
        while column + LANES <= self.output.len() {
            self.block::<LANES>(column);
            column += LANES;
        }
        while column < self.output.len() {
            self.block::<1>(column);
            column += 1;
        }
    }
}

impl<T: GreyPixel> Smooth<'_, T> {
    #[inline(always)]
    fn block<const L: usize>(&mut self, column: usize) {
        let centres = &self.padded.row(self.row + self.radius)[column + self.radius..];
        let Some(centres) = centres.first_chunk::<L>() else { return };
        let (mut sums, mut weights) = ([0f32; L], [0f32; L]);
        for near in self.near {
            let values = &self.padded.row(self.row + near.row)[column + near.column..];
            let Some(values) = values.first_chunk::<L>() else { return };
            for lane in 0..L {
                let difference = values[lane] - centres[lane];
                let weight = power_of_two(near.exponent + difference * difference * self.steepness);
                sums[lane] += weight * difference;
                weights[lane] += weight;
            }
        }
        for lane in 0..L {
            // The pixel itself has weight 1, and a mean lies among the pixels.
            let mean = centres[lane] + sums[lane] / weights[lane] + 1.0 / 1024.0;
            self.output[column + lane] = T::from_low_bits(mean as u16);
        }
    }
}

/// `2^x` for x ≤ 0 to 21 bits; 0 below the smallest normal number.
#[inline(always)]
fn power_of_two(x: f32) -> f32 {
    // Rounds to a whole number, which is then in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.max(-126.0);
    let shifted = clamped + ROUND;
    let fraction = clamped - (shifted - ROUND);
    // exp(fraction · ln 2) by its series: the next term is below 2⁻²⁶ of the result.
    let t = fraction * std::f32::consts::LN_2;
    let series = 1.0
        + t * (1.0
            + t * (0.5
                + t * (1.0 / 6.0 + t * (1.0 / 24.0 + t * (1.0 / 120.0 + t * (1.0 / 720.0 + t / 5040.0))))));
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x < -126.0 { 0.0 } else { series * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_right_to_21_bits() {
        for step in 0..4000u16 {
            let x = -f32::from(step) * 0.031_4;
            let (wanted, got) = (f64::from(x).exp2(), f64::from(power_of_two(x)));
            assert!((got - wanted).abs() <= wanted * 4e-7, "2^{x}: {got} for {wanted}");
        }
        assert_eq!(power_of_two(-1e9), 0.0);
    }
}
