//! How far pixels are from others: squared Euclidean distances, exact.
//!
//! Distances are measured between pixel centres, in pixels, and squared, so that they are whole numbers. A column
//! at a time, the number of rows to the nearest wanted pixel is counted (two sweeps); a row at a time, the lower
//! envelope of the parabolas over these columns gives the nearest of all. A run of pixels of one object ends at
//! wanted pixels, so nothing beyond its ends matters and the work is linear in the number of pixels.
//!
//! Felzenszwalb and Huttenlocher, Theory of Computing 8:415 (2012); Meijster, Roerdink and Hesselink, ISMM (2000).

use crate::image::{Pixel, Plane};
use crate::parallel::for_each_band;

use super::Mask;

/// The squared distance of a pixel that has nothing to be far from, and of those farther than 46 340 pixels.
pub const FAR: i32 = i32::MAX;

/// A pixel by its row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Row, from 0 at the top.
    pub row: usize,
    /// Column, from 0 at the left.
    pub column: usize,
}

/// What lies beyond the border of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// Nothing to be near to.
    Nothing,
    /// Background.
    Background,
}

/// Squared distance in pixels of each foreground pixel to the nearest background pixel of the image; 0 for
/// background, [`FAR`] everywhere when there is no background. What lies outside the image does not count.
///
/// ```
/// use tm_engine::analysis::{Mask, squared_distances};
/// use tm_engine::image::Size;
/// let mask = Mask::new(Size::new(2, 4), vec![
///     0, 1, 1, 1, //
///     1, 1, 1, 1,
/// ])?;
/// assert_eq!(squared_distances(&mask).pixels(), [0, 1, 4, 9, 1, 2, 5, 10]);
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
pub fn squared_distances(mask: &Mask) -> Plane<i32> {
    squared(mask.plane(), Outside::Nothing)
}

/// Distance in pixels of each foreground pixel to the nearest background pixel of the image; 0 for background,
/// infinite when there is none.
pub fn distances(mask: &Mask) -> Plane<f64> {
    let squared = squared_distances(mask);
    Plane::from_fn(mask.size(), |row, column| distance(squared.get(row, column)))
}

/// Squared distance in pixels of each pixel of an object to the nearest pixel that is not of the same object:
/// background, another object, or one outside the image; 0 for background.
///
/// ```
/// use tm_engine::analysis::squared_object_distances;
/// use tm_engine::image::{Plane, Size};
/// let labels = Plane::new(Size::new(3, 4), vec![
///     5, 5, 5, 7, //
///     5, 5, 5, 7, //
///     5, 5, 5, 7,
/// ])?;
/// assert_eq!(squared_object_distances(&labels).pixels(), [1, 1, 1, 1, 1, 4, 1, 1, 1, 1, 1, 1]);
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
pub fn squared_object_distances(labels: &Plane<i32>) -> Plane<i32> {
    squared(labels, Outside::Background)
}

/// The nearest foreground pixel of each pixel, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearestForeground {
    squared: Plane<i32>,
    /// Rows from the pixel at the nearest one's column to the nearest one; negative is upwards.
    steps: Plane<i32>,
    columns: Plane<i32>,
}

impl NearestForeground {
    /// Finds the nearest foreground pixel of each pixel: of equally near ones the leftmost, of these the upper.
    ///
    /// ```
    /// use tm_engine::analysis::{Mask, NearestForeground, Position};
    /// use tm_engine::image::Size;
    /// let nearest = NearestForeground::of(&Mask::new(Size::new(1, 4), vec![1, 0, 0, 1])?);
    /// assert_eq!(nearest.squared_distances().pixels(), [0, 1, 1, 0]);
    /// assert_eq!(nearest.position(0, 2), Some(Position { row: 0, column: 3 }));
    /// # Ok::<(), tm_engine::EngineError>(())
    /// ```
    pub fn of(mask: &Mask) -> Self {
        let size = mask.size();
        let background = mask.inverted();
        let steps = column_steps(background.plane(), Outside::Nothing);
        let mut squared = Plane::zeros(size);
        let mut columns = Plane::zeros(size);
        let mut envelope = Envelope::default();
        for row in 0..size.height {
            let (far, near) = (squared.row_mut(row), columns.row_mut(row));
            for (column, nearest) in (0..).zip(near.iter_mut()) {
                *nearest = column;
            }
            let write = |column: usize, site: i64, distance: i32| {
                far[column] = distance;
                near[column] = i32::try_from(site).unwrap_or(FAR);
            };
            nearest_of_row(background.row(row), steps.row(row), Outside::Nothing, &mut envelope, write);
        }
        Self { squared, steps, columns }
    }

    /// Squared distance in pixels of each pixel to the nearest foreground pixel: 0 for foreground, [`FAR`] when
    /// there is none.
    pub fn squared_distances(&self) -> &Plane<i32> {
        &self.squared
    }

    /// The nearest foreground pixel; `None` when there is none. Panics outside the plane, as slices do.
    pub fn position(&self, row: usize, column: usize) -> Option<Position> {
        if self.squared.get(row, column) == FAR {
            return None;
        }
        let column = usize::try_from(self.columns.get(row, column)).ok()?;
        let step = isize::try_from(self.steps.get(row, column)).ok()?;
        Some(Position { row: row.checked_add_signed(step)?, column })
    }
}

/// The distance in pixels that a squared one stands for.
pub(super) fn distance(squared: i32) -> f64 {
    if squared == FAR { f64::INFINITY } else { f64::from(squared).sqrt() }
}

/// Squared distance of each pixel of an object (above 0) to the nearest pixel of another kind; 0 for the others.
pub(super) fn squared<K: Pixel>(objects: &Plane<K>, outside: Outside) -> Plane<i32> {
    let size = objects.size();
    let mut steps = column_steps(objects, outside);
    for_each_band(steps.pixels_mut(), size.width, |first, band| {
        let mut envelope = Envelope::default();
        let mut row_steps = vec![0; size.width];
        for (row, pixels) in (first..).zip(band.chunks_exact_mut(size.width)) {
            row_steps.copy_from_slice(pixels);
            let write = |column: usize, _, distance| pixels[column] = distance;
            nearest_of_row(objects.row(row), &row_steps, outside, &mut envelope, write);
        }
    });
    steps
}

/// For each pixel of an object (above 0), the rows to the nearest pixel of another kind in its column: negative is
/// upwards, plus or minus [`FAR`] says that there is none. 0 for pixels that are of no object.
fn column_steps<K: Pixel>(objects: &Plane<K>, outside: Outside) -> Plane<i32> {
    let size = objects.size();
    let beyond = if outside == Outside::Background { 1 } else { FAR };
    let mut steps = Plane::zeros(size);
    let mut counted = vec![0; size.width];
    for row in 0..size.height {
        count(&mut counted, objects, row, row.checked_sub(1), beyond);
        steps.row_mut(row).copy_from_slice(&counted);
    }
    for row in (0..size.height).rev() {
        let next = Some(row + 1).filter(|next| *next < size.height);
        count(&mut counted, objects, row, next, beyond);
        let pixels = steps.row_mut(row).iter_mut().zip(&counted).zip(objects.row(row));
        for ((up, down), object) in pixels {
            let nearest = if *down < *up { *down } else { -*up };
            *up = if *object > K::default() { nearest } else { 0 };
        }
    }
    steps
}

/// Takes the counts of rows from the row beside (`None` is outside) to this one.
fn count<K: Pixel>(counted: &mut [i32], objects: &Plane<K>, row: usize, beside: Option<usize>, beyond: i32) {
    let Some(beside) = beside else {
        counted.fill(beyond);
        return;
    };
    for ((rows, here), there) in counted.iter_mut().zip(objects.row(row)).zip(objects.row(beside)) {
        *rows = if here == there { rows.saturating_add(1) } else { 1 };
    }
}

/// Calls `write(column, column of the nearest pixel of another kind, squared distance)` for each pixel of an object.
fn nearest_of_row<K: Pixel>(
    objects: &[K],
    steps: &[i32],
    outside: Outside,
    envelope: &mut Envelope,
    mut write: impl FnMut(usize, i64, i32),
) {
    let mut first = 0;
    for run in objects.chunk_by(|left, right| left == right) {
        let (start, end) = (first, first + run.len());
        first = end;
        if run[0] <= K::default() {
            continue;
        }
        envelope.clear();
        if start > 0 || outside == Outside::Background {
            envelope.push(start as i64 - 1, 0);
        }
        for (column, step) in (start as i64..).zip(&steps[start..end]) {
            let step = i64::from(step.abs());
            if step < i64::from(FAR) {
                envelope.push(column, step * step);
            }
        }
        if end < objects.len() || outside == Outside::Background {
            envelope.push(end as i64, 0);
        }
        envelope.nearest(start..end, &mut write);
    }
}

/// The lower envelope of parabolas `(x - column)² + height` of unequal columns, from left to right.
#[derive(Default)]
struct Envelope {
    parabolas: Vec<Parabola>,
}

struct Parabola {
    column: i64,
    height: i64,
    /// Where it becomes lower than the one before it.
    start: f64,
}

impl Envelope {
    fn clear(&mut self) {
        self.parabolas.clear();
    }

    /// Adds a parabola to the right of all others.
    fn push(&mut self, column: i64, height: i64) {
        let mut start = f64::NEG_INFINITY;
        while let Some(last) = self.parabolas.last() {
            // Whole numbers below 2^53: the quotient is exact where it is a whole number.
            let rise = (height + column * column) - (last.height + last.column * last.column);
            start = rise as f64 / (2 * (column - last.column)) as f64;
            if start > last.start {
                break;
            }
            self.parabolas.pop();
            start = f64::NEG_INFINITY;
        }
        self.parabolas.push(Parabola { column, height, start });
    }

    /// Calls `write(x, column, squared distance)` with the lowest parabola at each column; the left one where two
    /// are equal.
    fn nearest(&self, columns: std::ops::Range<usize>, mut write: impl FnMut(usize, i64, i32)) {
        let mut rest = self.parabolas.iter().peekable();
        let Some(mut lowest) = rest.next() else {
            columns.for_each(|column| write(column, -1, FAR));
            return;
        };
        for column in columns {
            let x = column as i64;
            while let Some(next) = rest.next_if(|next| next.start < x as f64) {
                lowest = next;
            }
            let squared = (x - lowest.column) * (x - lowest.column) + lowest.height;
            write(column, lowest.column, i32::try_from(squared).unwrap_or(FAR));
        }
    }
}
