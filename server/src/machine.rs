//! What jobs can use of the machine.

use std::fs;
use std::sync::OnceLock;

/// What a machine is taken to have where the operating system does not say, in megabytes.
const UNKNOWN_MB: u64 = 8192;

/// The memory of this machine, or of the control group that the server runs in, in megabytes.
pub fn memory_mb() -> u64 {
    static MEMORY: OnceLock<u64> = OnceLock::new();
    *MEMORY.get_or_init(|| {
        let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
        let group = group.and_then(|text| text.trim().parse::<u64>().ok()).map(|bytes| bytes >> 20);
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_mb(&text));
        group.into_iter().chain(machine).min().unwrap_or(UNKNOWN_MB).max(1)
    })
}

/// The share of one core in [`memory_mb`], in megabytes.
pub fn memory_per_core_mb() -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    (memory_mb() / cores).max(1)
}

/// Total memory in the text of `/proc/meminfo`, in megabytes.
fn total_mb(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? >> 10)
}

/// What this process used so far: microseconds of processor time and most megabytes at once; of use where a job
/// has a process of its own. Absent where the operating system does not say.
pub fn process_usage() -> (Option<i64>, Option<i64>) {
    let times = fs::read_to_string("/proc/self/stat").ok();
    let cpu = times.and_then(|text| cpu_us(&text));
    (cpu, own_kb("VmHWM:").map(|kb| kb >> 10))
}

/// Memory that this process has now, in bytes. Absent where the operating system does not say.
pub fn resident_bytes() -> Option<i64> {
    own_kb("VmRSS:").map(|kb| kb << 10)
}

/// A figure of `/proc/self/status`, in kilobytes.
fn own_kb(name: &str) -> Option<i64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// User and system time in the text of `/proc/self/stat`, in microseconds; Linux counts in hundredths of a second.
fn cpu_us(text: &str) -> Option<i64> {
    // The name of the program is in brackets and may hold anything; the times are fields 14 and 15.
    let (_, fields) = text.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut next = || times.next()?.parse::<i64>().ok();
    Some((next()? + next()?) * 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operating_systems_figures_are_read() {
        assert_eq!(total_mb("MemTotal:       16303428 kB\nMemFree: 1 kB\n"), Some(15_921));
        assert_eq!(total_mb("MemFree: 1 kB\n"), None);
        let stat = "7 (a) b) R 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu_us(stat), Some(3_000_000));
        assert!(memory_per_core_mb() <= memory_mb());
    }
}
