//! Counting on the CPU.

use rayon::prelude::*;

use crate::image::{GreyPixel, Histogram, PlaneRef};

/// Pixels from which on another thread is worth its own table.
const PART: usize = 1 << 18;

/// Counts the pixels of a plane by grey value.
pub fn histogram<T: GreyPixel>(plane: PlaneRef<'_, T>) -> Histogram {
    let mut histogram = Histogram::new(T::DEPTH);
    if let Some(pixels) = plane.contiguous_rows(0..plane.size().height) {
        histogram.add(count(pixels, rayon::current_num_threads()));
    } else {
        for row in 0..plane.size().height {
            let counts = histogram.counts_mut();
            for value in plane.row(row) {
                counts[usize::from((*value).into())] += 1;
            }
        }
    }
    histogram
}

/// Counts pixels on up to `threads` threads.
pub(crate) fn count<T: GreyPixel>(pixels: &[T], threads: usize) -> Vec<u64> {
    let part = pixels.len().div_ceil(threads.max(1)).max(PART);
    if pixels.len() <= part {
        return T::count_row(pixels);
    }
    pixels
        .par_chunks(part)
        .map(T::count_row)
        .reduce_with(|mut left, right| {
            for (left, right) in left.iter_mut().zip(right) {
                *left += right;
            }
            left
        })
        .unwrap_or_else(|| vec![0; Histogram::bins(T::DEPTH)])
}

/// Two tables in turns, since neighbouring pixels often are equal and an addition to the same
/// counter has to wait for the one before.
#[inline(always)]
pub(crate) fn count_part<T: GreyPixel>(pixels: &[T]) -> Vec<u64> {
    let bins = Histogram::bins(T::DEPTH);
    let mut total = vec![0u64; bins];
    // 32-bit counters are half as large; a part is cut so that none can overflow.
    for pixels in pixels.chunks(u32::MAX as usize) {
        let mut even = vec![0u32; bins];
        let mut odd = vec![0u32; bins];
        let (even, odd) = (&mut even[..bins], &mut odd[..bins]);
        let (pairs, rest) = pixels.as_chunks::<2>();
        for [first, second] in pairs {
            even[usize::from((*first).into())] += 1;
            odd[usize::from((*second).into())] += 1;
        }
        for value in rest {
            even[usize::from((*value).into())] += 1;
        }
        for ((total, even), odd) in total.iter_mut().zip(even).zip(odd) {
            *total += u64::from(*even) + u64::from(*odd);
        }
    }
    total
}
