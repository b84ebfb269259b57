//! How rows are shared among threads: in bands, and only when there is enough to share.

use rayon::prelude::*;

/// Work below this many pixels runs on the calling thread: one 256×256 tile costs less than
/// waking another thread.
const SEQUENTIAL_PIXELS: usize = 1 << 18;
/// Pixels of one band: its rows stay in the second-level cache of a core.
const BAND_PIXELS: usize = 1 << 17;

/// Number of rows of one band for rows of this width.
pub(crate) fn band_rows(width: usize) -> usize {
    (BAND_PIXELS / width.max(1)).max(1)
}

/// Calls `work(first row, rows)` for as many equal parts of `output` as there are threads: for filters that
/// carry sums from row to row, which would cost more to start again than bands save.
pub(crate) fn for_each_share<T: Send>(
    output: &mut [T],
    width: usize,
    work: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    if output.is_empty() {
        return;
    }
    let threads = rayon::current_num_threads();
    if output.len() <= SEQUENTIAL_PIXELS || threads == 1 {
        work(0, output);
        return;
    }
    let rows = (output.len() / width).div_ceil(threads);
    output.par_chunks_mut(rows * width).enumerate().for_each(|(part, pixels)| work(part * rows, pixels));
}

/// Calls `work(first row, rows)` for bands of rows of `output`, in parallel when it is large.
pub(crate) fn for_each_band<T: Send>(
    output: &mut [T],
    width: usize,
    work: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    if output.is_empty() {
        return;
    }
    if output.len() <= SEQUENTIAL_PIXELS {
        work(0, output);
        return;
    }
    let rows = band_rows(width);
    output.par_chunks_mut(rows * width).enumerate().for_each(|(band, pixels)| work(band * rows, pixels));
}
