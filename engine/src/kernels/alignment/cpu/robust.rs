//! Registration by whitened, windowed, padded correlation.

use rayon::prelude::*;
use rustfft::num_complex::Complex;

use super::fourier::{Spectrum, Transform};
use super::overlap::Overlap;
use super::whiten::{hann, whitened};
use crate::error::Result;
use crate::image::{GreyPixel, Plane, PlaneRef, Size};
use crate::kernels::alignment::lags::{check_same_size, check_size, fast_length, signed, widened};
use crate::kernels::alignment::{Registration, RobustOptions, Shift, SubpixelShift};
use crate::simd::{self, RowKernel};

/// Local maxima of the windowed correlation that are compared without window.
const PEAKS: usize = 8;
/// Moves to a better neighbour, at most, when peaks are compared without window.
const STEPS: usize = 4;
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
    /// Standard deviation of what noise adds to the windowed correlation, up to a factor: one factor
    /// per axis, for lags of 0 … reach.
    noise: [Vec<f64>; 2],
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

/// A shift, and what the planes have in common there.
#[derive(Debug, Clone, Copy)]
struct Found {
    shift: Shift,
    overlap: Overlap,
}

impl Found {
    /// The more significant of two; this one if they are equal.
    fn or(self, other: Self) -> Self {
        if other.overlap.significance() > self.overlap.significance() { other } else { self }
    }
}

impl Plan {
    pub fn new(size: Size, options: &RobustOptions) -> Result<Self> {
        options.check()?;
        check_size(size)?;
        let reach = Size::new(options.reach(size.height), options.reach(size.width));
        let padded =
            Size::new(fast_length(size.height + reach.height), fast_length(size.width + reach.width));
        check_size(padded)?;
        let window = [size.height, size.width]
            .map(|side| (0..side).map(|index| hann(index as f64, side)).collect::<Vec<_>>());
        Ok(Self {
            options: *options,
            size,
            reach,
            noise: [window_noise(&window[0], reach.height), window_noise(&window[1], reach.width)],
            window,
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
        let threshold = |found: &Found| {
            self.options
                .threshold
                .unwrap_or_else(|| self.chance(of_reference, of_target, found.overlap.pixels))
        };
        let mut best = self.search(&correlation, &self.noise, [&reference.plane, &target.plane]);
        if best.overlap.correlation <= threshold(&best) {
            let [of_reference, of_target] = [reference, target].map(|plane| transform.forward(&plane.plane));
            let correlation = transform.inverse(of_reference.correlate(&of_target));
            let noise = [(self.size.height, self.reach.height), (self.size.width, self.reach.width)]
                .map(|(side, reach)| (0..=reach).map(|lag| ((side - lag) as f64).sqrt()).collect());
            best = best.or(self.search(&correlation, &noise, [&reference.plane, &target.plane]));
        }
        Registration {
            shift: best.shift,
            subpixel: self.refine(&spectrum, best.shift),
            quality: best.overlap.correlation.max(0.0),
            threshold: threshold(&best),
        }
    }

    /// The best of the peaks of a correlation on the overlap of the whole planes, and of no shift.
    fn search(
        &self,
        correlation: &Plane<f64>,
        noise: &[Vec<f64>; 2],
        [reference, target]: [&Plane<f64>; 2],
    ) -> Found {
        let found = |shift| Found { shift, overlap: Overlap::of(reference, target, shift) };
        let peaks = self.peaks(correlation, noise);
        let mut best = peaks.into_iter().map(found).fold(found(Shift::default()), Found::or);
        for _ in 0..STEPS {
            let before = best.shift;
            best = self.neighbours(before).map(found).fold(best, Found::or);
            if best.shift == before {
                break;
            }
        }
        best
    }

    /// The eight shifts around one, those that are within reach.
    fn neighbours(&self, shift: Shift) -> impl Iterator<Item = Shift> {
        let within =
            |lag: i32, reach: usize| usize::try_from(lag.unsigned_abs()).is_ok_and(|lag| lag <= reach);
        let Size { height, width } = self.reach;
        (-1..=1)
            .flat_map(|y| (-1..=1).map(move |x| (y, x)))
            .filter(|offset| *offset != (0, 0))
            .map(move |(y, x)| Shift::new(shift.y.saturating_add(y), shift.x.saturating_add(x)))
            .filter(move |shift| within(shift.y, height) && within(shift.x, width))
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
        let [both, of_reference, of_target] = columns
            .iter()
            .fold([0.0; 3], |total, sums| [total[0] + sums[0], total[1] + sums[1], total[2] + sums[2]]);
        let padded = (reference.height * reference.width) as f64;
        let variance = padded * both / of_reference / of_target / pixels as f64;
        let lags = (2 * self.reach.height + 1) as f64 * (2 * self.reach.width + 1) as f64;
        let bound = (2.0 * (CHANCE * lags).ln() * variance).sqrt();
        // Also where a sum is too small or too large for a number.
        if bound < 1.0 { bound } else { 1.0 }
    }

    /// The highest local maxima within reach of the correlation relative to its noise, best first.
    fn peaks(&self, correlation: &Plane<f64>, noise: &[Vec<f64>; 2]) -> Vec<Shift> {
        let Size { height, width } = correlation.size();
        let mut peaks: Vec<(f64, Shift)> = Vec::with_capacity(PEAKS + 1);
        let (rows, columns) = (lags(&noise[0], height), lags(&noise[1], width));
        let relative = |row: usize, column: usize| {
            let ((row, row_noise), (column, column_noise)) = (rows[row], columns[column]);
            // A lag that the windows do not share carries nothing.
            let noise = row_noise * column_noise;
            if noise > 0.0 { correlation.row(row)[column] / noise } else { 0.0 }
        };
        for row in 0..rows.len() {
            for column in 0..columns.len() {
                let value = relative(row, column);
                let too_low = peaks.len() == PEAKS && peaks.last().is_some_and(|(least, _)| value <= *least);
                if value <= 0.0 || too_low {
                    continue;
                }
                let around_rows = row.saturating_sub(1)..(row + 2).min(rows.len());
                let around_columns = column.saturating_sub(1)..(column + 2).min(columns.len());
                let is_lower =
                    |row: usize| around_columns.clone().any(|column| relative(row, column) > value);
                if around_rows.into_iter().any(is_lower) {
                    continue;
                }
                // Behind its equals.
                let place = peaks.partition_point(|(other, _)| *other >= value);
                let shift = Shift::new(signed(rows[row].0, height), signed(columns[column].0, width));
                peaks.insert(place, (value, shift));
                peaks.truncate(PEAKS);
            }
        }
        peaks.into_iter().map(|(_, shift)| shift).collect()
    }

    /// The maximum of the correlation on a fine grid around a shift, without the pull of the windows.
    fn refine(&self, spectrum: &Spectrum, shift: Shift) -> SubpixelShift {
        let rows = self.positions(shift.y, self.size.height, self.reach.height);
        let columns = self.positions(shift.x, self.size.width, self.reach.width);
        let turns: Vec<[Vec<f64>; 2]> = rows
            .iter()
            .map(|(position, _)| {
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
        let mut best =
            (f64::NEG_INFINITY, f64::INFINITY, SubpixelShift { y: shift.y.into(), x: shift.x.into() });
        for (x, column_factor) in &columns {
            let turn = |column: usize| {
                let frequency = column as f64 / spectrum.width as f64;
                Complex::from_polar(spectrum.weight(column), std::f64::consts::TAU * frequency * x)
            };
            let turns: Vec<Complex<f64>> = (0..at_rows.len()).map(turn).collect();
            for (row, (y, row_factor)) in rows.iter().enumerate() {
                let sum: f64 = at_rows.iter().zip(&turns).map(|(value, turn)| (value[row] * turn).re).sum();
                let value = sum * row_factor * column_factor;
                let distance = (y - f64::from(shift.y)).abs() + (x - f64::from(shift.x)).abs();
                if value > best.0 || (value == best.0 && distance < best.1) {
                    best = (value, distance, SubpixelShift { y: *y, x: *x });
                }
            }
        }
        best.2
    }

    /// The positions that round to a shift and are within reach, in steps of `1/upsampling`, and what
    /// levels the slope of the windows' own correlation at each.
    fn positions(&self, shift: i32, side: usize, reach: usize) -> Vec<(f64, f64)> {
        let steps = f64::from(self.options.upsampling);
        let shared = |lag: f64| -> f64 {
            (0..side).map(|index| hann(index as f64, side) * hann(index as f64 - lag, side)).sum()
        };
        let (before, after) = (shared(f64::from(shift) - 0.5), shared(f64::from(shift) + 0.5));
        // The windows are symmetric: level without a shift, exactly.
        let slope = if shift == 0 { 0.0 } else { (after / before).ln() };
        let slope = if slope.is_finite() { slope } else { 0.0 };
        (0..=2 * self.options.upsampling)
            .map(|step| f64::from(step) - steps)
            // One division of whole numbers, so that whole pixels are exact.
            .map(|step| (f64::from(shift) * steps + step) / steps)
            .filter(|position| (position - f64::from(shift)).abs() <= 0.5 && position.abs() <= reach as f64)
            .map(|position| (position, (slope * (f64::from(shift) - position)).exp()))
            .collect()
    }
}

/// Indices of the lags `-reach … reach` along an axis, in order, and the noise there.
fn lags(noise: &[f64], side: usize) -> Vec<(usize, f64)> {
    let before = noise.iter().enumerate().skip(1).rev().map(|(lag, noise)| (side - lag, *noise));
    before.chain(noise.iter().copied().enumerate()).collect()
}

/// `√ Σ w(i)²·w(i - lag)²` for lags of 0 … reach.
fn window_noise(window: &[f64], reach: usize) -> Vec<f64> {
    let squares = |lag: usize| window.iter().skip(lag).zip(window).map(|(a, b)| (a * b).powi(2)).sum::<f64>();
    (0..=reach).map(|lag| squares(lag).sqrt()).collect()
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
