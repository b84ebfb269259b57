//! Medians over a square window.
//!
//! ```text
//! out(y, x) = element ⌊n²/2⌋ of the sorted pixels of the window
//! window    = rows y - ⌊n/2⌋ … y + ⌈n/2⌉ - 1, columns likewise; outside, the plane mirrored, the edge repeated
//! ```
//!
//! Windows of 3×3 and 5×5 are sorted as far as needed, many windows at once in vector lanes. Larger ones slide
//! (Huang, Yang and Tang 1979, "A fast two-dimensional median filtering algorithm"): counts of grey values gain
//! one column of the window and lose another, and the median moves from its last place over the values that occur,
//! found in a set of bits. The window goes to and fro, so it is filled once only.

use super::separable::Edge;
use crate::image::{GreyPixel, Histogram, Plane, Size};
use crate::parallel;
use crate::simd::{self, RowKernel};

/// Medians over windows of `side × side` pixels, `side` not 0.
pub(super) fn median<T: GreyPixel>(source: &Plane<T>, side: usize) -> Plane<T> {
    let size = source.size();
    let padded = pad(source, side);
    let mut output = Plane::zeros(size);
    match side {
        3 => parallel::for_each_band(output.pixels_mut(), size.width, |first, rows| {
            sort_rows::<T, 9>(&padded, 3, first, rows);
        }),
        5 => parallel::for_each_band(output.pixels_mut(), size.width, |first, rows| {
            sort_rows::<T, 25>(&padded, 5, first, rows);
        }),
        _ => parallel::for_each_share(output.pixels_mut(), size.width, |first, rows| {
            slide(&padded, side, first, rows, size.width);
        }),
    }
    output
}

/// The plane with mirrored pixels around it: the window of a pixel begins at the pixel's place.
fn pad<T: GreyPixel>(source: &Plane<T>, side: usize) -> Plane<T> {
    let size = source.size();
    if size.area() == 0 {
        return Plane::zeros(size);
    }
    let before = (side / 2).cast_signed();
    let inside = |at: usize, length| Edge::Reflect.index(at.cast_signed() - before, length);
    let columns: Vec<_> = (0..size.width + side - 1).map(|column| inside(column, size.width)).collect();
    let mut padded = Plane::zeros(Size::new(size.height + side - 1, columns.len()));
    for row in 0..padded.size().height {
        let source = source.row(inside(row, size.height));
        for (pixel, column) in padded.row_mut(row).iter_mut().zip(&columns) {
            *pixel = source[*column];
        }
    }
    padded
}

/// Windows that are sorted at once.
const LANES: usize = 16;

fn sort_rows<T: GreyPixel, const N: usize>(padded: &Plane<T>, side: usize, first: usize, output: &mut [T]) {
    let width = padded.size().width + 1 - side;
    for (index, out) in output.chunks_exact_mut(width).enumerate() {
        simd::run(Sort::<T, N> { padded, side, row: first + index, output: out });
    }
}

struct Sort<'a, T, const N: usize> {
    padded: &'a Plane<T>,
    side: usize,
    row: usize,
    output: &'a mut [T],
}

impl<T: GreyPixel, const N: usize> RowKernel for Sort<'_, T, N> {
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

impl<T: GreyPixel, const N: usize> Sort<'_, T, N> {
    /// Forgetful selection: of any `⌊N/2⌋ + 2` values the least and the largest cannot be the median; they are
    /// dropped and the next value comes in, until the median alone is left.
    #[inline(always)]
    fn block<const L: usize>(&mut self, column: usize) {
        let mut kept = [[T::default(); L]; N];
        for (index, kept) in kept.iter_mut().enumerate() {
            let row = &self.padded.row(self.row + index / self.side)[column + index % self.side..];
            let Some(pixels) = row.first_chunk::<L>() else { return };
            *kept = *pixels;
        }
        // kept[start..end] take part.
        let (mut start, end) = (0, N / 2 + 2);
        for next in end..=N {
            for at in start + 1..end {
                exchange(&mut kept, start, at);
            }
            for at in start + 1..end - 1 {
                exchange(&mut kept, at, end - 1);
            }
            start += 1;
            if next < N {
                kept[end - 1] = kept[next];
            }
        }
        self.output[column..column + L].copy_from_slice(&kept[start]);
    }
}

/// Puts the smaller values first; `first` is before `second`.
#[inline(always)]
fn exchange<T: GreyPixel, const L: usize>(kept: &mut [[T; L]], first: usize, second: usize) {
    let (before, after) = kept.split_at_mut(second);
    for (small, large) in before[first].iter_mut().zip(&mut after[0]) {
        (*small, *large) = ((*small).min(*large), (*small).max(*large));
    }
}

/// Grey values of a window: how often each occurs, which ones occur at all, and where the median is.
struct Window {
    counts: Vec<u32>,
    occurring: Vec<u64>,
    /// Pixels that are to be below the median or equal to it and before it.
    rank: u32,
    median: usize,
    /// Pixels below the median.
    below: u32,
}

impl Window {
    fn new<T: GreyPixel>(rank: u32) -> Self {
        let bins = Histogram::bins(T::DEPTH);
        Self { counts: vec![0; bins], occurring: vec![0; bins / 64], rank, median: 0, below: 0 }
    }

    #[inline(always)]
    fn add(&mut self, value: usize) {
        self.counts[value] += 1;
        self.occurring[value / 64] |= 1 << (value % 64);
        self.below += u32::from(value < self.median);
    }

    #[inline(always)]
    fn remove(&mut self, value: usize) {
        self.counts[value] -= 1;
        let gone = u64::from(self.counts[value] == 0);
        self.occurring[value / 64] &= !(gone << (value % 64));
        self.below -= u32::from(value < self.median);
    }

    /// Moves the median to where it belongs; the window is not empty.
    #[inline(always)]
    fn settle(&mut self) -> usize {
        while self.below > self.rank {
            self.median = self.before(self.median);
            self.below -= self.counts[self.median];
        }
        while self.below + self.counts[self.median] <= self.rank {
            self.below += self.counts[self.median];
            self.median = self.after(self.median);
        }
        self.median
    }

    /// The largest value below this one that occurs; there is one.
    fn before(&self, value: usize) -> usize {
        let mut word = value / 64;
        let mut bits = self.occurring[word] & ((1 << (value % 64)) - 1);
        while bits == 0 {
            word -= 1;
            bits = self.occurring[word];
        }
        word * 64 + bits.ilog2() as usize
    }

    /// The least value above this one that occurs; there is one.
    fn after(&self, value: usize) -> usize {
        let mut word = value / 64;
        let mut bits = self.occurring[word] & (u64::MAX - 1).wrapping_shl((value % 64) as u32);
        while bits == 0 {
            word += 1;
            bits = self.occurring[word];
        }
        word * 64 + bits.trailing_zeros() as usize
    }
}

fn slide<T: GreyPixel>(padded: &Plane<T>, side: usize, first: usize, output: &mut [T], width: usize) {
    let value = |pixel: T| usize::from(pixel.into());
    // Windows are at most as large as a padded plane.
    let rank = u32::try_from(side * side / 2).unwrap_or(u32::MAX);
    let mut window = Window::new::<T>(rank);
    for row in first..first + side {
        padded.row(row)[..side].iter().for_each(|pixel| window.add(value(*pixel)));
    }
    let mut column = 0;
    for (index, out) in output.chunks_exact_mut(width).enumerate() {
        let row = first + index;
        if index > 0 {
            let columns = column..column + side;
            let (leaving, entering) = (padded.row(row - 1), padded.row(row + side - 1));
            for (leaving, entering) in leaving[columns.clone()].iter().zip(&entering[columns]) {
                window.remove(value(*leaving));
                window.add(value(*entering));
            }
        }
        let rows = row..row + side;
        let mut put = |column: usize, window: &mut Window| {
            // The median is one of the pixels.
            out[column] = T::from_low_bits(window.settle() as u16);
        };
        put(column, &mut window);
        let to_right = column == 0;
        for _ in 1..width {
            let (leaving, entering) =
                if to_right { (column, column + side) } else { (column + side - 1, column - 1) };
            for row in rows.clone() {
                let pixels = padded.row(row);
                window.remove(value(pixels[leaving]));
                window.add(value(pixels[entering]));
            }
            column = if to_right { column + 1 } else { column - 1 };
            put(column, &mut window);
        }
    }
}
