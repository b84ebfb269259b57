//! Illumination: statistics over the images of a channel, and the correction made from them.
//!
//! **Statistics.** For pixel values `v` of `n` images at one position,
//!
//! ```text
//! L̂    = rint(log10(v) · 2²⁰),  0 for v = 0
//! mean = ΣL̂ / n / 2²⁰           std = sqrt((ΣL̂² - (ΣL̂)²/n) / (n - 1)) / 2²⁰      NaN for n < 2
//! ```
//!
//! The sums are integers, so results depend neither on the order of images nor on how they were
//! split into partial sums that are merged later. The error of fixed point is at most 5·10⁻⁷.
//!
//! **Percentiles.** Quantiles `q = 100·i/99999`, `i = 0 … 99999`, of each image with linear
//! interpolation between order statistics; the value of a key is the mean over images, truncated.
//! It is kept as an exact integer sum of `99999 · quantile`.
//!
//! **Smoothing.** Separable Gaussian, σ = 5 px, radius `⌊4σ + ½⌋`, borders reflected with the
//! edge pixel repeated.
//!
//! **Correction** (Stoeger et al., Methods 85:44, 2015). With smoothed μ, σ and their means over
//! the image,
//!
//! ```text
//! a = mean(σ)/σ      b = mean(μ) - a·μ
//! out = trunc(clamp(exp2(a · log2(v) + b · log2(10)), 0, maximum of the depth))
//! ```
//!
//! * 0 stays 0. With fewer than two images, or where σ is not finite or at most 10⁻⁶, the pixel
//!   passes unchanged, marked by `a < 0`.
//! * Computed in 32-bit floats: within one count of 64-bit floats, at least 99 % of pixels equal.
//!
//! ```
//! use tm_engine::{Engine, image::{Plane, Size}, kernels::illumination::Correction};
//! let size = Size::new(1, 3);
//! let mean = Plane::new(size, vec![2.0, 2.0, 2.0])?; // log10 of 100 counts everywhere …
//! let std = Plane::new(size, vec![0.5, 0.5, 0.0])?; // … and no spread at the last pixel
//! let correction = Correction::from_smoothed(2, &mean, &std)?;
//! let corrected = Engine::cpu().correct(&Plane::new(size, vec![0u16, 100, 7])?, &correction)?;
//! assert_eq!((corrected.get(0, 0), corrected.get(0, 2)), (0, 7));
//! # Ok::<(), tm_engine::EngineError>(())
//! ```
//!
//! Bytes moved per 16-bit pixel: statistics `2 + 32/K` with `K` images added at once; correction
//! 2 in, 2 out, and 8 for the two planes.

pub mod cpu;
pub(crate) mod gpu;
mod percentiles;
mod smoothing;
pub(crate) mod spec;
mod statistics;

pub use percentiles::Percentiles;
pub use smoothing::smooth;
pub use spec::{APPLY, SUMS};
pub(crate) use statistics::look_up;
pub use statistics::{IlluminationStatistics, IlluminationSums, MAX_IMAGES, Moments, RawSums};

use crate::error::{EngineError, Result};
use crate::image::{Plane, Rect, Size};
use crate::kernels::shading::ShadingPlanes;

/// Standard deviation of the smoothing of statistics, in pixels.
pub const SMOOTHING_SIGMA_PX: f64 = 5.0;
/// A standard deviation (log10 units) up to this one is taken for none at all.
const LEAST_STD: f64 = 1e-6;

/// Two planes that turn a pixel into its corrected value; made once per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// `a = mean(σ)/σ`, the exponent of a pixel's value; below 0 the pixel passes unchanged.
    pub exponent: Plane<f32>,
    /// `b · log2(10)`, added to the binary logarithm.
    pub offset: Plane<f32>,
    /// Number of pixels that pass unchanged because their statistics are unusable.
    pub invalid_pixels: usize,
}

/// A window of a [`Correction`], for the pixels of one placement.
#[derive(Debug, Clone, Copy)]
pub struct CorrectionWindow<'a> {
    correction: &'a Correction,
    window: Rect,
}

impl<'a> CorrectionWindow<'a> {
    /// Size of the pixels it corrects.
    pub fn size(&self) -> Size {
        self.window.size
    }

    /// Whether both planes have a row of this window for each of its rows.
    pub(crate) fn is_complete(&self) -> bool {
        self.correction.offset.size() == self.correction.exponent.size()
    }

    /// Exponents and offsets of one row; panics outside the window, as slices do.
    pub(crate) fn row(&self, row: usize) -> (&'a [f32], &'a [f32]) {
        assert!(row < self.window.size.height, "row {row} of {}", self.window.size);
        let columns = self.window.x..self.window.x + self.window.size.width;
        let row = self.window.y + row;
        (&self.correction.exponent.row(row)[columns.clone()], &self.correction.offset.row(row)[columns])
    }

    /// A window of this window, and the correction it belongs to.
    pub(crate) fn within(&self, rect: Rect) -> (&'a Correction, Rect) {
        (self.correction, Rect::new(self.window.y + rect.y, self.window.x + rect.x, rect.size))
    }
}

impl Correction {
    /// Its planes, as they are applied.
    fn planes(&self) -> ShadingPlanes<'_> {
        ShadingPlanes {
            what: "illumination correction of an image",
            first: &self.exponent,
            second: &self.offset,
        }
    }

    /// The correction from the smoothed mean and standard deviation (log10 units) of `images`
    /// images. The means over the image leave out pixels that are not finite.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when the planes differ in size.
    pub fn from_smoothed(images: u64, mean: &Plane<f64>, std: &Plane<f64>) -> Result<Self> {
        let size = mean.size();
        if std.size() != size {
            return Err(EngineError::Shape {
                what: "standard deviation of illumination statistics",
                expected: size.to_string(),
                actual: std.size().to_string(),
            });
        }
        let pairs = || mean.pixels().iter().copied().zip(std.pixels().iter().copied());
        let (mut mean_sum, mut std_sum, mut finite) = (0.0, 0.0, 0usize);
        for (mean, std) in pairs().filter(|(mean, std)| mean.is_finite() && std.is_finite()) {
            mean_sum += mean;
            std_sum += std;
            finite += 1;
        }
        let (mean_of_mean, mean_of_std) = (mean_sum / finite as f64, std_sum / finite as f64);
        let (mut exponent, mut offset) = (Vec::with_capacity(size.area()), Vec::with_capacity(size.area()));
        let mut invalid_pixels = 0;
        for (mean, std) in pairs() {
            let a = mean_of_std / std;
            let shift = (mean_of_mean - a * mean) * std::f64::consts::LOG2_10;
            let valid = images >= 2
                && std.is_finite()
                && std > LEAST_STD
                && (a as f32).is_finite()
                && (shift as f32).is_finite();
            invalid_pixels += usize::from(!valid);
            exponent.push(if valid { a as f32 } else { -1.0 });
            offset.push(if valid { shift as f32 } else { 0.0 });
        }
        Ok(Self { exponent: Plane::new(size, exponent)?, offset: Plane::new(size, offset)?, invalid_pixels })
    }

    /// Size of the images that can be corrected.
    pub fn size(&self) -> Size {
        self.exponent.size()
    }

    /// A window of the correction, for pixels cut from the same window of an image.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when the window leaves the image.
    pub fn window(&self, window: Rect) -> Result<CorrectionWindow<'_>> {
        self.exponent.window(window)?;
        self.offset.window(window)?;
        Ok(CorrectionWindow { correction: self, window })
    }

    /// The whole correction.
    pub fn view(&self) -> CorrectionWindow<'_> {
        CorrectionWindow { correction: self, window: Rect::new(0, 0, self.size()) }
    }
}
