//! What this process uses over time, as the operating system tells it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tm_server::machine::process_usage;
use tm_server::store::{Clock, SystemClock};

/// Time between samples; what is shorter may be missed.
const EVERY: Duration = Duration::from_millis(20);

/// What the process used up to a moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Microseconds since 1970.
    pub at_us: i64,
    /// Processor time of all threads since the process began, in microseconds.
    pub cpu_us: i64,
    /// Memory in use at that moment, in megabytes.
    pub resident_mb: i64,
}

impl Sample {
    fn now() -> Self {
        let cpu_us = process_usage().0.unwrap_or(0);
        Self { at_us: SystemClock.now_us(), cpu_us, resident_mb: resident_mb().unwrap_or(0) }
    }
}

/// A thread that takes samples.
pub struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    /// Begin.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let mut samples = vec![Sample::now()];
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(EVERY);
                    samples.push(Sample::now());
                }
                samples
            }
        });
        Self { stop, thread }
    }

    /// End; the samples are in their order.
    pub fn stop(self) -> Vec<Sample> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// What a stretch of time used.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Mean number of busy cores.
    pub busy_cores: f64,
    /// Most memory, in megabytes.
    pub peak_mb: i64,
}

/// What the process used between two moments, in microseconds since 1970.
pub fn used(samples: &[Sample], from_us: i64, to_us: i64) -> Used {
    let before = samples.iter().rev().find(|sample| sample.at_us <= from_us).or_else(|| samples.first());
    let after = samples.iter().find(|sample| sample.at_us >= to_us).or_else(|| samples.last());
    let (Some(before), Some(after)) = (before, after) else {
        return Used { busy_cores: 0.0, peak_mb: 0 };
    };
    let within = samples.iter().filter(|sample| (before.at_us..=after.at_us).contains(&sample.at_us));
    let time = (after.at_us - before.at_us).max(1) as f64;
    Used {
        busy_cores: (after.cpu_us - before.cpu_us) as f64 / time,
        peak_mb: within.map(|sample| sample.resident_mb).max().unwrap_or(0),
    }
}

/// Memory that this process has, in megabytes.
fn resident_mb() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()? >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_takes_the_samples_around_it() {
        let sample = |at_us, cpu_us, resident_mb| Sample { at_us, cpu_us, resident_mb };
        let samples = [sample(0, 0, 9), sample(10, 10, 1), sample(20, 30, 3), sample(30, 31, 7)];
        let middle = used(&samples, 10, 20);
        assert_eq!((middle.busy_cores, middle.peak_mb), (2.0, 3));
        let all = used(&samples, -5, 90);
        assert_eq!((all.busy_cores, all.peak_mb), (31.0 / 30.0, 9));
    }

    #[test]
    fn work_and_memory_are_seen() {
        let sampler = Sampler::start();
        let mut block = vec![0_u8; 64 << 20];
        let mut sum = 0_u64;
        while process_usage().0.is_some_and(|cpu| cpu < 100_000) || sum == 0 {
            for (index, byte) in block.iter_mut().enumerate() {
                *byte = byte.wrapping_add(index as u8 | 1);
                sum += u64::from(*byte);
            }
        }
        let samples = sampler.stop();
        let (first, last) = (samples[0], samples[samples.len() - 1]);
        let used = used(&samples, first.at_us, last.at_us);
        assert!(used.peak_mb >= 64 && used.busy_cores > 0.0, "{used:?}, {sum}");
    }
}
