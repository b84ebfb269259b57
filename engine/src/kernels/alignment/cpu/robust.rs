//! Registration by whitened, windowed, padded correlation.

use rayon::prelude::*;
use rustfft::num_complex::Complex;

use super::fourier::{Spectrum, Transform, fast_length};
use super::overlap::Overlap;
use super::whiten::{hann, whitened};
use super::{check_same_size, check_size, signed, widened};
use crate::error::Result;
use crate::image::{GreyPixel, Plane, PlaneRef, Size};
use crate::kernels::alignment::{Registration, RobustOptions, Shift, SubpixelShift};
use crate::simd::{self, RowKernel};

/// Local maxima of the windowed correlation that are compared without window.
const PEAKS: usize = 8;
/// How far from its integer peak the sub-pixel shift is looked for, in pixels.
const NEIGHBOURHOOD_PX: f64 = 0.75;
/// One in this many registrations of unrelated planes may pass the threshold.
const CHANCE: f64 = 100.0;

/// The reference of a site, whitened and transformed once for all its targets.
#[derive(Debug)]
pub struct RobustReference {
    plan: Plan,
    reference: Whitened,
}

impl RobustReference {
    /// Prepares a reference of any size.
    ///
    /// # Errors
    /// [`crate::EngineError::Parameter`] for options out of range; [`crate::EngineError::Shape`] for
    /// sides of 2³¹ or 2³² pixels and more.
    pub fn new<T: GreyPixel>(reference: PlaneRef<'_, T>, options: &RobustOptions) -> Result<Self> {
        let plan = Plan::new(reference.size(), options)?;
        let reference = plan.prepare(reference)?;
        Ok(Self { plan, reference })
    }

    /// Registers a target.
    ///
    /// # Errors
    /// [`crate::EngineError::Shape`] when the target has another size than the reference.
    pub fn register<T: GreyPixel>(&self, target: PlaneRef<'_, T>) -> Result<Registration> {
        Ok(self.plan.register(&self.reference, &self.plan.prepare(target)?))
    }
}

/// What registrations of planes of one size share.
#[derive(Debug)]
pub(super) struct Plan {
    options: RobustOptions,
    size: Size,
    /// Largest shift along each axis.
    reach: Size,
    window: [Vec<f64>; 2],
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

impl Plan {
    pub fn new(size: Size, options: &RobustOptions) -> Result<Self> {
        options.check()?;
        check_size(size)?;
        let reach = Size::new(options.reach(size.height), options.reach(size.width));
        let padded = Size::new(fast_length(size.height + reach.height), fast_length(size.width + reach.width));
        check_size(padded)?;
        Ok(Self {
            options: *options,
            size,
            reach,
            window: [hann(size.height), hann(size.width)],
            transform: (size.area() > 0).then(|| Transform::new(padded)),
        })
    }

    pub fn prepare<T: GreyPixel>(&self, source: PlaneRef<'_, T>) -> Result<Whitened> {
        check_same_size(self.size, source.size())?;
        Ok(self.whiten(&widened(source)))
    }

    fn whiten(&self, pixels: &Plane<u16>) -> Whitened {
        let plane = whitened(pixels, self.options.clip, self.options.sigma_px);
        let Some(transform) = &self.transform else { return Whitened { plane, spectrum: None } };
        let mut windowed = plane.clone();
        for (row, factor) in self.window[0].iter().enumerate() {
            for (value, window) in windowed.row_mut(row).iter_mut().zip(&self.window[1]) {
                *value *= factor * window;
            }
        }
        let has_content = windowed.pixels().iter().any(|value| *value != 0.0);
        let spectrum = has_content.then(|| transform.forward(&windowed));
        Whitened { plane, spectrum }
    }

    /// Registers a target to a reference, both prepared with this plan.
    pub fn register(&self, reference: &Whitened, target: &Whitened) -> Registration {
        let nothing =
            Registration { threshold: self.options.threshold.unwrap_or(1.0), ..Registration::default() };
        let (Some(transform), Some(of_reference), Some(of_target)) =
            (&self.transform, &reference.spectrum, &target.spectrum)
        else {
            return nothing;
        };
        let spectrum = of_reference.correlate(of_target);
        let correlation = transform.inverse(spectrum.clone());
        let mut best: Option<(Shift, Overlap)> = None;
        for peak in peaks(&correlation, self.reach) {
            let overlap = Overlap::of(&reference.plane, &target.plane, peak);
            if best.is_none_or(|(_, best)| overlap.significance() > best.significance()) {
                best = Some((peak, overlap));
            }
        }
        let Some((peak, mut overlap)) = best else { return nothing };
        let subpixel = refine(&spectrum, peak, self.reach, self.options.upsampling);
        let shift = Shift::new(whole(peak.y, subpixel.y), whole(peak.x, subpixel.x));
        if shift != peak {
            overlap = Overlap::of(&reference.plane, &target.plane, shift);
        }
        let threshold =
            self.options.threshold.unwrap_or_else(|| self.chance(of_reference, of_target, overlap.pixels));
        Registration { shift, subpixel, quality: overlap.correlation.max(0.0), threshold }
    }

    /// What unrelated planes with these spectra reach by chance; see [`super::super`].
    fn chance(&self, reference: &Spectrum, target: &Spectrum, pixels: usize) -> f64 {
        let weight = |column| reference.weight(column);
        let columns: Vec<[f64; 3]> = reference
            .columns()
            .zip(target.columns())
            .enumerate()
            .map(|(column, (reference, target))| {
                let mut sums = [0.0; 3];
                for (r, t) in reference.iter().zip(target) {
                    let (r, t) = (r.norm_sqr(), t.norm_sqr());
                    sums = [sums[0] + r * t, sums[1] + r, sums[2] + t];
                }
                sums.map(|sum| sum * weight(column))
            })
            .collect();
        let [both, of_reference, of_target] =
            columns.iter().fold([0.0; 3], |total, sums| [total[0] + sums[0], total[1] + sums[1], total[2] + sums[2]]);
        let padded = (reference.height * reference.width) as f64;
        let variance = padded * both / of_reference / of_target / pixels as f64;
        let lags = (2 * self.reach.height + 1) as f64 * (2 * self.reach.width + 1) as f64;
        let bound = (2.0 * (CHANCE * lags).ln() * variance).sqrt();
        // Also where a sum is too small or too large for a number.
        if bound < 1.0 { bound } else { 1.0 }
    }
}

/// The highest local maxima within reach, best first.
fn peaks(correlation: &Plane<f64>, reach: Size) -> Vec<Shift> {
    let Size { height, width } = correlation.size();
    let lags = |reach: usize, side: usize| {
        // The indices of the lags -reach … reach, which the padding keeps apart.
        (side - reach..side).chain(0..=reach)
    };
    let mut peaks: Vec<(f64, Shift)> = Vec::with_capacity(PEAKS + 1);
    for row in lags(reach.height, height) {
        let around = [(row + height - 1) % height, row, (row + 1) % height];
        let rows = around.map(|row| correlation.row(row));
        for column in lags(reach.width, width) {
            let value = rows[1][column];
            let too_low = peaks.len() == PEAKS && peaks.last().is_some_and(|(least, _)| value <= *least);
            if value <= 0.0 || too_low {
                continue;
            }
            let around = [(column + width - 1) % width, column, (column + 1) % width];
            if rows.iter().any(|row| around.iter().any(|column| row[*column] > value)) {
                continue;
            }
            // Behind its equals.
            let place = peaks.partition_point(|(other, _)| *other >= value);
            peaks.insert(place, (value, Shift::new(signed(row, height), signed(column, width))));
            peaks.truncate(PEAKS);
        }
    }
    peaks.into_iter().map(|(_, shift)| shift).collect()
}

/// The maximum of the correlation on a fine grid around a peak.
fn refine(spectrum: &Spectrum, peak: Shift, reach: Size, upsampling: u32) -> SubpixelShift {
    let (rows, columns) =
        (positions(peak.y, reach.height, upsampling), positions(peak.x, reach.width, upsampling));
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
    let mut best = (f64::NEG_INFINITY, f64::INFINITY, SubpixelShift { y: peak.y.into(), x: peak.x.into() });
    for x in &columns {
        let turn = |column: usize| {
            let frequency = column as f64 / spectrum.width as f64;
            Complex::from_polar(spectrum.weight(column), std::f64::consts::TAU * frequency * x)
        };
        let turns: Vec<Complex<f64>> = (0..at_rows.len()).map(turn).collect();
        for (row, y) in rows.iter().enumerate() {
            let value: f64 = at_rows.iter().zip(&turns).map(|(value, turn)| (value[row] * turn).re).sum();
            let distance = (y - f64::from(peak.y)).abs() + (x - f64::from(peak.x)).abs();
            if value > best.0 || (value == best.0 && distance < best.1) {
                best = (value, distance, SubpixelShift { y: *y, x: *x });
            }
        }
    }
    best.2
}

/// The positions around a peak, in steps of `1/upsampling`, that are within reach.
fn positions(peak: i32, reach: usize, upsampling: u32) -> Vec<f64> {
    let steps = f64::from(upsampling);
    let most = (NEIGHBOURHOOD_PX * steps).floor();
    (0..=2 * upsampling)
        .map(|step| f64::from(step) - steps)
        .filter(|step| step.abs() <= most)
        // One division of whole numbers, so that whole pixels are exact.
        .map(|step| (f64::from(peak) * steps + step) / steps)
        .filter(|position| position.abs() <= reach as f64)
        .collect()
}

/// The whole number that a position within a pixel of `near` rounds to, ties to even.
fn whole(near: i32, position: f64) -> i32 {
    let rounded = position.round_ties_even();
    [near - 1, near, near + 1].into_iter().find(|value| f64::from(*value) == rounded).unwrap_or(near)
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
        let [(real, real_rest), (imaginary, imaginary_rest)] = self.values.map(|part| part.as_chunks::<LANES>());
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
