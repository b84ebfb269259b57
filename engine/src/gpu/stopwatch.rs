//! Where the time of GPU work goes: upload, kernels, readback. For benchmarks.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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
