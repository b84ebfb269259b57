//! The registry entry of a kernel, which tests, the start-up probe and benchmarks iterate over.

use crate::error::Result;
use crate::gpu::Gpu;
use crate::image::{GreyPixel, Plane, Size};
use crate::shader::Shader;

/// A kernel: its name, its shader, and how its implementations are compared.
#[derive(Debug)]
pub struct KernelSpec {
    /// Name of the kernel and of its benchmark.
    pub name: &'static str,
    /// The shaders it is made of, in the order in which they run; none while it runs on the CPU only.
    pub shaders: &'static [Shader],
    /// Whether an image beyond the limits of a device is done in parts there; otherwise the CPU does it.
    pub splits: bool,
    /// How much backends may differ.
    pub tolerance: Tolerance,
    /// Runs the kernel on made-up input.
    pub sample: Sample,
}

impl KernelSpec {
    /// Whether there is a GPU implementation.
    pub fn has_gpu(&self) -> bool {
        !self.shaders.is_empty()
    }
}

/// Runs a kernel on input made from a seed, for an input of the given size, on a backend; all
/// values of the result in a fixed order.
///
/// A kernel without a GPU implementation runs on the CPU whatever the backend.
pub type Sample = fn(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>>;

/// Where a sample runs.
#[derive(Debug, Clone, Copy)]
pub enum SampleBackend<'a> {
    /// The portable implementation.
    Cpu,
    /// The shader, on this device, with no fallback.
    Gpu(&'a Gpu),
}

/// How much the results of two backends may differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// Not at all.
    Exact,
    /// By some counts, in a share of the pixels.
    Counts {
        /// Largest difference of one value.
        most: f64,
        /// Least share of values that must be equal, 0 to 1.
        equal_share: f64,
        /// Why it is not exact.
        because: &'static str,
    },
}

impl Tolerance {
    /// Compares two results; the error says how they differ.
    ///
    /// Different lengths, no values at all, and NaN on one side only are differences.
    ///
    /// # Errors
    /// A sentence that names the first value that differs too much, or the share that differs.
    pub fn compare(self, expected: &[f64], actual: &[f64]) -> std::result::Result<(), String> {
        if expected.len() != actual.len() {
            return Err(format!("{} values instead of {}", actual.len(), expected.len()));
        }
        if expected.is_empty() {
            return Err("no values to compare".to_owned());
        }
        let (most, equal_share) = match self {
            Self::Exact => (0.0, 1.0),
            Self::Counts { most, equal_share, .. } => (most, equal_share),
        };
        let mut equal = 0usize;
        for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
            if expected == actual || (expected.is_nan() && actual.is_nan()) {
                equal += 1;
            } else if (expected - actual).abs() > most || expected.is_nan() || actual.is_nan() {
                return Err(format!("value {index} is {actual}, expected {expected} (± {most})"));
            }
        }
        if (equal as f64) < equal_share * expected.len() as f64 {
            return Err(format!("only {equal} of {} values are equal", expected.len()));
        }
        Ok(())
    }
}

/// Made-up pixels: a sequence of numbers fixed by a seed (SplitMix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub struct Noise(u64);

impl Noise {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// The next 16 bits.
    pub fn next_u16(&mut self) -> u16 {
        (self.next_u64() >> 48) as u16
    }

    /// A plane of such pixels; one in sixteen is 0, one in sixteen the maximum.
    pub fn plane<T: GreyPixel>(&mut self, size: Size) -> Plane<T> {
        Plane::from_fn(size, |_, _| {
            let bits = self.next_u64();
            let value = (bits >> 48) as u16 & T::DEPTH.max_value();
            T::from_low_bits(match bits & 15 {
                0 => 0,
                1 => T::DEPTH.max_value(),
                _ => value,
            })
        })
    }
}

/// The pixels of a plane as values of a sample.
pub(crate) fn values<T: GreyPixel>(plane: &Plane<T>) -> impl Iterator<Item = f64> {
    plane.pixels().iter().map(|value| f64::from((*value).into()))
}
