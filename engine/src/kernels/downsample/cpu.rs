//! Halving on the CPU: bands of rows, each row pair one vector loop.

use super::{Filter, Label, level_sizes};
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, Pixel, Plane, PlaneRef};
use crate::parallel;
use crate::simd::{self, RowKernel};

/// Halves a plane of `H×W` by means into one of `⌈H/2⌉ × ⌈W/2⌉`.
pub fn downsample<T: GreyPixel>(source: PlaneRef<'_, T>) -> Plane<T> {
    let mut output = Plane::zeros(source.size().halved());
    fill(source, &mut output, T::halve_row, Beyond::Black);
    output
}

/// Halves a plane by means into one that exists already: no memory is allocated for it.
///
/// # Errors
/// [`EngineError::Shape`] when `output` is not half the size of `source`, rounded up.
pub fn downsample_into<T: GreyPixel>(source: PlaneRef<'_, T>, output: &mut Plane<T>) -> Result<()> {
    check_output(source, output)?;
    fill(source, output, T::halve_row, Beyond::Black);
    Ok(())
}

/// Halves a plane of `H×W` by maxima into one of `⌈H/2⌉ × ⌈W/2⌉`.
pub fn downsample_max<T: GreyPixel>(source: PlaneRef<'_, T>) -> Plane<T> {
    let mut output = Plane::zeros(source.size().halved());
    fill(source, &mut output, T::halve_max_row, Beyond::Black);
    output
}

/// Halves a plane by maxima into one that exists already: no memory is allocated for it.
///
/// # Errors
/// As [`downsample_into`].
pub fn downsample_max_into<T: GreyPixel>(source: PlaneRef<'_, T>, output: &mut Plane<T>) -> Result<()> {
    check_output(source, output)?;
    fill(source, output, T::halve_max_row, Beyond::Black);
    Ok(())
}

/// Halves a plane again and again: its levels 1 to `levels`, each from the one before.
///
/// # Errors
/// [`EngineError::Parameter`] for more than 32 levels.
pub fn downsample_levels<T: GreyPixel>(
    source: PlaneRef<'_, T>,
    filter: Filter,
    levels: usize,
) -> Result<Vec<Plane<T>>> {
    let halve = match filter {
        Filter::Mean => T::halve_row,
        Filter::Max => T::halve_max_row,
    };
    let mut made: Vec<Plane<T>> = Vec::new();
    for size in level_sizes(source.size(), levels)? {
        let mut level = Plane::zeros(size);
        fill(made.last().map_or(source, Plane::view), &mut level, halve, Beyond::Black);
        made.push(level);
    }
    Ok(made)
}

/// Halves a label image of `H×W` by majorities into one of `⌈H/2⌉ × ⌈W/2⌉`.
pub fn downsample_labels<T: Label>(source: PlaneRef<'_, T>) -> Plane<T> {
    let mut output = Plane::zeros(source.size().halved());
    fill(source, &mut output, T::halve_mode_row, Beyond::NoVote);
    output
}

/// Halves a label image by majorities into one that exists already: no memory is allocated for it.
///
/// # Errors
/// As [`downsample_into`].
pub fn downsample_labels_into<T: Label>(source: PlaneRef<'_, T>, output: &mut Plane<T>) -> Result<()> {
    check_output(source, output)?;
    fill(source, output, T::halve_mode_row, Beyond::NoVote);
    Ok(())
}

fn check_output<T: Pixel>(source: PlaneRef<'_, T>, output: &Plane<T>) -> Result<()> {
    if output.size() == source.size().halved() {
        return Ok(());
    }
    Err(EngineError::Shape {
        what: "output of downsampling",
        expected: source.size().halved().to_string(),
        actual: output.size().to_string(),
    })
}

/// What a pixel beyond the right or bottom edge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// 0.
    Black,
    /// Absent. Repeating the last row and column doubles every vote, which changes no majority.
    NoVote,
}

/// The rule for the whole 2×2 blocks of a row pair.
type HalveRow<T> = fn(top: &[[T; 2]], bottom: &[[T; 2]], output: &mut [T]);

fn fill<T: Pixel>(source: PlaneRef<'_, T>, output: &mut Plane<T>, halve: HalveRow<T>, beyond: Beyond) {
    let (size, width) = (source.size(), output.size().width);
    let black_row = match beyond {
        Beyond::Black if !size.height.is_multiple_of(2) => vec![T::default(); size.width],
        _ => Vec::new(),
    };
    parallel::for_each_band(output.pixels_mut(), width, |first, rows| {
        for (index, out) in rows.chunks_exact_mut(width).enumerate() {
            let y = 2 * (first + index);
            let top = source.row(y);
            let bottom = match beyond {
                _ if y + 1 < size.height => source.row(y + 1),
                Beyond::Black => &black_row,
                Beyond::NoVote => top,
            };
            halve_rows(top, bottom, out, halve, beyond);
        }
    });
}

/// One output row from two input rows of one length.
fn halve_rows<T: Pixel>(top: &[T], bottom: &[T], out: &mut [T], halve: HalveRow<T>, beyond: Beyond) {
    let (top_pairs, top_rest) = top.as_chunks::<2>();
    let (bottom_pairs, bottom_rest) = bottom.as_chunks::<2>();
    let (pairs, rest) = out.split_at_mut(top_pairs.len());
    halve(top_pairs, bottom_pairs, pairs);
    if let ([a], [c]) = (top_rest, bottom_rest) {
        let pair = |last: T| [last, if beyond == Beyond::Black { T::default() } else { last }];
        halve(&[pair(*a)], &[pair(*c)], rest);
    }
}

/// A rule on 2×2 pixels.
trait Rule<T> {
    fn reduce(top: [T; 2], bottom: [T; 2]) -> T;
}

struct Mean;
impl<T: GreyPixel> Rule<T> for Mean {
    #[inline(always)]
    fn reduce(top: [T; 2], bottom: [T; 2]) -> T {
        T::mean_of_four(top, bottom)
    }
}

struct Max;
impl<T: GreyPixel> Rule<T> for Max {
    #[inline(always)]
    fn reduce([a, b]: [T; 2], [c, d]: [T; 2]) -> T {
        a.max(b).max(c.max(d))
    }
}

struct Mode;
impl<T: Label> Rule<T> for Mode {
    // Of four values, the first that occurs at least twice is the wanted one: no other occurs
    // more often, unless the first occurs once. Selects, not branches, so that it vectorises.
    #[inline(always)]
    fn reduce([a, b]: [T; 2], [c, d]: [T; 2]) -> T {
        let label = if c == d { c } else { a };
        let label = if (b == c) | (b == d) { b } else { label };
        if (a == b) | (a == c) | (a == d) { a } else { label }
    }
}

struct Halve<'a, T, R> {
    top: &'a [[T; 2]],
    bottom: &'a [[T; 2]],
    out: &'a mut [T],
    _rule: R,
}

impl<T: Pixel, R: Rule<T>> RowKernel for Halve<'_, T, R> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((out, top), bottom) in self.out.iter_mut().zip(self.top).zip(self.bottom) {
            *out = R::reduce(*top, *bottom);
        }
    }
}

/// Means of whole 2×2 blocks.
#[inline(always)]
pub(crate) fn halve_pairs<T: GreyPixel>(top: &[[T; 2]], bottom: &[[T; 2]], out: &mut [T]) {
    simd::run(Halve { top, bottom, out, _rule: Mean });
}

/// Maxima of whole 2×2 blocks.
#[inline(always)]
pub(crate) fn halve_pairs_max<T: GreyPixel>(top: &[[T; 2]], bottom: &[[T; 2]], out: &mut [T]) {
    simd::run(Halve { top, bottom, out, _rule: Max });
}

/// Majorities of whole 2×2 blocks.
#[inline(always)]
pub(crate) fn halve_pairs_mode<T: Label>(top: &[[T; 2]], bottom: &[[T; 2]], out: &mut [T]) {
    simd::run(Halve { top, bottom, out, _rule: Mode });
}
