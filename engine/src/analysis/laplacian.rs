//! Laplacian of Gaussian: finds bright spots of a size.
//!
//! ```text
//! k(y, x) = g/Σg · (y² + x² - 2σ²)/σ⁴ - mean      y, x = -⌊s/2⌋ … ⌈s/2⌉ - 1
//! g       = exp(-(y² + x²)/2σ²)                   σ = (s - 1)/3
//! out     = max(0, in ∗ -k)                       the plane mirrored at its edges, the edge repeated
//! ```
//!
//! The mean of the first term is subtracted, so that the kernel sums to 0 and an even area gives 0. The kernel is
//! a sum of three separable ones, so that the work per pixel grows with s, not with its square. Double precision,
//! stored as single.
//!
//! ```
//! use tm_engine::analysis::spot_response;
//! use tm_engine::image::{Plane, Size};
//! let flat = Plane::new(Size::new(2, 2), vec![7u16; 4])?.into();
//! assert!(spot_response(&flat, 5, None)?.pixels().iter().all(|value| *value < 1e-4));
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::for_depth;
use super::separable::{self, Edge, Product, Taps};
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, GreyPlane, Plane};

/// The largest kernel in pixels.
pub(super) const LARGEST_KERNEL: usize = 999;

/// How much each pixel looks like the middle of a bright spot on a kernel of `size × size` pixels, after the image
/// was clipped at `clip` grey values.
///
/// # Errors
/// [`EngineError::Parameter`] unless `2 ≤ size ≤ 999`.
pub fn spot_response(image: &GreyPlane, size: usize, clip: Option<f64>) -> Result<Plane<f32>> {
    if !(2..=LARGEST_KERNEL).contains(&size) {
        let problem = format!("must be from 2 to {LARGEST_KERNEL}, got {size}");
        return Err(EngineError::Parameter { name: "size of spots", problem });
    }
    let kernel = kernel(size);
    Ok(for_depth!(image, plane => filter(plane, &kernel, clip.unwrap_or(f64::INFINITY))))
}

/// `-k` turned by 180°, as a sum of separable kernels.
fn kernel(size: usize) -> [Product; 3] {
    let sigma = (size as f64 - 1.0) / 3.0;
    let (before, after) = ((size / 2).cast_signed(), size.div_ceil(2).cast_signed());
    // A convolution turns the kernel: the weight at i meets the pixel at -i.
    let taps = |weight: &dyn Fn(f64) -> f64| Taps {
        weights: (1 - after..=before).map(|at| weight(at as f64)).collect(),
        first: 1 - after,
    };
    let gauss = |at: f64| (-at * at / (2.0 * sigma * sigma)).exp();
    let sum = taps(&gauss).weights.iter().sum::<f64>();
    let bell = taps(&|at| gauss(at) / sum);
    let bent = taps(&|at| gauss(at) / sum * (sigma * sigma - at * at) / sigma.powi(4));
    // The bell sums to 1, so the mean of both products is that of twice the sum of the bent one.
    let mean = 2.0 * bent.weights.iter().sum::<f64>() / (size * size) as f64;
    [
        Product { vertical: bent.clone(), horizontal: bell.clone() },
        Product { vertical: bell, horizontal: bent },
        Product { vertical: taps(&|_| -mean), horizontal: taps(&|_| 1.0) },
    ]
}

fn filter<T: GreyPixel>(image: &Plane<T>, kernel: &[Product], clip: f64) -> Plane<f32> {
    let clip = clip as f32;
    let mut clipped = Plane::zeros(image.size());
    for (out, value) in clipped.pixels_mut().iter_mut().zip(image.pixels()) {
        *out = f32::from((*value).into()).min(clip);
    }
    separable::filter(&clipped, kernel, Edge::Reflect, |sums, output| {
        for (pixel, sum) in output.iter_mut().zip(sums) {
            *pixel = sum.max(0.0) as f32;
        }
    })
}
