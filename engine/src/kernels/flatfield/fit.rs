//! The fit of a flat-field; the definition is the documentation of the module above.

use rayon::prelude::*;

use super::FlatfieldCorrection;
use super::cosine::Cosine;
use super::reduce::{Reducer, enlarge};
use crate::error::{EngineError, Result};
use crate::image::{GreyPlane, Plane, Size};

/// Fewest images of a fit.
pub const LEAST_FIT_IMAGES: usize = 5;
/// Most images of a fit: 270 MB of memory at 128×128. More gain next to nothing.
pub const MAX_FIT_IMAGES: usize = 512;
/// Longest edge of a plane in the fit.
const FIT_EDGE: usize = 128;
/// Rounds of reweighting, and iterations of one round.
const ROUNDS: usize = 10;
const ITERATIONS: usize = 500;
/// Relative residual at which a round ends, and change of the profile at which the fit does.
const RESIDUAL: f64 = 1e-6;
const CHANGE: f64 = 1e-3;
/// Keeps weights finite where nothing is sparse.
const WEIGHT_EPSILON: f64 = 0.1;
/// Pixels that one thread sums at a time.
const STRIP: usize = 512;

/// Images of a channel for a fit, reduced to its size when they are added.
#[derive(Debug, Clone)]
pub struct FlatfieldImages {
    size: Size,
    reduced_size: Size,
    reducer: Reducer,
    images: Vec<Vec<f64>>,
}

/// A flat-field that was fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Flatfield {
    /// `S`: how much light each pixel gets; mean 1.
    pub profile: Plane<f64>,
    /// `D` in counts, as it was given.
    pub darkfield: Plane<f64>,
    /// `B_i` of each image in the order of adding, in counts above the dark-field: the baseline of
    /// a time lapse.
    pub brightness: Vec<f64>,
    /// Whether the last round of the fit ended with a residual small enough.
    pub converged: bool,
}

impl Flatfield {
    /// The correction of this channel's images.
    pub fn correction(&self) -> FlatfieldCorrection {
        FlatfieldCorrection::new(&self.profile, &self.darkfield)
            .expect("profile and dark-field have one size")
    }
}

impl FlatfieldImages {
    /// No images of this size.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for a size without pixels.
    pub fn new(size: Size) -> Result<Self> {
        if size.height == 0 || size.width == 0 {
            return Err(EngineError::Parameter {
                name: "images",
                problem: format!("of a flat-field need pixels, but are {size}"),
            });
        }
        let reduced_size = Size::new(size.height.min(FIT_EDGE), size.width.min(FIT_EDGE));
        let reducer = Reducer::new(size, reduced_size);
        Ok(Self { size, reduced_size, reducer, images: Vec::new() })
    }

    /// Number of images added.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// Adds an image.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when it has another size; [`EngineError::Parameter`] beyond
    /// [`MAX_FIT_IMAGES`]. Nothing is added then.
    pub fn add(&mut self, image: &GreyPlane) -> Result<()> {
        if image.size() != self.size {
            return Err(self.wrong_size("image of a flat-field", image.size()));
        }
        if self.images.len() >= MAX_FIT_IMAGES {
            return Err(EngineError::Parameter {
                name: "images",
                problem: format!("of a flat-field may be {MAX_FIT_IMAGES} at most"),
            });
        }
        self.images.push(self.reducer.reduce(|row, values| match image {
            GreyPlane::U8(plane) => values.extend(plane.row(row).iter().map(|value| f64::from(*value))),
            GreyPlane::U16(plane) => values.extend(plane.row(row).iter().map(|value| f64::from(*value))),
        }));
        Ok(())
    }

    /// Fits the flat-field for a dark-field in counts: an image taken without light, or the offset
    /// of the camera at every pixel.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when the dark-field has another size; [`EngineError::Parameter`] when
    /// it is not finite, with fewer than [`LEAST_FIT_IMAGES`] images, and when these are not
    /// brighter than the dark-field.
    pub fn fit(&self, darkfield: &Plane<f64>) -> Result<Flatfield> {
        if darkfield.size() != self.size {
            return Err(self.wrong_size("dark-field of a flat-field", darkfield.size()));
        }
        if !darkfield.pixels().iter().all(|value| value.is_finite()) {
            return Err(refused("darkfield", "must be finite at every pixel"));
        }
        if self.images.len() < LEAST_FIT_IMAGES {
            return Err(EngineError::Parameter {
                name: "images",
                problem: format!(
                    "of a flat-field must be {LEAST_FIT_IMAGES} at least, not {}",
                    self.images.len()
                ),
            });
        }
        let dark = self.reducer.reduce(|row, values| values.extend_from_slice(darkfield.row(row)));
        let pixels = self.reduced_size.area();
        let mut stack = Vec::with_capacity(self.images.len() * pixels);
        for image in &self.images {
            stack.extend(image.iter().zip(&dark).map(|(value, dark)| value - dark));
        }
        let mean = stack.iter().sum::<f64>() / stack.len() as f64;
        if !(mean.is_finite() && mean > 0.0) {
            return Err(not_brighter());
        }
        stack.iter_mut().for_each(|value| *value /= mean);
        let mut fit = Fit::new(self.reduced_size, stack)?;
        let converged = fit.run()?;
        let mut profile = enlarge(&fit.profile, self.reduced_size, self.size);
        let profile_mean = profile.pixels().iter().sum::<f64>() / self.size.area() as f64;
        if !(profile_mean.is_finite() && profile_mean > 0.0) {
            return Err(not_brighter());
        }
        profile.pixels_mut().iter_mut().for_each(|value| *value /= profile_mean);
        let scale = mean * mean_of(&fit.surface) * profile_mean;
        let brightness = fit.brightness.iter().map(|value| value * scale).collect();
        Ok(Flatfield { profile, darkfield: darkfield.clone(), brightness, converged })
    }

    fn wrong_size(&self, what: &'static str, actual: Size) -> EngineError {
        EngineError::Shape { what, expected: self.size.to_string(), actual: actual.to_string() }
    }
}

fn refused(name: &'static str, problem: &str) -> EngineError {
    EngineError::Parameter { name, problem: problem.to_owned() }
}

fn not_brighter() -> EngineError {
    refused("images", "of a flat-field must be brighter than its dark-field")
}

/// `sign(x)·max(|x| - t, 0)`.
#[inline(always)]
fn shrink(value: f64, threshold: f64) -> f64 {
    // What is left of the nearest value within the threshold: no branches, and no panic as `clamp`
    // has for NaN.
    value - value.max(-threshold).min(threshold)
}

fn mean_of(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// State of a fit; planes of all images one after the other.
struct Fit {
    pixels: usize,
    cosine: Cosine,
    /// `I`, with mean 1.
    stack: Vec<f64>,
    norm: f64,
    /// `12.5/‖I‖₂`.
    first_penalty: f64,
    /// λ.
    smoothness: f64,
    weight: Vec<f64>,
    sparse: Vec<f64>,
    multiplier: Vec<f64>,
    /// `S`, before it is scaled to mean 1.
    surface: Vec<f64>,
    /// `B`.
    brightness: Vec<f64>,
    /// `S` with mean 1, of the last round.
    profile: Vec<f64>,
}

impl Fit {
    /// A fit of images of this size, whose mean is 1.
    fn new(size: Size, stack: Vec<f64>) -> Result<Self> {
        let pixels = size.area();
        let images = stack.len() / pixels;
        let cosine = Cosine::new(size);
        let norm = stack.iter().map(|value| value * value).sum::<f64>().sqrt();
        let largest = spectral_norm(&stack, pixels);
        if !(largest.is_finite() && largest > 0.0) {
            return Err(not_brighter());
        }
        let mut mean_image = vec![0.0; pixels];
        for image in stack.chunks_exact(pixels) {
            for (sum, value) in mean_image.iter_mut().zip(image) {
                *sum += value / images as f64;
            }
        }
        let smoothness =
            cosine.forward(&mean_image).iter().map(|value| value.abs()).sum::<f64>() / 400.0 * 0.5;
        Ok(Self {
            pixels,
            cosine,
            norm,
            first_penalty: 12.5 / largest,
            smoothness,
            weight: vec![1.0; stack.len()],
            sparse: vec![0.0; stack.len()],
            multiplier: vec![0.0; stack.len()],
            surface: vec![1.0; pixels],
            brightness: vec![1.0; images],
            profile: vec![1.0; pixels],
            stack,
        })
    }

    /// Rounds until the profile stays; whether the last one converged.
    fn run(&mut self) -> Result<bool> {
        let mut converged = false;
        for round in 0..ROUNDS {
            converged = self.round()?;
            let mean = mean_of(&self.surface);
            if !(mean.is_finite() && mean > 0.0) {
                return Err(not_brighter());
            }
            let last =
                std::mem::replace(&mut self.profile, self.surface.iter().map(|value| value / mean).collect());
            self.reweight();
            let change: f64 = self.profile.iter().zip(&last).map(|(new, old)| (new - old).abs()).sum();
            if round > 0 && change < CHANGE * last.iter().map(|value| value.abs()).sum::<f64>() {
                break;
            }
        }
        Ok(converged)
    }

    /// One minimisation with fixed weights; whether it converged.
    fn round(&mut self) -> Result<bool> {
        let mut penalty = self.first_penalty;
        self.surface.fill(1.0);
        self.sparse.fill(0.0);
        self.multiplier.fill(0.0);
        let mut spectrum = self.cosine.forward(&self.surface);
        self.brightness = self.stack.chunks_exact(self.pixels).map(mean_of).collect();
        for _ in 0..ITERATIONS {
            let step = self.cosine.forward(&self.mean_residual(penalty));
            for (coefficient, step) in spectrum.iter_mut().zip(step) {
                *coefficient = shrink(*coefficient + step, self.smoothness / penalty);
            }
            self.surface = self.cosine.inverse(&spectrum);
            self.update_sparse_and_brightness(penalty)?;
            let residual = self.update_multiplier(penalty);
            penalty = (1.5 * penalty).min(1e7 * self.first_penalty);
            if residual < RESIDUAL * self.norm {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `⟨I - B·S - E + Y/μ⟩_i` of each pixel.
    fn mean_residual(&self, penalty: f64) -> Vec<f64> {
        let (pixels, images) = (self.pixels, self.brightness.len() as f64);
        let mut output = vec![0.0; pixels];
        output.par_chunks_mut(STRIP).enumerate().for_each(|(strip, out)| {
            let start = strip * STRIP;
            let surface = &self.surface[start..start + out.len()];
            for (image, brightness) in self.brightness.iter().enumerate() {
                let at = image * pixels + start..image * pixels + start + out.len();
                let planes =
                    self.stack[at.clone()].iter().zip(&self.sparse[at.clone()]).zip(&self.multiplier[at]);
                for ((out, surface), ((value, sparse), multiplier)) in out.iter_mut().zip(surface).zip(planes)
                {
                    *out += value - brightness * surface - sparse + multiplier / penalty;
                }
            }
            out.iter_mut().for_each(|sum| *sum /= images);
        });
        output
    }

    /// `E`, and `B` from it.
    fn update_sparse_and_brightness(&mut self, penalty: f64) -> Result<()> {
        let (pixels, surface) = (self.pixels, &self.surface);
        let rest: Vec<f64> = self
            .sparse
            .par_chunks_mut(pixels)
            .zip(self.stack.par_chunks(pixels))
            .zip(self.multiplier.par_chunks(pixels).zip(self.weight.par_chunks(pixels)))
            .zip(&self.brightness)
            .map(|(((sparse, stack), (multiplier, weight)), brightness)| {
                let inputs = stack.iter().zip(surface).zip(multiplier.iter().zip(weight));
                let mut sum = 0.0;
                for (sparse, ((value, surface), (multiplier, weight))) in sparse.iter_mut().zip(inputs) {
                    *sparse = shrink(value - brightness * surface + multiplier / penalty, weight / penalty);
                    sum += value - *sparse;
                }
                sum / pixels as f64
            })
            .collect();
        let mean = mean_of(&rest);
        if !(mean.is_finite() && mean > 0.0) {
            return Err(not_brighter());
        }
        self.brightness = rest.iter().map(|value| (value / mean).max(0.0)).collect();
        Ok(())
    }

    /// `Y`; returns `‖I - B·S - E‖`.
    fn update_multiplier(&mut self, penalty: f64) -> f64 {
        let (pixels, surface) = (self.pixels, &self.surface);
        let squares: Vec<f64> = self
            .multiplier
            .par_chunks_mut(pixels)
            .zip(self.stack.par_chunks(pixels).zip(self.sparse.par_chunks(pixels)))
            .zip(&self.brightness)
            .map(|((multiplier, (stack, sparse)), brightness)| {
                let mut sum = 0.0;
                let inputs = stack.iter().zip(sparse).zip(surface);
                for (multiplier, ((value, sparse), surface)) in multiplier.iter_mut().zip(inputs) {
                    let rest = value - brightness * surface - sparse;
                    *multiplier += penalty * rest;
                    sum += rest * rest;
                }
                sum
            })
            .collect();
        squares.iter().sum::<f64>().sqrt()
    }

    /// Weights of the next round: small where an image has much that is sparse.
    fn reweight(&mut self) {
        let low = mean_of(&self.surface) * mean_of(&self.brightness) + 1e-6;
        let sums: Vec<f64> = self
            .weight
            .par_chunks_mut(self.pixels)
            .zip(self.sparse.par_chunks(self.pixels))
            .map(|(weight, sparse)| {
                for (weight, sparse) in weight.iter_mut().zip(sparse) {
                    *weight = 1.0 / ((sparse / low).abs() + WEIGHT_EPSILON);
                }
                weight.iter().sum()
            })
            .collect();
        let scale = self.weight.len() as f64 / sums.iter().sum::<f64>();
        self.weight.par_iter_mut().for_each(|weight| *weight *= scale);
    }
}

/// Largest singular value of a matrix of `columns` columns, by the power method.
fn spectral_norm(matrix: &[f64], columns: usize) -> f64 {
    let mut vector = vec![1.0 / (columns as f64).sqrt(); columns];
    let mut last = 0.0;
    for _ in 0..200 {
        let mut next = vec![0.0; columns];
        for row in matrix.chunks_exact(columns) {
            let product: f64 = row.iter().zip(&vector).map(|(a, b)| a * b).sum();
            for (sum, value) in next.iter_mut().zip(row) {
                *sum += product * value;
            }
        }
        let length = next.iter().map(|value| value * value).sum::<f64>().sqrt();
        if !(length.is_finite() && length > 0.0) {
            return length;
        }
        vector = next.iter().map(|value| value / length).collect();
        if (length - last).abs() <= 1e-12 * length {
            return length.sqrt();
        }
        last = length;
    }
    last.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Noise;

    #[test]
    fn the_largest_singular_value_is_found() {
        // [[3, 0], [4, 5]] has singular values √45 and √5.
        assert!((spectral_norm(&[3.0, 0.0, 4.0, 5.0], 2) - 45f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn the_fit_is_the_same_to_the_last_bit_for_any_number_of_threads() {
        let size = Size::new(70, 140);
        let mut images = FlatfieldImages::new(size).expect("the images have pixels");
        let mut noise = Noise::new(1);
        for _ in 0..6 {
            images.add(&noise.plane::<u16>(size).into()).expect("images of one size");
        }
        let fit = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            pool.install(|| images.fit(&Plane::zeros(size))).expect("the images are bright")
        };
        let one = fit(1);
        for threads in [2, 5] {
            assert_eq!(fit(threads), one, "{threads} threads");
        }
    }

    #[test]
    fn shrinking_moves_towards_zero_and_stops_there() {
        assert_eq!([3.0, -3.0, 0.5, -0.5].map(|value| shrink(value, 1.0)), [2.0, -2.0, 0.0, 0.0]);
    }
}
