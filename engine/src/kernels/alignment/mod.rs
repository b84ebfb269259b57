//! Alignment between cycles: how far an image moved, and moving it back.
//!
//! A **shift** `(y, x)` is the translation to apply to a target so that it falls on the reference
//! (+y moves down, +x to the right):
//!
//! ```text
//! reference[r, c] ≈ target[r - y, c - x]
//! ```
//!
//! # Applying shifts
//!
//! Of all cycles of a site only the pixels that every cycle has are kept. The [`Residues`] are what
//! is cut at each side *of the reference frame*, with 0 (the reference itself) among the shifts:
//!
//! ```text
//! top  = max(0, max y)    bottom = max(0, -min y)    left = max(0, max x)    right = max(0, -min x)
//! block of a target: rows [top - y, H - bottom - y), columns [left - x, W - right - x)
//! crop: the block itself, (H - top - bottom) × (W - left - right)
//! pad:  H×W zeros with the block at (top, left)
//! ```
//!
//! Sides whose residues meet leave a block without pixels, which is a result and not an error.
//! [`shift`](cpu::shift) moves one plane without cutting: `out[r, c] = in[r - y, c - x]`, and 0
//! where that lies outside. Whole pixels, bit-exact on every backend.
//!
//! ```
//! use tm_engine::{Engine, image::{Plane, Size}, kernels::alignment::{Residues, Shift}};
//! let plane = Plane::new(Size::new(2, 3), vec![1u8, 2, 3, 4, 5, 6])?;
//! let shift = Shift::new(0, 1);
//! assert_eq!(Engine::cpu().shift(&plane, shift)?.pixels(), [0, 1, 2, 0, 4, 5]);
//! let residues = Residues::of(&[shift, Shift::new(-1, 0)]); // left 1, bottom 1
//! assert_eq!(Engine::cpu().align_crop(&plane, shift, residues)?.pixels(), [1, 2]);
//! assert_eq!(Engine::cpu().align_pad(&plane, shift, residues)?.pixels(), [0, 1, 2, 0, 0, 0]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```
//!
//! # Compatible registration
//!
//! Circular cross-correlation of the raw counts, as TissueMAPS:
//!
//! ```text
//! C(d)  = Σ_p target[p - d] · reference[p]        all indices modulo the size of the image
//! shift = argmax C, components above half the side reduced by the side (an even side keeps +½)
//! ```
//!
//! `C` is computed by Fourier transforms, after subtracting a whole number from each image, which
//! moves all `C` alike. Their rounding decides nothing: the 3×3 shifts around the largest value, and
//! up to 64 more that lie within rounding of it, are computed again as 64-bit integer sums. Of equal
//! sums the smaller `|y| + |x|` wins, then the smaller linear index `(y mod H)·W + (x mod W)`. (Where
//! more than 64 shifts lie within rounding, as in an image without content, the 64 first of that order
//! are looked at.) There is no limit to the shift and no measure of quality.
//!
//! The CPU transforms in 64-bit floats and exactly the size of the image. A GPU transforms in 32-bit
//! floats, and sides with prime factors beyond 2, 3 and 5 as sums of two lags of a padded correlation,
//! `C(d) = C_padded(d) + C_padded(d - side)`; more shifts lie within its rounding, and where they are
//! more than 64 the CPU decides about the pair. So both find the same shift, whatever the images.
//!
//! # Robust registration
//!
//! After Muhlich et al., Bioinformatics 38:4613 (2022). Of both planes:
//!
//! ```text
//! clip      min(v, limit), the limit a percentile of the plane or given; minus the least value
//! whiten    w = Laplacian of Gaussian, standard deviation σ; borders reflected, edge repeated
//! window    w · Hann(r; H) · Hann(c; W),    Hann(i; n) = ½ - ½·cos(2πi / (n - 1))
//! correlate C(d) = Σ_p T[p - d] · R[p], not circular: padded with zeros by the largest shift
//! ```
//!
//! 1. The second derivative has its taps `φ(k)·(k² - Σφk²)/σ⁴`, `|k| ≤ ⌊4σ + ½⌋`, with `φ`
//!    normalised to 1: their sum is 0, so a plane of one value whitens to exactly 0.
//! 2. `C(d)` is divided by what noise adds to it, `√Σ_p w²(p)·w²(p - d)` of the windows; lags at which
//!    that is, along an axis, less than a hundredth of what it is at no lag do not count. The eight
//!    highest local maxima with `|y|` and `|x|` up to the largest shift, and no shift, are compared
//!    without window: that with the largest `ncc·√n` is taken, `ncc` the normalised correlation of the
//!    whitened planes on the `n` pixels of their overlap, and of about equal ones (to five digits) that
//!    of smaller `|y| + |x|`; and from it, up to four times, the best of its eight neighbours if that is
//!    better. If that is no better than chance, the step is repeated with the correlation of the planes
//!    without window, and the better one taken: windows leave little to correlate for large shifts.
//!    That is the **shift**. (Padding leaves one shift for each lag. Of the wrapped lags `d` and `d - N`
//!    the wrong one might be taken.)
//! 3. `C` is evaluated by an upsampled discrete Fourier transform (Guizar-Sicairos, Thurman, Fienup,
//!    Opt. Lett. 33:156, 2008) in steps of `1/k` px up to ½ px from the shift `s`; its maximum is the
//!    **sub-pixel** shift. Windows pull it towards 0, by the slope of their own correlation
//!    `g(d) = Σ_i w(i)·w(i - d)`; so `C(d)` is divided by `(g(s + ½) / g(s - ½))^(d - s)` along each axis.
//! 4. The **quality** is `ncc` at the shift, 0 where it is negative or a plane has no content;
//!    `e = -ln(quality)` is the error of ASHLAR.
//! 5. The **threshold** is what unrelated planes with the same spectra reach by chance in one of 100
//!    registrations. By Bartlett's formula `ncc` of unrelated planes has the variance
//!    `v = Σ_k ρ_R(k)·ρ_T(k) / n` with the autocorrelations `ρ`, which is a sum over power spectra;
//!    over `m` lags the bound is `√(2·ln(100·m)·v)`, at most 1. Planes with few large objects have
//!    heavier tails than that: [`permutation_threshold`](cpu::permutation_threshold) measures them.
//!
//! The CPU computes all of this in 64-bit floats, a GPU in 32-bit floats with sums of sums in 64 bits.
//! Backends find the same shift unless two are about equally good, the sub-pixel shift to one step, and
//! quality and threshold to a thousandth.
//!
//! A shift of (0, 0) of planes without content may be the sensor's own pattern, which registers
//! well: judge it together with the other sites of the well.
//!
//! ```
//! use tm_engine::{Engine, image::{Plane, Size}, kernels::alignment::{RobustOptions, Shift}};
//! let spot = |y: usize, x: usize| Plane::from_fn(Size::new(32, 32), |row, column| {
//!     let square = (row.abs_diff(y).pow(2) + column.abs_diff(x).pow(2)) as f64;
//!     (900.0 * (-square / 8.0).exp()) as u16
//! });
//! let options = RobustOptions { clip: tm_engine::kernels::alignment::Clip::Off, ..Default::default() };
//! let found = Engine::cpu().register_robust(&spot(16, 14), &[&spot(13, 16)], &options)?;
//! assert_eq!(found[0].shift, Shift::new(3, -2));
//! assert!(found[0].is_accepted());
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

pub mod cpu;
mod exact;
pub(crate) mod gpu;
mod lags;
mod overlap;
mod robust;
mod span;
mod spec;
mod whitening;

pub use spec::{APPLY, COMPATIBLE, ROBUST};

use crate::error::{EngineError, Result};
use crate::image::{Rect, Size};

/// A translation by whole pixels, to apply to a target so that it falls on the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Shift {
    /// Rows to move down.
    pub y: i32,
    /// Columns to move to the right.
    pub x: i32,
}

impl Shift {
    /// A translation by `y` rows down and `x` columns to the right.
    pub const fn new(y: i32, x: i32) -> Self {
        Self { y, x }
    }
}

impl std::fmt::Display for Shift {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "({:+}, {:+})", self.y, self.x)
    }
}

/// A translation by fractions of a pixel, in the direction of a [`Shift`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SubpixelShift {
    /// Pixels to move down.
    pub y: f64,
    /// Pixels to move to the right.
    pub x: f64,
}

/// Pixels to cut at each side of the reference, so that every cycle of a site has what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Residues {
    /// Rows to cut at the top.
    pub top: u32,
    /// Rows to cut at the bottom.
    pub bottom: u32,
    /// Columns to cut at the left.
    pub left: u32,
    /// Columns to cut at the right.
    pub right: u32,
}

impl Residues {
    /// The residues of all shifts of a site; none for no shifts.
    pub fn of(shifts: &[Shift]) -> Self {
        shifts.iter().fold(Self::default(), |residues, shift| {
            let (up, down) =
                if shift.y < 0 { (shift.y.unsigned_abs(), 0) } else { (0, shift.y.unsigned_abs()) };
            let (west, east) =
                if shift.x < 0 { (shift.x.unsigned_abs(), 0) } else { (0, shift.x.unsigned_abs()) };
            Self {
                top: residues.top.max(down),
                bottom: residues.bottom.max(up),
                left: residues.left.max(east),
                right: residues.right.max(west),
            }
        })
    }

    /// What is left of a plane of this size: position and size in the frame of the reference.
    /// Where nothing is left, a side has length 0.
    pub fn intersection(&self, size: Size) -> Rect {
        let (y, height) = kept(size.height, self.top, self.bottom);
        let (x, width) = kept(size.width, self.left, self.right);
        Rect::new(y, x, Size::new(height, width))
    }

    /// The block of a target of this size that falls on the [`intersection`](Self::intersection),
    /// in the frame of the target.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] when the residues were not made with this shift among others.
    pub fn block(&self, shift: Shift, size: Size) -> Result<Rect> {
        let whole = Self::of(&[shift]);
        let covered = whole.top <= self.top
            && whole.bottom <= self.bottom
            && whole.left <= self.left
            && whole.right <= self.right;
        if !covered {
            return Err(EngineError::Parameter {
                name: "residues",
                problem: format!("{self:?} leave out the shift {shift}"),
            });
        }
        let intersection = self.intersection(size);
        if intersection.size.area() == 0 {
            return Ok(Rect::new(0, 0, intersection.size));
        }
        // Covered and not empty: both stay inside the plane.
        let (y, x) = (moved(intersection.y, shift.y), moved(intersection.x, shift.x));
        Ok(Rect::new(y, x, intersection.size))
    }
}

/// First and number of the positions of a side that are left between two residues.
fn kept(length: usize, before: u32, after: u32) -> (usize, usize) {
    let cut = |residue: u32| usize::try_from(residue).unwrap_or(usize::MAX).min(length);
    (cut(before), length.saturating_sub(cut(before)).saturating_sub(cut(after)))
}

/// `position - shift`, which must not be negative.
fn moved(position: usize, shift: i32) -> usize {
    let distance = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX);
    if shift < 0 { position.saturating_add(distance) } else { position.saturating_sub(distance) }
}

/// Up to which grey value bright pixels count in robust registration; brighter ones count as that.
///
/// Dirt and other bright things in one of the images outweigh everything else without it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clip {
    /// All of them count in full.
    Off,
    /// A percentile of each plane, 0 to 100: the least value with at least that share at or below it.
    Percentile(f64),
    /// A grey value for all planes, such as a percentile of the channel.
    Value(u16),
}

/// Settings of robust registration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RobustOptions {
    /// What bright pixels count.
    pub clip: Clip,
    /// Standard deviation of the Gaussian of the whitening in pixels, 0.3 to 50.
    pub sigma_px: f64,
    /// Steps per pixel of the sub-pixel shift, 1 to 200.
    pub upsampling: u32,
    /// Largest shift in pixels, for each axis; half of each side where none is given. A side less one
    /// is the most that is looked at.
    pub max_shift_px: Option<u32>,
    /// Quality above which a shift is accepted, 0 to 1; estimated for each pair where none is given.
    pub threshold: Option<f64>,
}

impl Default for RobustOptions {
    /// The 99.5th percentile, σ of 2 px, steps of 0.05 px, shifts up to half of each side, an
    /// estimated threshold.
    fn default() -> Self {
        Self {
            clip: Clip::Percentile(99.5),
            sigma_px: 2.0,
            upsampling: 20,
            max_shift_px: None,
            threshold: None,
        }
    }
}

impl RobustOptions {
    /// The fields are public, so registration checks them.
    fn check(&self) -> Result<()> {
        let refuse = |name, problem: String| Err(EngineError::Parameter { name, problem });
        if !(0.3..=50.0).contains(&self.sigma_px) {
            return refuse("sigma_px", format!("must be from 0.3 to 50, not {}", self.sigma_px));
        }
        if !(1..=200).contains(&self.upsampling) {
            return refuse("upsampling", format!("must be from 1 to 200, not {}", self.upsampling));
        }
        if let Some(threshold) = self.threshold
            && !(0.0..=1.0).contains(&threshold)
        {
            return refuse("threshold", format!("must be from 0 to 1, not {threshold}"));
        }
        match self.clip {
            Clip::Percentile(percentile) if !(0.0..=100.0).contains(&percentile) => {
                refuse("clip", format!("must be a percentile from 0 to 100, not {percentile}"))
            }
            _ => Ok(()),
        }
    }

    /// Largest shift along a side of this length.
    fn reach(&self, side: usize) -> usize {
        let wanted = match self.max_shift_px {
            Some(pixels) => usize::try_from(pixels).unwrap_or(usize::MAX),
            None => side / 2,
        };
        wanted.min(side.saturating_sub(1))
    }
}

/// How a target was registered to a reference.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Registration {
    /// The shift in whole pixels.
    pub shift: Shift,
    /// The shift in steps of `1/upsampling` px, at most ½ px from [`shift`](Self::shift).
    pub subpixel: SubpixelShift,
    /// Correlation of the whitened planes on their overlap after the shift: 1 for equal ones, 0 for
    /// nothing in common or no content. Never NaN.
    pub quality: f64,
    /// Quality that unrelated planes like these reach in one of 100 cases, or the one given; 0 to 1.
    pub threshold: f64,
}

impl Registration {
    /// Whether the quality is better than chance.
    pub fn is_accepted(&self) -> bool {
        self.quality > self.threshold
    }

    /// The error of ASHLAR, `-ln(quality)`: 0 for equal planes, infinite for nothing in common.
    pub fn error(&self) -> f64 {
        // Without the sign of the zero that `-ln 1` has.
        if self.quality >= 1.0 { 0.0 } else { -self.quality.ln() }
    }
}
