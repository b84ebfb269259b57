//! The minimisation behind a fit; the definition is the documentation of the module above.

use rayon::prelude::*;

use super::cosine::Cosine;
use crate::error::{EngineError, Result};
use crate::image::Size;

/// Rounds of reweighting, and iterations of one round.
const ROUNDS: usize = 10;
const ITERATIONS: usize = 500;
/// Relative residual at which a round ends, and change of the profile at which the fit does.
const RESIDUAL: f64 = 1e-6;
const CHANGE: f64 = 1e-3;
/// Keeps weights finite where nothing is sparse.
const WEIGHT_EPSILON: f64 = 0.1;
/// Smoothness wanted of a dark-field, of that of the profile, and its share of the penalty.
const DARK_SMOOTHNESS: f64 = 0.1;
const DARK_PENALTY: f64 = 10.0;
/// Pixels that one thread sums at a time.
const STRIP: usize = 512;

pub(super) fn refused(name: &'static str, problem: &str) -> EngineError {
    EngineError::Parameter { name, problem: problem.to_owned() }
}

pub(super) fn not_brighter() -> EngineError {
    refused("images", "of a flat-field must be brighter than its dark-field")
}

/// `sign(x)·max(|x| - t, 0)`.
#[inline(always)]
fn shrink(value: f64, threshold: f64) -> f64 {
    // What is left of the nearest value within the threshold: no branches, and no panic as `clamp`
    // has for NaN.
    value - value.max(-threshold).min(threshold)
}

pub(super) fn mean_of(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Whether a dark-field remains in the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dark {
    /// It was taken off.
    TakenOff,
    /// It is to be estimated.
    Estimated,
}

/// State of a minimisation; planes of all images one after the other.
pub(super) struct Solver {
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
    pub(super) surface: Vec<f64>,
    /// `B`, with what the level of the dark-field adds to it.
    pub(super) brightness: Vec<f64>,
    /// `S` with mean 1, of the last round.
    pub(super) profile: Vec<f64>,
    dark: Dark,
    /// Least value of the images, which the dark-field cannot exceed.
    least: f64,
    /// `z`.
    pub(super) level: f64,
    /// `A`.
    pub(super) offset: Vec<f64>,
}

impl Solver {
    /// A fit of images of this size, whose mean is 1.
    pub(super) fn new(size: Size, stack: Vec<f64>, dark: Dark) -> Result<Self> {
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
            dark,
            least: stack.iter().copied().fold(f64::INFINITY, f64::min),
            level: 0.0,
            offset: vec![0.0; pixels],
            stack,
        })
    }

    /// Rounds until the profile stays; whether the last one converged.
    pub(super) fn run(&mut self) -> Result<bool> {
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
        self.offset.fill(0.0);
        self.level = 0.0;
        let mut spectrum = self.cosine.forward(&self.surface);
        self.brightness = self.stack.chunks_exact(self.pixels).map(mean_of).collect();
        for _ in 0..ITERATIONS {
            let step = self.cosine.forward(&self.mean_residual(penalty));
            for (coefficient, step) in spectrum.iter_mut().zip(step) {
                *coefficient = shrink(*coefficient + step, self.smoothness / penalty);
            }
            self.surface = self.cosine.inverse(&spectrum);
            let rest = self.update_sparse(penalty);
            self.update_brightness(&rest)?;
            if self.dark == Dark::Estimated {
                self.update_dark(&rest, penalty);
            }
            let residual = self.update_multiplier(penalty);
            penalty = (1.5 * penalty).min(1e7 * self.first_penalty);
            if residual < RESIDUAL * self.norm {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `⟨I - B·S - A - E + Y/μ⟩_i` of each pixel.
    fn mean_residual(&self, penalty: f64) -> Vec<f64> {
        let (pixels, images) = (self.pixels, self.brightness.len() as f64);
        let mut output = vec![0.0; pixels];
        output.par_chunks_mut(STRIP).enumerate().for_each(|(strip, out)| {
            let part = strip * STRIP..strip * STRIP + out.len();
            for (image, brightness) in self.brightness.iter().enumerate() {
                let at = image * pixels + part.start..image * pixels + part.end;
                let planes =
                    self.stack[at.clone()].iter().zip(&self.sparse[at.clone()]).zip(&self.multiplier[at]);
                let light = self.surface[part.clone()].iter().zip(&self.offset[part.clone()]);
                for ((out, (surface, offset)), ((value, sparse), multiplier)) in
                    out.iter_mut().zip(light).zip(planes)
                {
                    *out += value - brightness * surface - offset - sparse + multiplier / penalty;
                }
            }
            out.iter_mut().for_each(|sum| *sum /= images);
        });
        output
    }

    /// `E`; returns `⟨I_i - E_i⟩`.
    fn update_sparse(&mut self, penalty: f64) -> Vec<f64> {
        let (pixels, surface, offset) = (self.pixels, &self.surface, &self.offset);
        self.sparse
            .par_chunks_mut(pixels)
            .zip(self.stack.par_chunks(pixels))
            .zip(self.multiplier.par_chunks(pixels).zip(self.weight.par_chunks(pixels)))
            .zip(&self.brightness)
            .map(|(((sparse, stack), (multiplier, weight)), brightness)| {
                let light = surface.iter().zip(offset);
                let inputs = stack.iter().zip(light).zip(multiplier.iter().zip(weight));
                let mut sum = 0.0;
                for (sparse, ((value, (surface, offset)), (multiplier, weight))) in
                    sparse.iter_mut().zip(inputs)
                {
                    let rest = value - brightness * surface - offset;
                    *sparse = shrink(rest + multiplier / penalty, weight / penalty);
                    sum += value - *sparse;
                }
                sum / pixels as f64
            })
            .collect()
    }

    /// `B`.
    fn update_brightness(&mut self, rest: &[f64]) -> Result<()> {
        let mean = mean_of(rest);
        if !(mean.is_finite() && mean > 0.0) {
            return Err(not_brighter());
        }
        self.brightness = rest.iter().map(|value| (value / mean).max(0.0)).collect();
        Ok(())
    }

    /// `z` and `A`, from the images darker than average, where the dark-field is most of the light.
    fn update_dark(&mut self, rest: &[f64], penalty: f64) {
        let (pixels, mean_rest, surface_mean) = (self.pixels, mean_of(rest), mean_of(&self.surface));
        let bright = self.surface.iter().filter(|value| **value > surface_mean).count();
        let dim = self.surface.iter().filter(|value| **value < surface_mean).count();
        let mut darker = 0.0;
        let mut line = Line::default();
        let mut mean = vec![0.0; pixels];
        let mut brightness_sum = 0.0;
        let images = self.stack.chunks_exact(pixels).zip(self.sparse.chunks_exact(pixels));
        for ((stack, sparse), brightness) in images.zip(&self.brightness) {
            if *brightness >= 1.0 {
                continue;
            }
            let (mut in_bright, mut in_dim) = (0.0, 0.0);
            for (((sum, value), sparse), surface) in mean.iter_mut().zip(stack).zip(sparse).zip(&self.surface)
            {
                let rest = value - sparse;
                *sum += rest;
                if *surface > surface_mean {
                    in_bright += rest;
                } else if *surface < surface_mean {
                    in_dim += rest;
                }
            }
            darker += 1.0;
            brightness_sum += brightness;
            if bright > 0 && dim > 0 {
                line.add(*brightness, (in_bright / bright as f64 - in_dim / dim as f64) / mean_rest);
            }
        }
        if darker == 0.0 {
            return;
        }
        // Where the line of contrast over brightness meets no contrast, only the dark-field is left.
        self.level = line.root().map_or(0.0, |root| root.min(self.least / surface_mean).max(0.0));
        let mut offset: Vec<f64> = mean
            .iter()
            .zip(&self.surface)
            .map(|(sum, surface)| (sum - brightness_sum * surface) / darker)
            .collect();
        let offset_mean = mean_of(&offset);
        let level = self.level;
        let even = |surface: &f64| level * (surface_mean - surface);
        for (offset, surface) in offset.iter_mut().zip(&self.surface) {
            *offset -= offset_mean + even(surface);
        }
        let threshold = DARK_SMOOTHNESS * self.smoothness / (DARK_PENALTY * penalty);
        let mut spectrum = self.cosine.forward(&offset);
        spectrum.iter_mut().for_each(|coefficient| *coefficient = shrink(*coefficient, threshold));
        self.offset = self
            .cosine
            .inverse(&spectrum)
            .iter()
            .zip(&self.surface)
            .map(|(offset, surface)| shrink(*offset, threshold) + even(surface))
            .collect();
    }

    /// `Y`; returns `‖I - B·S - A - E‖`.
    fn update_multiplier(&mut self, penalty: f64) -> f64 {
        let (pixels, surface, offset) = (self.pixels, &self.surface, &self.offset);
        let squares: Vec<f64> = self
            .multiplier
            .par_chunks_mut(pixels)
            .zip(self.stack.par_chunks(pixels).zip(self.sparse.par_chunks(pixels)))
            .zip(&self.brightness)
            .map(|((multiplier, (stack, sparse)), brightness)| {
                let mut sum = 0.0;
                let inputs = stack.iter().zip(sparse).zip(surface.iter().zip(offset));
                for (multiplier, ((value, sparse), (surface, offset))) in multiplier.iter_mut().zip(inputs) {
                    let rest = value - brightness * surface - offset - sparse;
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

/// A straight line through points, by least squares.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    points: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl Line {
    fn add(&mut self, x: f64, y: f64) {
        self.points += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.xy += x * y;
    }

    /// Where the line meets 0, if it is not level.
    fn root(self) -> Option<f64> {
        let root = (self.xx * self.y - self.x * self.xy) / (self.x * self.y - self.points * self.xy);
        root.is_finite().then_some(root)
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

    #[test]
    fn the_largest_singular_value_is_found() {
        // [[3, 0], [4, 5]] has singular values √45 and √5.
        assert!((spectral_norm(&[3.0, 0.0, 4.0, 5.0], 2) - 45f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn a_line_meets_zero_where_it_should_and_a_level_one_nowhere() {
        let mut line = Line::default();
        [(1.0, 1.5), (2.0, 4.5), (4.0, 10.5)].into_iter().for_each(|(x, y)| line.add(x, y));
        assert!(line.root().is_some_and(|root| (root - 0.5).abs() < 1e-12));
        let mut level = Line::default();
        [(1.0, 1.0), (2.0, 1.0)].into_iter().for_each(|(x, y)| level.add(x, y));
        assert_eq!((level.root(), Line::default().root()), (None, None));
    }

    #[test]
    fn shrinking_moves_towards_zero_and_stops_there() {
        assert_eq!([3.0, -3.0, 0.5, -0.5].map(|value| shrink(value, 1.0)), [2.0, -2.0, 0.0, 0.0]);
    }
}
