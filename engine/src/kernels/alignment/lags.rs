//! Lags of circular correlations, and the planes they are lags of.

use super::Shift;
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, Plane, PlaneRef, Size};

/// The pixels widened to 16 bits, which is exact.
pub(super) fn widened<T: GreyPixel>(source: PlaneRef<'_, T>) -> Plane<u16> {
    let mut output = Plane::zeros(source.size());
    for row in 0..source.size().height {
        T::widen_row(source.row(row), output.row_mut(row));
    }
    output
}

/// Shifts are 32-bit numbers, and sums of products of 2³² pixels fit 64 bits.
pub(super) fn check_size(size: Size) -> Result<()> {
    let shiftable = |side: usize| i32::try_from(side).is_ok();
    let area = size.height.checked_mul(size.width);
    let countable = area.is_some_and(|area| u32::try_from(area).is_ok());
    if shiftable(size.height) && shiftable(size.width) && countable {
        return Ok(());
    }
    Err(EngineError::Shape {
        what: "plane to register",
        expected: "sides below 2³¹ and fewer than 2³² pixels".to_owned(),
        actual: size.to_string(),
    })
}

/// Reference and target must have one size.
pub(super) fn check_same_size(reference: Size, target: Size) -> Result<()> {
    if reference == target {
        return Ok(());
    }
    Err(EngineError::Shape {
        what: "target to register",
        expected: reference.to_string(),
        actual: target.to_string(),
    })
}

/// The lag that an index of a circular correlation stands for: above half the side, negative.
pub(super) fn signed(index: usize, side: usize) -> i32 {
    // Sides were checked to fit.
    let of = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    if index > side / 2 { of(index) - of(side) } else { of(index) }
}

/// The index of a lag.
pub(super) fn wrapped(lag: i32, side: usize) -> usize {
    let distance = usize::try_from(lag.unsigned_abs()).unwrap_or(usize::MAX) % side.max(1);
    if lag < 0 && distance > 0 { side - distance } else { distance }
}

/// `|y| + |x|`.
pub(super) fn distance(shift: Shift) -> u64 {
    u64::from(shift.y.unsigned_abs()) + u64::from(shift.x.unsigned_abs())
}

/// Whether a length has no prime factors but 2, 3 and 5, for which transforms are fastest.
pub(super) fn is_fast_length(mut length: usize) -> bool {
    for factor in [2, 3, 5] {
        while length > 0 && length.is_multiple_of(factor) {
            length /= factor;
        }
    }
    length == 1
}

/// The smallest length of at least `least` whose prime factors are 2, 3 and 5.
pub(super) fn fast_length(least: usize) -> usize {
    (least.max(1)..).find(|length| is_fast_length(*length)).unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_lengths_have_small_factors_only() {
        assert_eq!([1, 7, 11, 2160, 2161, 3841].map(fast_length), [1, 8, 12, 2160, 2187, 3888]);
        assert_eq!(fast_length(0), 1);
        assert!(is_fast_length(2560) && !is_fast_length(2562) && !is_fast_length(0));
    }
}
