//! Compiles one loop several times, for the vector instructions that processors have, and runs
//! the widest version that this processor understands.
//!
//! A binary for plain x86-64 may only use 128-bit vectors without fused multiply-add. A kernel
//! that implements [`RowKernel`] is compiled three times from the same safe body; which version
//! runs is decided when the program runs. This is the only file of the engine with `unsafe`:
//! calling a function compiled for instructions that the processor lacks would be undefined, so
//! every call follows a check.
#![allow(unsafe_code)]

/// A loop over pixels that is worth compiling for wider vectors.
///
/// `run` must be `#[inline(always)]`, as must everything hot that it calls: only code inlined
/// into the wrappers below is compiled for their instructions.
pub(crate) trait RowKernel {
    /// Runs the loop. `FMA` says that `f32::mul_add` is one instruction.
    fn run<const FMA: bool>(self);
}

/// Adds a weighted row to sums: one tap of a filter.
pub(crate) struct AddScaled<'a> {
    /// Weight of the tap.
    pub(crate) weight: f64,
    /// The row.
    pub(crate) source: &'a [f64],
    /// Where it is added.
    pub(crate) sums: &'a mut [f64],
}

impl RowKernel for AddScaled<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (sum, value) in self.sums.iter_mut().zip(self.source) {
            *sum += self.weight * value;
        }
    }
}

/// Vector instructions that the loops are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What every processor of the target has.
    Baseline,
    /// 256-bit vectors and fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The widest level of this processor; found once, afterwards one load.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn detect() -> Self {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        match (avx512, avx2) {
            (true, _) => Self::Avx512,
            (false, true) => Self::Avx2,
            (false, false) => Self::Baseline,
        }
    }

    /// The widest level of this processor.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn detect() -> Self {
        Self::Baseline
    }

    /// All levels that this processor can run, narrowest first.
    #[cfg(test)]
    pub(crate) fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let all = vec![Self::Baseline, Self::Avx2, Self::Avx512];
        #[cfg(not(target_arch = "x86_64"))]
        let all = vec![Self::Baseline];
        all.into_iter().filter(|level| *level <= Self::detect()).collect()
    }
}

/// Runs a loop with the widest vectors of this processor.
pub(crate) fn run<K: RowKernel>(kernel: K) {
    run_at(Level::detect(), kernel);
}

/// Runs a loop at a level, or at the widest available one when that is narrower.
#[inline]
pub(crate) fn run_at<K: RowKernel>(level: Level, kernel: K) {
    match level.min(Level::detect()) {
        // Fused multiply-add belongs to the baseline of 64-bit ARM.
        Level::Baseline => kernel.run::<{ cfg!(target_arch = "aarch64") }>(),
        // SAFETY: `min(detect())` above: the processor has the instructions of the level.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { run_avx2(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { run_avx512(kernel) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: RowKernel>(kernel: K) {
    kernel.run::<true>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn run_avx512<K: RowKernel>(kernel: K) {
    kernel.run::<true>();
}
