//! Circular cross-correlation, in whole pixels.

use super::fourier::{Spectrum, Transform};
use crate::error::Result;
use crate::image::{GreyPixel, Plane, PlaneRef};
use crate::kernels::alignment::Shift;
use crate::kernels::alignment::exact::{best_of, candidates, mean_and_norm, rounding};
use crate::kernels::alignment::lags::{check_same_size, check_size, widened};

/// The reference of a site, transformed once for all its targets.
#[derive(Debug)]
pub struct CompatibleReference {
    pixels: Plane<u16>,
    /// Nothing for a plane without pixels.
    transformed: Option<Transformed>,
}

#[derive(Debug)]
struct Transformed {
    transform: Transform,
    spectrum: Spectrum,
    norm: f64,
}

impl CompatibleReference {
    /// Transforms a reference of any size.
    ///
    /// # Errors
    /// [`crate::EngineError::Shape`] for sides of 2³¹ or 2³² pixels and more.
    pub fn new<T: GreyPixel>(reference: PlaneRef<'_, T>) -> Result<Self> {
        check_size(reference.size())?;
        let pixels = widened(reference);
        let transformed = (pixels.size().area() > 0).then(|| {
            let transform = Transform::new(pixels.size());
            let (mean, norm) = mean_and_norm(&pixels);
            let spectrum = transform.forward(&centred(&pixels, mean));
            Transformed { transform, spectrum, norm }
        });
        Ok(Self { pixels, transformed })
    }

    /// The shift that moves a target onto the reference; (0, 0) for planes without pixels.
    ///
    /// # Errors
    /// [`crate::EngineError::Shape`] when the target has another size than the reference.
    pub fn register<T: GreyPixel>(&self, target: PlaneRef<'_, T>) -> Result<Shift> {
        check_same_size(self.pixels.size(), target.size())?;
        let Some(Transformed { transform, spectrum, norm }) = &self.transformed else {
            return Ok(Shift::default());
        };
        let target = widened(target);
        let (mean, target_norm) = mean_and_norm(&target);
        let correlation = transform.inverse(spectrum.correlate(&transform.forward(&centred(&target, mean))));
        let values = correlation.pixels();
        let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let rounding = rounding(f64::EPSILON, target.size(), norm * target_norm);
        let within: Vec<usize> =
            (0..values.len()).filter(|index| values[*index] >= largest - 2.0 * rounding).collect();
        let peak = values.iter().position(|value| *value == largest).unwrap_or(0);
        Ok(best_of(&self.pixels, &target, &candidates(target.size(), &within, peak)))
    }
}

/// Pixels less a whole number.
fn centred(pixels: &Plane<u16>, mean: f64) -> Plane<f64> {
    let mut centred = Plane::zeros(pixels.size());
    for (out, value) in centred.pixels_mut().iter_mut().zip(pixels.pixels()) {
        *out = f64::from(*value) - mean;
    }
    centred
}
