//! Where the time of GPU work goes, and how fast the device copies its memory. For benchmarks.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Gpu, Recording};
use crate::error::Result;

/// Copies of one submission: enough that its own cost does not count.
const COPIES: u32 = 16;

/// Time and bytes of the phases of GPU work since they were last taken.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Phases {
    /// Seconds until uploaded bytes had reached the device.
    pub upload_seconds: f64,
    /// Seconds from submitting the kernels until they were done.
    pub run_seconds: f64,
    /// Seconds until results had reached the host.
    pub readback_seconds: f64,
    /// Bytes uploaded.
    pub upload_bytes: u64,
    /// Bytes read back.
    pub readback_bytes: u64,
}

/// Adds phases up. A device with a stopwatch waits between phases, so the whole takes longer.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch(Mutex<Phases>);

impl Stopwatch {
    pub(crate) fn add_upload(&self, time: Duration, bytes: u64) {
        self.change(|phases| {
            phases.upload_seconds += time.as_secs_f64();
            phases.upload_bytes += bytes;
        });
    }

    pub(crate) fn add_run(&self, time: Duration) {
        self.change(|phases| phases.run_seconds += time.as_secs_f64());
    }

    pub(crate) fn add_readback(&self, time: Duration, bytes: u64) {
        self.change(|phases| {
            phases.readback_seconds += time.as_secs_f64();
            phases.readback_bytes += bytes;
        });
    }

    /// The phases so far; starts again from nothing.
    pub(crate) fn take(&self) -> Phases {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Phases)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Gpu {
    /// Bytes read and written per second by copying device memory to device memory, the best of some
    /// repetitions: the limit that kernels are compared with. Copies `bytes` bytes, or as many as a
    /// kernel could be given at once.
    ///
    /// # Errors
    /// [`crate::EngineError::Device`] when the device cannot do it.
    pub fn copy_bytes_per_second(&self, bytes: u64, repetitions: usize) -> Result<f64> {
        let bytes = bytes.min(self.caps.binding_bytes) / 4 * 4;
        let mut best = f64::INFINITY;
        // The first one warms up.
        for _ in 0..=repetitions.max(1) {
            let mut recording = Recording::new(self)?;
            let (source, target) = (recording.zeros(bytes)?, recording.zeros(bytes)?);
            recording.finish()?;
            let mut recording = Recording::new(self)?;
            for _ in 0..COPIES {
                recording.copy(&source, &target);
            }
            let start = Instant::now();
            recording.finish()?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        Ok(2.0 * f64::from(COPIES) * bytes as f64 / best)
    }
}
