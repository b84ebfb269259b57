//! Slows down those who guess passwords, and nobody else.
//!
//! Failed logins are counted by address and by name. Once either has more than the allowed number, each further
//! failure doubles the time until the next attempt is looked at: up to [`ADDRESS_WAITS_AT_MOST_S`] for an address,
//! and [`NAME_WAITS_AT_MOST_S`] for a name, whatever addresses the guesses come from. The name's wait does not
//! concern an address that did not fail itself, so that nobody can keep a user out from elsewhere. Failures are
//! forgotten after [`KEPT_FOR_S`]; those of a name also when the right password comes.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Longest time that an address has to wait, in seconds.
const ADDRESS_WAITS_AT_MOST_S: u64 = 60;
/// Longest time that attempts for a name have to wait, in seconds.
const NAME_WAITS_AT_MOST_S: u64 = 8;
/// How long a failure is remembered, in seconds.
const KEPT_FOR_S: u64 = 15 * 60;
/// Most addresses, and most names, that are remembered; the oldest failures are forgotten first.
const KEPT_AT_MOST: usize = 10_000;
/// Users have names of at most so many characters; what comes after them is not kept.
const NAME_CHARS: usize = 100;
const SECOND_US: i64 = 1_000_000;

/// Too many failed logins: the attempt was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failed logins; try again in {wait_s} second(s)")]
pub struct TooManyFailures {
    /// When to try again, in seconds from now.
    pub wait_s: u64,
}

/// Counts failed logins; cheap to clone.
#[derive(Debug, Clone)]
pub struct LoginThrottle {
    allowed: u32,
    failures: Arc<Mutex<Failures>>,
}

#[derive(Debug, Default)]
struct Failures {
    addresses: HashMap<IpAddr, Count>,
    names: HashMap<String, Count>,
}

/// Failures in a row, and when the last one was, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Count {
    number: u32,
    last_us: i64,
}

impl Count {
    /// Seconds until the next attempt is looked at.
    fn wait_s(self, now_us: i64, allowed: u32, at_most_s: u64) -> u64 {
        let Some(above) = self.number.checked_sub(allowed) else { return 0 };
        let pause_s = 1_u64.checked_shl(above).unwrap_or(at_most_s).min(at_most_s);
        let passed_us = u64::try_from(now_us.saturating_sub(self.last_us)).unwrap_or(0);
        (pause_s * SECOND_US.unsigned_abs()).saturating_sub(passed_us).div_ceil(SECOND_US.unsigned_abs())
    }

    fn is_forgotten(self, now_us: i64) -> bool {
        let passed_us = u64::try_from(now_us.saturating_sub(self.last_us)).unwrap_or(0);
        passed_us / SECOND_US.unsigned_abs() >= KEPT_FOR_S
    }
}

impl LoginThrottle {
    /// A throttle that begins to slow down after `allowed` failures; 0 never does.
    pub fn new(allowed: u32) -> Self {
        Self { allowed, failures: Arc::default() }
    }

    /// Whether an attempt may be looked at.
    ///
    /// # Errors
    /// [`TooManyFailures`] says when to try again.
    pub fn check(&self, address: IpAddr, name: &str, now_us: i64) -> Result<(), TooManyFailures> {
        if self.allowed == 0 {
            return Ok(());
        }
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |count: Option<&Count>| count.copied().filter(|count| !count.is_forgotten(now_us));
        let Some(of_address) = known(failures.addresses.get(&network(address))) else { return Ok(()) };
        let of_name = known(failures.names.get(&shortened(name)));
        let wait_s = of_address
            .wait_s(now_us, self.allowed, ADDRESS_WAITS_AT_MOST_S)
            .max(of_name.map_or(0, |count| count.wait_s(now_us, self.allowed, NAME_WAITS_AT_MOST_S)));
        if wait_s > 0 { Err(TooManyFailures { wait_s }) } else { Ok(()) }
    }

    /// An attempt failed.
    pub fn failed(&self, address: IpAddr, name: &str, now_us: i64) {
        if self.allowed == 0 {
            return;
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut failures.addresses, network(address), now_us);
        count(&mut failures.names, shortened(name), now_us);
    }

    /// An attempt succeeded. The failures of the address stay: they may have been for other names.
    pub fn succeeded(&self, name: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).names.remove(&shortened(name));
    }
}

/// Who has one address of IPv6 has a whole network of 2^64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        v4 => v4,
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(NAME_CHARS).collect()
}

fn count<K: Eq + Hash + Clone>(counts: &mut HashMap<K, Count>, key: K, now_us: i64) {
    if counts.len() >= KEPT_AT_MOST && !counts.contains_key(&key) {
        forget_half(counts, now_us);
    }
    let entry = counts.entry(key).or_insert(Count { number: 0, last_us: now_us });
    let before = if entry.is_forgotten(now_us) { 0 } else { entry.number };
    *entry = Count { number: before.saturating_add(1), last_us: now_us };
}

/// Make room: first of what would be forgotten anyway, then of the oldest.
fn forget_half<K: Eq + Hash + Clone>(counts: &mut HashMap<K, Count>, now_us: i64) {
    counts.retain(|_, count| !count.is_forgotten(now_us));
    if counts.len() > KEPT_AT_MOST / 2 {
        let mut times: Vec<_> = counts.values().map(|count| count.last_us).collect();
        times.sort_unstable();
        let oldest_kept = times[times.len() / 2];
        counts.retain(|_, count| count.last_us > oldest_kept);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    fn waits(throttle: &LoginThrottle, address: IpAddr, name: &str, now_s: i64) -> u64 {
        throttle.check(address, name, now_s * SECOND_US).map_or_else(|refused| refused.wait_s, |()| 0)
    }

    #[test]
    fn waits_double_with_every_failure_up_to_a_minute() {
        let throttle = LoginThrottle::new(3);
        let mut waited = Vec::new();
        for _ in 0..12 {
            throttle.failed(ONE, "ann", 0);
            waited.push(waits(&throttle, ONE, "bob", 0));
        }
        assert_eq!(waited, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(waits(&throttle, ONE, "bob", 59), 1);
        assert_eq!(waits(&throttle, ONE, "bob", 60), 0);
    }

    #[test]
    fn a_name_under_attack_stays_open_to_an_address_that_did_not_fail() {
        let throttle = LoginThrottle::new(3);
        for guess in 0..200_u8 {
            throttle.failed(IpAddr::V4(Ipv4Addr::new(198, 51, 100, guess)), "ann", 0);
        }
        assert_eq!(waits(&throttle, ONE, "ann", 0), 0);
        // One failure, and the name's wait counts here too; that of the right password ends it.
        throttle.failed(ONE, "ann", 0);
        assert_eq!(waits(&throttle, ONE, "ann", 0), NAME_WAITS_AT_MOST_S);
        assert_eq!(waits(&throttle, ONE, "bob", 0), 0);
        throttle.succeeded("ann");
        assert_eq!(waits(&throttle, ONE, "ann", 0), 0);
    }

    #[test]
    fn failures_are_forgotten_after_a_while_and_never_more_than_fit_are_kept() {
        let throttle = LoginThrottle::new(1);
        throttle.failed(ONE, "ann", 0);
        throttle.failed(OTHER, "ann", 16 * 60 * SECOND_US);
        assert_eq!(waits(&throttle, ONE, "ann", 16 * 60), 0);
        for number in 0..30_000_u32 {
            throttle.failed(IpAddr::V4(number.into()), &number.to_string(), i64::from(number) + 1);
        }
        let failures = throttle.failures.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(failures.addresses.len() <= KEPT_AT_MOST && failures.names.len() <= KEPT_AT_MOST);
        assert!(failures.names.contains_key("29999") && !failures.names.contains_key("0"));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let throttle = LoginThrottle::new(1);
        throttle.failed(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1)), "ann", 0);
        assert_eq!(waits(&throttle, IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 9, 9, 9, 9)), "bob", 0), 1);
        assert_eq!(waits(&throttle, IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1)), "bob", 0), 0);
        throttle.failed(IpAddr::V6(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped()), "ann", 0);
        assert_eq!(waits(&throttle, ONE, "bob", 0), 1);
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let throttle = LoginThrottle::new(0);
        for _ in 0..100 {
            throttle.failed(ONE, "ann", 0);
        }
        assert_eq!(waits(&throttle, ONE, "ann", 0), 0);
    }
}
