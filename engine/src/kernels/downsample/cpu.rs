//! Halving on the CPU: bands of rows, each row pair one vector loop.

use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, Plane, PlaneRef};
use crate::parallel;
use crate::simd::{self, RowKernel};

/// Halves a plane of `H×W` into one of `⌈H/2⌉ × ⌈W/2⌉`.
pub fn downsample<T: GreyPixel>(source: PlaneRef<'_, T>) -> Plane<T> {
    let mut output = Plane::zeros(source.size().halved());
    fill(source, &mut output);
    output
}

/// Halves a plane into one that exists already: no memory is allocated.
///
/// # Errors
/// [`EngineError::Shape`] when `output` is not half the size of `source`, rounded up.
pub fn downsample_into<T: GreyPixel>(source: PlaneRef<'_, T>, output: &mut Plane<T>) -> Result<()> {
    if output.size() != source.size().halved() {
        return Err(EngineError::Shape {
            what: "output of downsampling",
            expected: source.size().halved().to_string(),
            actual: output.size().to_string(),
        });
    }
    fill(source, output);
    Ok(())
}

fn fill<T: GreyPixel>(source: PlaneRef<'_, T>, output: &mut Plane<T>) {
    let width = output.size().width;
    parallel::for_each_band(output.pixels_mut(), width, |first, rows| {
        for (index, out) in rows.chunks_exact_mut(width).enumerate() {
            let top = 2 * (first + index);
            let bottom = (top + 1 < source.size().height).then(|| source.row(top + 1));
            halve_rows(source.row(top), bottom, out);
        }
    });
}

/// One output row from two input rows; a missing bottom row counts as zeros.
fn halve_rows<T: GreyPixel>(top: &[T], bottom: Option<&[T]>, out: &mut [T]) {
    let (top_pairs, top_rest) = top.as_chunks::<2>();
    let zero = T::default();
    if let Some(bottom) = bottom {
        let (bottom_pairs, bottom_rest) = bottom.as_chunks::<2>();
        T::halve_row(top_pairs, bottom_pairs, &mut out[..top_pairs.len()]);
        if let ([a], [c]) = (top_rest, bottom_rest) {
            out[top_pairs.len()] = T::mean_of_four([*a, zero], [*c, zero]);
        }
    } else {
        for (out, pair) in out.iter_mut().zip(top_pairs) {
            *out = T::mean_of_four(*pair, [zero, zero]);
        }
        if let [a] = top_rest {
            out[top_pairs.len()] = T::mean_of_four([*a, zero], [zero, zero]);
        }
    }
}

/// The part of a row pair that is whole 2×2 blocks.
#[inline(always)]
pub(crate) fn halve_pairs<T: GreyPixel>(top: &[[T; 2]], bottom: &[[T; 2]], out: &mut [T]) {
    simd::run(HalvePairs { top, bottom, out });
}

struct HalvePairs<'a, T> {
    top: &'a [[T; 2]],
    bottom: &'a [[T; 2]],
    out: &'a mut [T],
}

impl<T: GreyPixel> RowKernel for HalvePairs<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((out, top), bottom) in self.out.iter_mut().zip(self.top).zip(self.bottom) {
            *out = T::mean_of_four(*top, *bottom);
        }
    }
}
