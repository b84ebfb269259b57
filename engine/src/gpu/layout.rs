//! How planes lie in device memory: packed into 32-bit words, each row starting at a word.
//!
//! The only place that knows padding. Words are little-endian, as on every device wgpu knows.

use std::borrow::Cow;

use super::{Caps, WORKGROUP};
use crate::error::{EngineError, Result};
use crate::image::{Pixel, Plane, PlaneRef, Rect, Size};

/// Words of one row of `width` pixels of type `T`.
pub(crate) fn row_words<T: Pixel>(width: usize) -> Result<u32> {
    u32::try_from((width * size_of::<T>()).div_ceil(4))
        .map_err(|_| EngineError::Device(format!("a row of {width} pixels does not fit a buffer")))
}

/// Bits of one pixel of type `T`, as shaders are told.
pub(crate) fn bits<T: Pixel>() -> u32 {
    match size_of::<T>() {
        1 => 8,
        2 => 16,
        _ => 32,
    }
}

/// A number of pixels, rows or images as shaders count them.
pub(crate) fn count(number: usize) -> Result<u32> {
    u32::try_from(number)
        .map_err(|_| EngineError::Device(format!("{number} is more than a shader can count")))
}

/// The rows `rows` of a plane as bytes for the device; padding is zero.
pub(crate) fn pack<'a, T: Pixel>(plane: &PlaneRef<'a, T>, rows: std::ops::Range<usize>) -> Cow<'a, [u8]> {
    let row_bytes = plane.size().width * size_of::<T>();
    if row_bytes.is_multiple_of(4)
        && let Some(pixels) = plane.contiguous_rows(rows.clone())
    {
        return Cow::Borrowed(bytemuck::cast_slice(pixels));
    }
    let stride = row_bytes.next_multiple_of(4);
    let mut bytes = vec![0; stride * rows.len()];
    for (out, row) in bytes.chunks_exact_mut(stride).zip(rows) {
        out[..row_bytes].copy_from_slice(bytemuck::cast_slice(plane.row(row)));
    }
    Cow::Owned(bytes)
}

/// Writes bytes from the device into the rows of a plane from `first_row` on.
pub(crate) fn unpack<T: Pixel>(bytes: &[u8], plane: &mut Plane<T>, first_row: usize) {
    let size = plane.size();
    let rows = Size::new(size.height - first_row, size.width);
    unpack_window(bytes, plane, Rect::new(first_row, 0, rows));
}

/// Rows of output that one dispatch can make.
///
/// `row_bytes` are the bytes of every buffer that one output row needs; `row_words` the width of
/// the dispatch in invocations.
pub(crate) fn band_rows(caps: Caps, row_bytes: &[u64], row_words: u32) -> Result<usize> {
    let widest = row_bytes.iter().copied().max().unwrap_or(1).max(1);
    let rows = (caps.binding_bytes / widest).min(u64::from(caps.workgroups) * u64::from(WORKGROUP[1]));
    if rows == 0 || row_words.div_ceil(WORKGROUP[0]) > caps.workgroups {
        return Err(EngineError::Device(format!(
            "a row of {widest} bytes is beyond the limits of the device"
        )));
    }
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}

/// Images of `image_bytes` that fit one buffer together, at least one.
pub(crate) fn images_at_once(caps: Caps, image_bytes: u64) -> usize {
    usize::try_from((caps.binding_bytes / image_bytes.max(1)).max(1)).unwrap_or(usize::MAX)
}

/// A dispatch over a run of words that knows no rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Words of one dispatch, at most.
    pub(crate) words: usize,
    /// Invocations in a row; as many rows follow as the words need.
    pub(crate) columns: u32,
}

impl Grid {
    /// The largest dispatch for up to `words` words, each of which needs `word_bytes` of a buffer.
    pub(crate) fn new(caps: Caps, word_bytes: u64, words: usize) -> Result<Self> {
        // Wide enough that 128 MiB of words need few rows, and no wider than the device allows.
        let columns = caps.workgroups.min(256) * WORKGROUP[0];
        let most_rows = u64::from(caps.workgroups) * u64::from(WORKGROUP[1]);
        let most = (caps.binding_bytes / word_bytes.max(1)).min(u64::from(columns) * most_rows);
        if most == 0 {
            return Err(EngineError::Device(format!(
                "{word_bytes} bytes are beyond the limits of the device"
            )));
        }
        Ok(Self { words: words.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1), columns })
    }
}

/// How a kernel that makes a plane cell by cell uses the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CellRule {
    /// Height and width of a cell are multiples of this, but for the last ones.
    pub(crate) multiple: usize,
    /// Bytes of one pixel in the largest of the buffers, each row of which starts at a word.
    pub(crate) pixel_bytes: usize,
    /// Pixels of one workgroup.
    pub(crate) workgroup: Size,
}

/// The cells that a plane of this size is cut into, row by row, each as large as the device allows.
pub(crate) fn cells(caps: Caps, size: Size, rule: CellRule) -> Result<Vec<Rect>> {
    let CellRule { multiple, pixel_bytes, workgroup } = rule;
    let down = |length: usize| length / multiple * multiple;
    let groups = usize::try_from(caps.workgroups).unwrap_or(usize::MAX);
    let bytes = usize::try_from(caps.binding_bytes).unwrap_or(usize::MAX);
    let widest = size.width.next_multiple_of(multiple).min(workgroup.width.saturating_mul(groups));
    let width = down(widest.min(bytes / pixel_bytes / multiple));
    let row_bytes = (width * pixel_bytes).next_multiple_of(4).max(1);
    let highest = size.height.next_multiple_of(multiple).min(workgroup.height.saturating_mul(groups));
    let height = down(highest.min(bytes / row_bytes));
    if width == 0 || height == 0 {
        return Err(EngineError::Device(format!(
            "{multiple}×{multiple} pixels are beyond the limits of the device"
        )));
    }
    let rows = (0..size.height).step_by(height);
    Ok(rows
        .flat_map(|y| (0..size.width).step_by(width).map(move |x| (y, x)))
        .map(|(y, x)| Rect::new(y, x, Size::new(height.min(size.height - y), width.min(size.width - x))))
        .collect())
}

/// Writes bytes from the device into a window of a plane.
pub(crate) fn unpack_window<T: Pixel>(bytes: &[u8], plane: &mut Plane<T>, window: Rect) {
    let row_bytes = window.size.width * size_of::<T>();
    for (row, bytes) in bytes.chunks_exact(row_bytes.next_multiple_of(4)).take(window.size.height).enumerate()
    {
        let out = &mut plane.row_mut(window.y + row)[window.x..window.x + window.size.width];
        bytemuck::cast_slice_mut(out).copy_from_slice(&bytes[..row_bytes]);
    }
}

/// Pixels as bytes, filled up with zeros to a multiple of 4.
pub(crate) fn whole_words<T: Pixel>(pixels: &[T]) -> Cow<'_, [u8]> {
    let bytes: &[u8] = bytemuck::cast_slice(pixels);
    if bytes.len().is_multiple_of(4) {
        return Cow::Borrowed(bytes);
    }
    let mut filled = bytes.to_vec();
    filled.resize(bytes.len().next_multiple_of(4), 0);
    Cow::Owned(filled)
}
