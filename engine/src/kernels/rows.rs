//! The inner loops for each pixel type, compiled in this crate.
//!
//! Generic functions are compiled where they are used, with the optimisation of that crate. These
//! methods are not generic, so the loops over pixels are always optimised fully and for wide
//! vectors, in a debug build of the server too.

use super::rescale::cpu::{Ramp, stretch_row};
use super::{downsample, flatfield, histogram, illumination, projection};

/// Loops over the pixels of one row. Implemented for `u8` and `u16` only.
pub trait RowLoops: Sized {
    /// Means of 2×2 pixels.
    fn halve_row(top: &[[Self; 2]], bottom: &[[Self; 2]], output: &mut [Self]);
    /// Maxima of 2×2 pixels.
    fn halve_max_row(top: &[[Self; 2]], bottom: &[[Self; 2]], output: &mut [Self]);
    /// Stretches to 8 bits.
    fn stretch_row(ramp: Ramp, source: &[Self], output: &mut [u8]);
    /// Corrects illumination.
    fn correct_row(source: &[Self], exponent: &[f32], offset: &[f32], output: &mut [Self]);
    /// Corrects by a flat-field.
    fn flatten_row(source: &[Self], gain: &[f32], dark: &[f32], output: &mut [Self]);
    /// Takes the larger of output and source.
    fn raise_row(source: &[Self], output: &mut [Self]);
    /// Widens to 16 bits.
    fn widen_row(source: &[Self], output: &mut [u16]);
    /// Looks up the logarithm of each pixel.
    fn look_up_row(table: &[u32; 65_536], source: &[Self], output: &mut [u32]);
    /// Counts grey values.
    fn count_row(source: &[Self]) -> Vec<u64>;
}

macro_rules! row_loops {
    ($($pixel:ty),*) => {$(
        impl RowLoops for $pixel {
            #[inline(never)]
            fn halve_row(top: &[[Self; 2]], bottom: &[[Self; 2]], output: &mut [Self]) {
                downsample::cpu::halve_pairs(top, bottom, output);
            }
            #[inline(never)]
            fn halve_max_row(top: &[[Self; 2]], bottom: &[[Self; 2]], output: &mut [Self]) {
                downsample::cpu::halve_pairs_max(top, bottom, output);
            }
            #[inline(never)]
            fn stretch_row(ramp: Ramp, source: &[Self], output: &mut [u8]) {
                stretch_row(ramp, source, output);
            }
            #[inline(never)]
            fn correct_row(source: &[Self], exponent: &[f32], offset: &[f32], output: &mut [Self]) {
                illumination::cpu::correct_pixels(source, exponent, offset, output);
            }
            #[inline(never)]
            fn flatten_row(source: &[Self], gain: &[f32], dark: &[f32], output: &mut [Self]) {
                flatfield::cpu::flatten_pixels(source, gain, dark, output);
            }
            #[inline(never)]
            fn raise_row(source: &[Self], output: &mut [Self]) {
                projection::cpu::raise_pixels(source, output);
            }
            #[inline(never)]
            fn widen_row(source: &[Self], output: &mut [u16]) {
                for (out, value) in output.iter_mut().zip(source) {
                    *out = u16::from(*value);
                }
            }
            #[inline(never)]
            fn look_up_row(table: &[u32; 65_536], source: &[Self], output: &mut [u32]) {
                illumination::look_up(table, source, output);
            }
            #[inline(never)]
            fn count_row(source: &[Self]) -> Vec<u64> {
                histogram::cpu::count_part(source)
            }
        }
    )*};
}
row_loops!(u8, u16);

/// Loops over the labels of one row. Implemented for `u8`, `u16` and `i32` only.
pub trait LabelLoops: Sized {
    /// Majorities of 2×2 labels.
    fn halve_mode_row(top: &[[Self; 2]], bottom: &[[Self; 2]], output: &mut [Self]);
}

macro_rules! label_loops {
    ($($label:ty),*) => {$(
        impl LabelLoops for $label {
            #[inline(never)]
            fn halve_mode_row(top: &[[Self; 2]], bottom: &[[Self; 2]], output: &mut [Self]) {
                downsample::cpu::halve_pairs_mode(top, bottom, output);
            }
        }
    )*};
}
label_loops!(u8, u16, i32);
