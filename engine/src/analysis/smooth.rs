//! Smoothing: box mean, Gaussian, median, bilateral.
//!
//! | method | result, cut off below the point | outside the plane |
//! |---|---|---|
//! | average | mean over `n × n` pixels | does not count |
//! | Gaussian | weights `exp(-k²/2σ²)`, `-h ≤ k ≤ h = ⌊4σ + ½⌋`, of sum 1, along columns and rows | mirrored, edge repeated |
//! | median | element `⌊n²/2⌋` of the sorted `n × n` pixels | mirrored, edge repeated |
//! | bilateral | nearer and more similar pixels weigh more, both with standard deviation n | mirrored, edge not repeated |
//!
//! `n` is the filter size. An even window extends one more pixel up and left. Sums of the Gaussian are of double
//! precision and get 2⁻²⁰ before they are cut off, so that weights whose sum is not quite 1 take no count off an
//! even area.
//!
//! The original gave the filter size to the Gaussian as σ, and took any size where an odd one was asked for (D14).
//! Here the size is the full width of the Gaussian at half of its height, `σ = n / 2√(2 ln 2) ≈ n / 2.355`, the
//! rule of CellProfiler's `Smooth`: structures narrower than the filter size go away, with each of the methods.
//! Sizes that are even are refused, but not for the Gaussian, which has no window. `compatible` brings back `σ =
//! n`, and even windows.
//!
//! ```
//! use tm_engine::analysis::{Smoothing, SmoothingMethod};
//! use tm_engine::image::{GreyPlane, Plane, Size};
//! let image = GreyPlane::from(Plane::new(Size::new(1, 5), vec![0u8, 0, 90, 3, 6])?);
//! let average = Smoothing::new(SmoothingMethod::Average, 3, false)?.apply(&image);
//! assert_eq!(average, Plane::new(Size::new(1, 5), vec![0u8, 30, 31, 33, 4])?.into());
//! let median = Smoothing::new(SmoothingMethod::Median, 3, false)?.apply(&image);
//! assert_eq!(median, Plane::new(Size::new(1, 5), vec![0u8, 0, 3, 6, 6])?.into());
//! assert!(Smoothing::new(SmoothingMethod::Median, 4, false).is_err());
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::bilateral::bilateral;
use super::box_mean::box_mean;
use super::for_depth;
use super::median::median;
use super::separable::{self, Edge, Product, Taps};
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, GreyPlane, Plane};

/// How pixels are smoothed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmoothingMethod {
    /// The mean of a square window.
    Average,
    /// A mean with the weights of a Gaussian.
    Gaussian,
    /// The median of a square window.
    Median,
    /// A mean whose weights fall with distance and with difference in grey value.
    Bilateral,
}

impl SmoothingMethod {
    /// The largest filter size in pixels: larger ones would take minutes for one image.
    pub const fn largest_size(self) -> usize {
        match self {
            Self::Average => 4095,
            Self::Gaussian => 999,
            Self::Median => 255,
            Self::Bilateral => 51,
        }
    }
}

/// A method of smoothing with a size that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smoothing {
    method: SmoothingMethod,
    filter_size: usize,
    compatible: bool,
}

impl Smoothing {
    /// Smoothing by a filter of this size in pixels; `compatible` as the module's documentation says.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for a size that is 0 or above
    /// [`largest_size`](SmoothingMethod::largest_size), and for an even window unless `compatible`.
    pub fn new(method: SmoothingMethod, filter_size: usize, compatible: bool) -> Result<Self> {
        let refuse = |problem| Err(EngineError::Parameter { name: "filter_size", problem });
        let largest = method.largest_size();
        if !(1..=largest).contains(&filter_size) {
            return refuse(format!("must be from 1 to {largest}, got {filter_size}"));
        }
        if filter_size.is_multiple_of(2) && method != SmoothingMethod::Gaussian && !compatible {
            return refuse(format!("must be odd, got {filter_size}"));
        }
        Ok(Self { method, filter_size, compatible })
    }

    /// Smooths an image; the depth stays.
    pub fn apply(&self, image: &GreyPlane) -> GreyPlane {
        for_depth!(image, plane => GreyPixel::into_grey(self.smooth(plane)))
    }

    fn smooth<T: GreyPixel>(&self, image: &Plane<T>) -> Plane<T>
    where
        f64: From<T>,
    {
        match self.method {
            SmoothingMethod::Average => box_mean(image, self.filter_size),
            SmoothingMethod::Gaussian => smooth_gaussian(image, self.sigma()),
            SmoothingMethod::Median => median(image, self.filter_size),
            SmoothingMethod::Bilateral => bilateral(image, self.filter_size),
        }
    }

    /// Standard deviation of the Gaussian in pixels.
    fn sigma(&self) -> f64 {
        let size = self.filter_size as f64;
        if self.compatible { size } else { size / (8.0 * std::f64::consts::LN_2).sqrt() }
    }
}

/// Smooths an image by a Gaussian of this standard deviation in pixels, as the module's documentation says.
///
/// # Errors
/// [`EngineError::Parameter`] unless `0 < sigma ≤ 999`.
pub fn gaussian(image: &GreyPlane, sigma: f64) -> Result<GreyPlane> {
    if !(sigma > 0.0 && sigma <= 999.0) {
        let problem = format!("must be above 0 and at most 999, got {sigma}");
        return Err(EngineError::Parameter { name: "sigma", problem });
    }
    Ok(for_depth!(image, plane => GreyPixel::into_grey(smooth_gaussian(plane, sigma))))
}

fn smooth_gaussian<T: GreyPixel>(image: &Plane<T>, sigma: f64) -> Plane<T>
where
    f64: From<T>,
{
    const NOT_QUITE_WHOLE: f64 = 1.0 / (1 << 20) as f64;
    // At most ⌊4·999 + ½⌋.
    let taps = Taps::gaussian(sigma, (4.0 * sigma + 0.5) as usize);
    let product = Product { vertical: taps.clone(), horizontal: taps };
    separable::filter(image, &[product], Edge::Reflect, |sums, output| {
        for (pixel, sum) in output.iter_mut().zip(sums) {
            // A mean lies among the pixels.
            *pixel = T::from_low_bits((sum + NOT_QUITE_WHOLE) as u16);
        }
    })
}
