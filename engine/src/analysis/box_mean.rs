//! Means over a square window, one addition and one subtraction per pixel however large the window.
//!
//! ```text
//! out(y, x) = ⌊ sum of the pixels of the window that are in the plane / their number ⌋
//! window    = rows y - ⌊n/2⌋ … y + ⌈n/2⌉ - 1, columns likewise: an even window extends up and left
//! ```
//!
//! Exact: sums are integers.

use crate::image::{GreyPixel, Plane};
use crate::parallel;
use crate::simd::{self, RowKernel};

/// Means over windows of `side × side` pixels; 1 ≤ `side` ≤ 65 536.
pub(super) fn box_mean<T: GreyPixel>(source: &Plane<T>, side: usize) -> Plane<T> {
    let size = source.size();
    let (before, after) = (side / 2, side.div_ceil(2));
    let in_plane = |at: usize, length: usize| (at + after).min(length) - at.saturating_sub(before);
    let columns_in: Vec<f64> = (0..size.width).map(|column| in_plane(column, size.width) as f64).collect();
    let mut output = Plane::zeros(size);
    parallel::for_each_share(output.pixels_mut(), size.width, |first, rows| {
        // Sums of the columns over the rows of the window, and of the window over the columns.
        let mut columns = vec![0u32; size.width];
        let mut windows = vec![0u64; size.width];
        for row in first.saturating_sub(before)..(first + after - 1).min(size.height) {
            simd::run(Add { source: source.row(row), sums: &mut columns });
        }
        for (index, out) in rows.chunks_exact_mut(size.width).enumerate() {
            let row = first + index;
            if row + after <= size.height {
                simd::run(Add { source: source.row(row + after - 1), sums: &mut columns });
            }
            if row > before && row > first {
                simd::run(Subtract { source: source.row(row - before - 1), sums: &mut columns });
            }
            sum_windows(&columns, before, after, &mut windows);
            let rows_in = in_plane(row, size.height) as f64;
            simd::run(Divide { windows: &windows, columns_in: &columns_in, rows_in, output: out });
        }
    });
    output
}

/// Sums over columns `x - before … x + after - 1` of those that there are.
fn sum_windows(columns: &[u32], before: usize, after: usize, windows: &mut [u64]) {
    let width = columns.len();
    let mut sum: u64 = columns[..(after - 1).min(width)].iter().map(|column| u64::from(*column)).sum();
    let entering = columns.get(after - 1..).unwrap_or_default().iter().chain(std::iter::repeat(&0));
    let leaving = std::iter::repeat_n(&0, before + 1).chain(columns);
    for ((window, entering), leaving) in windows.iter_mut().zip(entering).zip(leaving) {
        sum = sum + u64::from(*entering) - u64::from(*leaving);
        *window = sum;
    }
}

struct Add<'a, T> {
    source: &'a [T],
    sums: &'a mut [u32],
}

impl<T: GreyPixel> RowKernel for Add<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (sum, value) in self.sums.iter_mut().zip(self.source) {
            *sum += u32::from((*value).into());
        }
    }
}

struct Subtract<'a, T> {
    source: &'a [T],
    sums: &'a mut [u32],
}

impl<T: GreyPixel> RowKernel for Subtract<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (sum, value) in self.sums.iter_mut().zip(self.source) {
            *sum -= u32::from((*value).into());
        }
    }
}

/// Divides in floating point: sums are below 2⁴⁹ and counts below 2³³, so a quotient that is not whole lies
/// further below the next whole number than rounding moves it.
struct Divide<'a, T> {
    windows: &'a [u64],
    columns_in: &'a [f64],
    rows_in: f64,
    output: &'a mut [T],
}

impl<T: GreyPixel> RowKernel for Divide<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((out, window), columns) in self.output.iter_mut().zip(self.windows).zip(self.columns_in) {
            // A mean of pixels is a value of a pixel.
            *out = T::from_low_bits((*window as f64 / (self.rows_in * columns)) as u16);
        }
    }
}
