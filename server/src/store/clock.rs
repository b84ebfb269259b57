//! The time, as a parameter.

use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time comes from. Tests set their own.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Microseconds since 1970 (UTC).
    fn now_us(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> i64 {
        // The only place that reads the wall clock; before 1970 it reads 0.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
    }
}
