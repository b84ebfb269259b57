//! Which positions two planes share after one of them is shifted, and which pixels go where then.

use std::ops::Range;

use super::{Residues, Shift};
use crate::error::Result;
use crate::image::{Rect, Size};

/// Positions along one axis that lie inside a plane both before and after a shift.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    moved: usize,
    original: usize,
    /// Number of positions.
    pub(super) length: usize,
}

impl Span {
    /// The positions of a side that is shifted.
    pub(super) fn of(side: usize, shift: i32) -> Self {
        let distance = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX);
        let length = side.saturating_sub(distance);
        let offset = if length == 0 { 0 } else { distance };
        let (moved, original) = if shift < 0 { (0, offset) } else { (offset, 0) };
        Self { moved, original, length }
    }

    /// The positions after the shift: those of the reference.
    pub(super) fn moved(self) -> Range<usize> {
        self.moved..self.moved + self.length
    }

    /// The positions before the shift: those of the target.
    pub(super) fn original(self) -> Range<usize> {
        self.original..self.original + self.length
    }
}

/// A window of a source that is copied to a place in an output; the rest of the output is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transfer {
    /// The window in the source.
    pub(super) window: Rect,
    /// Size of the output.
    pub(super) output: Size,
    /// Row of the output that the first row of the window goes to.
    pub(super) y: usize,
    /// Column of the output that the first column of the window goes to.
    pub(super) x: usize,
}

impl Transfer {
    /// Moving a plane of this size.
    pub(super) fn shift(size: Size, shift: Shift) -> Self {
        let (rows, columns) = (Span::of(size.height, shift.y), Span::of(size.width, shift.x));
        let window = Rect::new(
            rows.original().start,
            columns.original().start,
            Size::new(rows.length, columns.length),
        );
        Self { window, output: size, y: rows.moved().start, x: columns.moved().start }
    }

    /// Cutting the block that every cycle of a site has out of a plane of this size.
    ///
    /// # Errors
    /// [`crate::EngineError::Parameter`] when the residues were not made with this shift among others.
    pub(super) fn crop(size: Size, shift: Shift, residues: Residues) -> Result<Self> {
        let window = residues.block(shift, size)?;
        Ok(Self { window, output: window.size, y: 0, x: 0 })
    }

    /// The same block at its place in the frame of the reference.
    ///
    /// # Errors
    /// As [`crop`](Self::crop).
    pub(super) fn pad(size: Size, shift: Shift, residues: Residues) -> Result<Self> {
        let place = residues.intersection(size);
        Ok(Self { window: residues.block(shift, size)?, output: size, y: place.y, x: place.x })
    }

    /// The rows of the source that go to some rows of the output, and the first row they go to.
    pub(super) fn rows(&self, output: Range<usize>) -> (Range<usize>, usize) {
        let first = output.start.max(self.y);
        let end = output.end.min(self.y + self.window.size.height).max(first);
        let source = |row: usize| row - self.y + self.window.y;
        (source(first)..source(end), first)
    }
}
