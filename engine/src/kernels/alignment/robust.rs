//! Robust registration: the order of its steps, which both backends follow.

use super::lags::{check_size, distance, fast_length};
use super::overlap::Overlap;
use super::whitening::hann;
use super::{Registration, RobustOptions, Shift, SubpixelShift};
use crate::error::Result;
use crate::image::{Plane, Size};

/// Local maxima of the windowed correlation that are compared without window.
pub(super) const PEAKS: usize = 8;
/// Moves to a better neighbour, at most, when peaks are compared without window.
const STEPS: usize = 4;
/// One in this many registrations of unrelated planes may pass the threshold.
const CHANCE: f64 = 100.0;
/// A shift is better than another one if its significance is larger by more than this share: sums of
/// floats depend on their order.
const TIE: f64 = 1e-5;
/// A lag at which noise is this share of that at no lag, or less, is not looked at: there windows
/// have next to nothing in common, and 32-bit floats no digits.
const SHARED: f64 = 1e-2;

/// What a plane is multiplied by before it is transformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// Hann's window along both axes.
    Hann,
    /// Nothing: the whole plane counts.
    Whole,
}

/// What a backend does with planes; [`Plan::register`] says when.
pub(super) trait Correlator {
    /// A plane that is whitened, and transformed after windowing and padding.
    type Whitened;
    /// The transform of the correlation of two of them.
    type Spectrum;

    /// Whether anything is left of a plane after windowing.
    fn has_content(&self, plane: &Self::Whitened) -> bool;

    /// The transform of the correlation of reference and target, and the highest local maxima within
    /// reach of the correlation relative to its noise, as [`Peaks`] has them.
    fn correlate(&self, planes: [&Self::Whitened; 2], window: Window)
    -> Result<(Self::Spectrum, Vec<Shift>)>;

    /// What the whole planes, without window, have in common after each of several shifts.
    fn overlaps(&self, planes: [&Self::Whitened; 2], shifts: &[Shift]) -> Result<Vec<Overlap>>;

    /// `Σ |R|²·|T|²`, `Σ |R|²` and `Σ |T|²` of the transforms of windowed planes.
    fn power(&self, planes: [&Self::Whitened; 2]) -> Result<[f64; 3]>;

    /// The correlation at lags between pixels, a row for each of `rows`, up to a factor.
    fn evaluate(&self, spectrum: &Self::Spectrum, rows: &[f64], columns: &[f64]) -> Result<Plane<f64>>;
}

/// What registrations of planes of one size share.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) options: RobustOptions,
    pub(super) size: Size,
    /// Size of transforms: no two lags within reach fall together.
    pub(super) padded: Size,
    /// Largest shift along each axis.
    reach: Size,
}

/// A lag within reach along one axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct RelativeLag {
    pub(super) lag: i32,
    /// Where it lies in a padded correlation.
    pub(super) index: usize,
    /// What makes the correlation relative to its noise; 0 where the windows share too little.
    pub(super) factor: f64,
}

/// A shift, and what the planes have in common there.
#[derive(Debug, Clone, Copy)]
struct Found {
    shift: Shift,
    overlap: Overlap,
}

impl Found {
    /// The more significant of two; this one if they are about equal.
    fn or(self, other: Self) -> Self {
        let (this, that) = (self.overlap.significance(), other.overlap.significance());
        if that - this > TIE * this.abs() { other } else { self }
    }
}

impl Plan {
    /// What planes of a size need.
    ///
    /// # Errors
    /// [`crate::EngineError::Parameter`] for options out of range; [`crate::EngineError::Shape`] for
    /// sides of 2³¹ or 2³² pixels and more.
    pub(super) fn new(size: Size, options: &RobustOptions) -> Result<Self> {
        options.check()?;
        check_size(size)?;
        let reach = Size::new(options.reach(size.height), options.reach(size.width));
        let padded =
            Size::new(fast_length(size.height + reach.height), fast_length(size.width + reach.width));
        check_size(padded)?;
        Ok(Self { options: *options, size, padded, reach })
    }

    /// The factors of a window along rows and columns.
    pub(super) fn window(&self, window: Window) -> [Vec<f64>; 2] {
        [self.size.height, self.size.width].map(|side| match window {
            Window::Hann => (0..side).map(|index| hann(index as f64, side)).collect(),
            Window::Whole => vec![1.0; side],
        })
    }

    /// The lags of rows and of columns that are within reach, in order.
    pub(super) fn lags(&self, window: Window) -> [Vec<RelativeLag>; 2] {
        let [rows, columns] = self.window(window);
        [
            relative_lags(&rows, self.reach.height, self.padded.height),
            relative_lags(&columns, self.reach.width, self.padded.width),
        ]
    }

    /// What a registration is of planes without content.
    pub(super) fn nothing(&self) -> Registration {
        Registration { threshold: self.options.threshold.unwrap_or(1.0), ..Registration::default() }
    }

    /// Registers a target to a reference, both whitened with this plan; see [`super`].
    pub(super) fn register<C: Correlator>(
        &self,
        correlator: &C,
        planes: [&C::Whitened; 2],
    ) -> Result<Registration> {
        if !planes.into_iter().all(|plane| correlator.has_content(plane)) {
            return Ok(self.nothing());
        }
        let power = match self.options.threshold {
            Some(_) => [0.0; 3],
            None => correlator.power(planes)?,
        };
        let threshold = |found: &Found| {
            self.options.threshold.unwrap_or_else(|| self.chance(power, found.overlap.pixels))
        };
        let (spectrum, peaks) = correlator.correlate(planes, Window::Hann)?;
        let mut best = self.search(correlator, planes, peaks)?;
        if best.overlap.correlation <= threshold(&best) {
            let (_, peaks) = correlator.correlate(planes, Window::Whole)?;
            best = best.or(self.search(correlator, planes, peaks)?);
        }
        Ok(Registration {
            shift: best.shift,
            subpixel: self.refine(correlator, &spectrum, best.shift)?,
            quality: best.overlap.correlation.max(0.0),
            threshold: threshold(&best),
        })
    }

    /// Judges a shift that was found in another way, by what the whole planes have in common there.
    pub(super) fn judge<C: Correlator>(
        &self,
        correlator: &C,
        planes: [&C::Whitened; 2],
        shift: Shift,
    ) -> Result<Registration> {
        let subpixel = SubpixelShift { y: shift.y.into(), x: shift.x.into() };
        if !planes.into_iter().all(|plane| correlator.has_content(plane)) {
            return Ok(Registration { shift, subpixel, ..self.nothing() });
        }
        let overlap = correlator.overlaps(planes, &[shift])?.into_iter().next();
        let overlap = overlap.unwrap_or_else(|| Overlap::of([0.0; 3], 0));
        let threshold = match self.options.threshold {
            Some(threshold) => threshold,
            None => self.chance(correlator.power(planes)?, overlap.pixels),
        };
        Ok(Registration { shift, subpixel, quality: overlap.correlation.max(0.0), threshold })
    }

    /// The best of some shifts on the overlap of the whole planes, of no shift, and of what lies
    /// around the best.
    fn search<C: Correlator>(
        &self,
        correlator: &C,
        planes: [&C::Whitened; 2],
        mut shifts: Vec<Shift>,
    ) -> Result<Found> {
        let found = |shifts: Vec<Shift>| -> Result<Vec<Found>> {
            let overlaps = correlator.overlaps(planes, &shifts)?;
            Ok(shifts.into_iter().zip(overlaps).map(|(shift, overlap)| Found { shift, overlap }).collect())
        };
        // Of about equal ones the smaller shift is taken, whichever peak is a trifle higher.
        shifts.push(Shift::default());
        shifts.sort_unstable_by_key(|shift| (distance(*shift), shift.y, shift.x));
        shifts.dedup();
        let none = Found { shift: Shift::default(), overlap: Overlap::of([0.0; 3], 0) };
        let mut best = found(shifts)?.into_iter().reduce(Found::or).unwrap_or(none);
        for _ in 0..STEPS {
            let before = best.shift;
            best = found(self.neighbours(before))?.into_iter().fold(best, Found::or);
            if best.shift == before {
                break;
            }
        }
        Ok(best)
    }

    /// The eight shifts around one, those that are within reach.
    fn neighbours(&self, shift: Shift) -> Vec<Shift> {
        let within =
            |lag: i32, reach: usize| usize::try_from(lag.unsigned_abs()).is_ok_and(|lag| lag <= reach);
        let Size { height, width } = self.reach;
        (-1..=1)
            .flat_map(|y| (-1..=1).map(move |x| (y, x)))
            .filter(|offset| *offset != (0, 0))
            .map(|(y, x)| Shift::new(shift.y.saturating_add(y), shift.x.saturating_add(x)))
            .filter(|shift| within(shift.y, height) && within(shift.x, width))
            .collect()
    }

    /// What unrelated planes with these power spectra reach by chance on an overlap; see [`super`].
    fn chance(&self, [both, of_reference, of_target]: [f64; 3], pixels: usize) -> f64 {
        let variance = self.padded.area() as f64 * both / of_reference / of_target / pixels as f64;
        let lags = (2 * self.reach.height + 1) as f64 * (2 * self.reach.width + 1) as f64;
        let bound = (2.0 * (CHANCE * lags).ln() * variance).sqrt();
        // Also where a sum is too small or too large for a number.
        if bound < 1.0 { bound } else { 1.0 }
    }

    /// The maximum of the correlation on a fine grid around a shift, without the pull of the windows.
    fn refine<C: Correlator>(
        &self,
        correlator: &C,
        spectrum: &C::Spectrum,
        shift: Shift,
    ) -> Result<SubpixelShift> {
        let (rows, row_factors) = self.positions(shift.y, self.size.height, self.reach.height);
        let (columns, column_factors) = self.positions(shift.x, self.size.width, self.reach.width);
        let values = correlator.evaluate(spectrum, &rows, &columns)?;
        let mut best =
            (f64::NEG_INFINITY, f64::INFINITY, SubpixelShift { y: shift.y.into(), x: shift.x.into() });
        for (column, x) in columns.iter().enumerate() {
            for (row, y) in rows.iter().enumerate() {
                let value = values.get(row, column) * row_factors[row] * column_factors[column];
                let distance = (y - f64::from(shift.y)).abs() + (x - f64::from(shift.x)).abs();
                if value > best.0 || (value == best.0 && distance < best.1) {
                    best = (value, distance, SubpixelShift { y: *y, x: *x });
                }
            }
        }
        Ok(best.2)
    }

    /// The positions that round to a shift and are within reach, in steps of `1/upsampling`, and what
    /// levels the slope of the windows' own correlation at each.
    fn positions(&self, shift: i32, side: usize, reach: usize) -> (Vec<f64>, Vec<f64>) {
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
            .unzip()
    }
}

/// The lags within reach along an axis with this window, from the lowest one on.
fn relative_lags(window: &[f64], reach: usize, padded: usize) -> Vec<RelativeLag> {
    // The standard deviation of what noise adds to the correlation, up to a factor.
    let squares = |lag: usize| window.iter().skip(lag).zip(window).map(|(a, b)| (a * b).powi(2)).sum::<f64>();
    let noise: Vec<f64> = (0..=reach).map(|lag| squares(lag).sqrt()).collect();
    let least = noise.first().map_or(0.0, |most| SHARED * most);
    let relative = |lag: usize, is_negative: bool| {
        let distance = i32::try_from(lag).unwrap_or(i32::MAX);
        RelativeLag {
            lag: if is_negative { -distance } else { distance },
            index: if is_negative { padded - lag } else { lag },
            factor: if noise[lag] > least { noise[lag].recip() } else { 0.0 },
        }
    };
    (1..=reach)
        .rev()
        .map(|lag| relative(lag, true))
        .chain((0..=reach).map(|lag| relative(lag, false)))
        .collect()
}

/// The highest of values that are offered one after the other, best first, equals in their order.
#[derive(Debug, Default)]
pub(super) struct Peaks(Vec<(f64, Shift)>);

impl Peaks {
    /// Whether a value would be taken.
    pub(super) fn wants(&self, value: f64) -> bool {
        value > 0.0 && (self.0.len() < PEAKS || self.0.last().is_some_and(|(least, _)| value > *least))
    }

    /// Takes a value that is wanted.
    pub(super) fn push(&mut self, value: f64, shift: Shift) {
        let place = self.0.partition_point(|(other, _)| *other >= value);
        self.0.insert(place, (value, shift));
        self.0.truncate(PEAKS);
    }

    /// The shifts.
    pub(super) fn into_shifts(self) -> Vec<Shift> {
        self.0.into_iter().map(|(_, shift)| shift).collect()
    }
}
