//! Registration by whitened, windowed, padded correlation, in 64-bit floats.

use rayon::prelude::*;
use rustfft::num_complex::Complex;

use super::fourier::{Spectrum, Transform};
use super::overlap::overlap;
use super::whiten::whitened;
use crate::error::Result;
use crate::image::{GreyPixel, Plane, PlaneRef, Size};
use crate::kernels::alignment::lags::{check_same_size, signed, widened};
use crate::kernels::alignment::overlap::{Overlap, total};
use crate::kernels::alignment::robust::{Correlator, Peaks, Plan, RelativeLag, Window};
use crate::kernels::alignment::{Registration, RobustOptions, Shift};
use crate::simd::{self, RowKernel};

/// The reference of a site, whitened and transformed once for all its targets.
#[derive(Debug)]
pub struct RobustReference {
    registrar: Registrar,
    reference: Whitened,
}

impl RobustReference {
    /// Prepares a reference of any size.
    ///
    /// # Errors
    /// [`crate::EngineError::Parameter`] for options out of range; [`crate::EngineError::Shape`] for
    /// sides of 2³¹ or 2³² pixels and more.
    pub fn new<T: GreyPixel>(reference: PlaneRef<'_, T>, options: &RobustOptions) -> Result<Self> {
        let registrar = Registrar::new(reference.size(), options)?;
        let reference = registrar.prepare(reference)?;
        Ok(Self { registrar, reference })
    }

    /// Registers a target.
    ///
    /// # Errors
    /// [`crate::EngineError::Shape`] when the target has another size than the reference.
    pub fn register<T: GreyPixel>(&self, target: PlaneRef<'_, T>) -> Result<Registration> {
        self.registrar.register(&self.reference, &self.registrar.prepare(target)?)
    }
}

impl RobustReference {
    /// Judges a shift of a target that was found in another way: its quality and threshold.
    ///
    /// # Errors
    /// [`crate::EngineError::Shape`] when the target has another size than the reference.
    pub fn judge<T: GreyPixel>(&self, target: PlaneRef<'_, T>, shift: Shift) -> Result<Registration> {
        let target = self.registrar.prepare(target)?;
        self.registrar.plan.judge(&self.registrar, [&self.reference, &target], shift)
    }
}

/// Registers planes of one size.
#[derive(Debug)]
pub(super) struct Registrar {
    plan: Plan,
    window: [Vec<f64>; 2],
    lags: [Vec<RelativeLag>; 2],
    /// Of the padded size; nothing for planes without pixels.
    transform: Option<Transform>,
}

/// A plane that is ready to be correlated.
#[derive(Debug)]
pub(super) struct Whitened {
    plane: Plane<f64>,
    /// Of the plane after windowing and padding; nothing for a plane without content.
    spectrum: Option<Spectrum>,
}

impl Registrar {
    pub fn new(size: Size, options: &RobustOptions) -> Result<Self> {
        let plan = Plan::new(size, options)?;
        let transform = (size.area() > 0).then(|| Transform::new(plan.padded));
        Ok(Self { window: plan.window(Window::Hann), lags: plan.lags(Window::Hann), plan, transform })
    }

    pub fn prepare<T: GreyPixel>(&self, source: PlaneRef<'_, T>) -> Result<Whitened> {
        check_same_size(self.plan.size, source.size())?;
        let plane = whitened(&widened(source), self.plan.options.clip, self.plan.options.sigma_px);
        let Some(transform) = &self.transform else { return Ok(Whitened { plane, spectrum: None }) };
        let mut windowed = plane.clone();
        for (row, factor) in self.window[0].iter().enumerate() {
            for (value, window) in windowed.row_mut(row).iter_mut().zip(&self.window[1]) {
                *value *= factor * window;
            }
        }
        let has_content = windowed.pixels().iter().any(|value| *value != 0.0);
        let spectrum = has_content.then(|| transform.forward(&windowed));
        Ok(Whitened { plane, spectrum })
    }

    /// Registers a target to a reference, both prepared here.
    pub fn register(&self, reference: &Whitened, target: &Whitened) -> Result<Registration> {
        self.plan.register(self, [reference, target])
    }

    /// The highest local maxima of a correlation.
    fn peaks(&self, correlation: &Plane<f64>, [rows, columns]: &[Vec<RelativeLag>; 2]) -> Vec<Shift> {
        let mut peaks = Peaks::default();
        let relative = |row: usize, column: usize| {
            let (row, column) = (&rows[row], &columns[column]);
            correlation.row(row.index)[column.index] * row.factor * column.factor
        };
        for row in 0..rows.len() {
            for column in 0..columns.len() {
                let value = relative(row, column);
                if !peaks.wants(value) {
                    continue;
                }
                let around_rows = row.saturating_sub(1)..(row + 2).min(rows.len());
                let around_columns = column.saturating_sub(1)..(column + 2).min(columns.len());
                let is_lower =
                    |row: usize| around_columns.clone().any(|column| relative(row, column) > value);
                if !around_rows.into_iter().any(is_lower) {
                    peaks.push(value, Shift::new(rows[row].lag, columns[column].lag));
                }
            }
        }
        peaks.into_shifts()
    }
}

impl Correlator for Registrar {
    type Whitened = Whitened;
    /// Nothing for planes without content, which are not correlated.
    type Spectrum = Option<Spectrum>;

    fn has_content(&self, plane: &Whitened) -> bool {
        plane.spectrum.is_some()
    }

    fn correlate(
        &self,
        [reference, target]: [&Whitened; 2],
        window: Window,
    ) -> Result<(Option<Spectrum>, Vec<Shift>)> {
        let (Some(transform), Some(of_reference), Some(of_target)) =
            (&self.transform, &reference.spectrum, &target.spectrum)
        else {
            return Ok((None, Vec::new()));
        };
        let spectrum = match window {
            Window::Hann => of_reference.correlate(of_target),
            Window::Whole => transform.forward(&reference.plane).correlate(&transform.forward(&target.plane)),
        };
        let correlation = transform.inverse(spectrum.clone());
        let peaks = match window {
            Window::Hann => self.peaks(&correlation, &self.lags),
            Window::Whole => self.peaks(&correlation, &self.plan.lags(window)),
        };
        Ok((Some(spectrum), peaks))
    }

    fn overlaps(&self, [reference, target]: [&Whitened; 2], shifts: &[Shift]) -> Result<Vec<Overlap>> {
        Ok(shifts.iter().map(|shift| overlap(&reference.plane, &target.plane, *shift)).collect())
    }

    fn power(&self, [reference, target]: [&Whitened; 2]) -> Result<[f64; 3]> {
        let (Some(reference), Some(target)) = (&reference.spectrum, &target.spectrum) else {
            return Ok([0.0; 3]);
        };
        let columns: Vec<[f64; 3]> = reference
            .columns()
            .zip(target.columns())
            .enumerate()
            .map(|(column, (of_reference, of_target))| {
                let mut sums = [0.0; 3];
                for (r, t) in of_reference.iter().zip(of_target) {
                    let (r, t) = (r.norm_sqr(), t.norm_sqr());
                    sums = [sums[0] + r * t, sums[1] + r, sums[2] + t];
                }
                sums.map(|sum| sum * reference.weight(column))
            })
            .collect();
        Ok(total(&columns))
    }

    fn evaluate(&self, spectrum: &Option<Spectrum>, rows: &[f64], columns: &[f64]) -> Result<Plane<f64>> {
        let mut values = Plane::zeros(Size::new(rows.len(), columns.len()));
        let Some(spectrum) = spectrum else { return Ok(values) };
        let turns: Vec<[Vec<f64>; 2]> = rows
            .iter()
            .map(|position| {
                let turn = |index: usize| {
                    let frequency = f64::from(signed(index, spectrum.height)) / spectrum.height as f64;
                    (std::f64::consts::TAU * frequency * position).sin_cos()
                };
                let (sines, cosines) = (0..spectrum.height).map(turn).unzip();
                [cosines, sines]
            })
            .collect();
        // For each column of the spectrum, its inverse transform at the positions of the rows.
        let at_rows: Vec<Vec<Complex<f64>>> = spectrum
            .columns()
            .map_init(
                || [vec![0.0; spectrum.height], vec![0.0; spectrum.height]],
                |[real, imaginary], values| {
                    for (index, value) in values.iter().enumerate() {
                        (real[index], imaginary[index]) = (value.re, value.im);
                    }
                    turns.iter().map(|turns| turned_sum([real, imaginary], [&turns[0], &turns[1]])).collect()
                },
            )
            .collect();
        for (index, x) in columns.iter().enumerate() {
            let turn = |column: usize| {
                let frequency = column as f64 / spectrum.width as f64;
                Complex::from_polar(spectrum.weight(column), std::f64::consts::TAU * frequency * x)
            };
            let turns: Vec<Complex<f64>> = (0..at_rows.len()).map(turn).collect();
            for row in 0..rows.len() {
                values.row_mut(row)[index] =
                    at_rows.iter().zip(&turns).map(|(value, turn)| (value[row] * turn).re).sum();
            }
        }
        Ok(values)
    }
}

/// `Σ value · turn` of complex numbers whose real and imaginary parts lie apart.
fn turned_sum(values: [&[f64]; 2], turns: [&[f64]; 2]) -> Complex<f64> {
    let mut sum = Complex::default();
    simd::run(TurnedSum { values, turns, sum: &mut sum });
    sum
}

struct TurnedSum<'a> {
    values: [&'a [f64]; 2],
    turns: [&'a [f64]; 2],
    sum: &'a mut Complex<f64>,
}

/// Sums that a loop keeps apart, so that it can add whole vectors.
const LANES: usize = 8;

impl RowKernel for TurnedSum<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let [(real, real_rest), (imaginary, imaginary_rest)] =
            self.values.map(|part| part.as_chunks::<LANES>());
        let [(cosine, cosine_rest), (sine, sine_rest)] = self.turns.map(|part| part.as_chunks::<LANES>());
        let (mut reals, mut imaginaries) = ([0.0; LANES], [0.0; LANES]);
        for (((re, im), cos), sin) in real.iter().zip(imaginary).zip(cosine).zip(sine) {
            for lane in 0..LANES {
                reals[lane] += re[lane] * cos[lane] - im[lane] * sin[lane];
                imaginaries[lane] += re[lane] * sin[lane] + im[lane] * cos[lane];
            }
        }
        *self.sum = Complex::new(reals.iter().sum(), imaginaries.iter().sum());
        let rest = real_rest.iter().zip(imaginary_rest).zip(cosine_rest).zip(sine_rest);
        for (((re, im), cos), sin) in rest {
            *self.sum += Complex::new(*re, *im) * Complex::new(*cos, *sin);
        }
    }
}
