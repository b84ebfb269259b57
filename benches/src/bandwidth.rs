//! How fast this machine copies memory: the limit that everything else is compared with.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;

/// Bytes of one copy: far more than any cache holds.
pub const COPY_BYTES: usize = 256 << 20;
/// Bytes that one task copies.
const PART: usize = 1 << 20;

/// Bytes read and written per second by copying `bytes` bytes, on all threads of the current pool.
pub fn copy_bytes_per_second(bytes: usize, repetitions: usize) -> f64 {
    let source = vec![1u8; bytes];
    let mut target = vec![2u8; bytes];
    let mut best = f64::INFINITY;
    for _ in 0..repetitions.max(1) {
        let start = Instant::now();
        target
            .par_chunks_mut(PART)
            .zip(source.par_chunks(PART))
            .for_each(|(to, from)| to.copy_from_slice(from));
        black_box(&mut target);
        best = best.min(start.elapsed().as_secs_f64());
    }
    2.0 * bytes as f64 / best
}
