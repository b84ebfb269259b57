//! From outlines back to a label image.

use super::polygon::{Outline, Polygon};
use super::ring::{Ring, Vertex};
use super::site::SiteFrame;
use crate::error::{EngineError, Result};
use crate::image::Plane;

/// Which pixels belong to a polygon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FillRule {
    /// Those whose centre `(c + ½, r + ½)` is inside by the even-odd rule, all parts and holes counted:
    /// gives back exactly what a pixel-edge outline was traced from.
    PixelCentres,
    /// The original's rule for outlines through pixel centres: pixel (r, c) is the lattice point (c, r);
    /// the upper row and left column of a border belong to it, the lower row and right column do not
    /// (`min(y₀, y₁) ≤ r < max(y₀, y₁)` and `c < x` of the crossing). Shells only: holes are filled.
    HalfOpen,
    /// As [`HalfOpen`](Self::HalfOpen), and every lattice point on a border: nothing is lost at the lower
    /// and right side.
    Inclusive,
}

/// Paints outlines into a label image of the site's size; 0 where there is none.
///
/// In the order of the outlines: later ones overwrite earlier ones. What lies outside the site is left
/// out. All arithmetic is exact, in integers of 128 bits.
///
/// # Errors
/// [`EngineError::Shape`] for more than 2³² - 1 pixels, which no site has.
pub fn rasterise(outlines: &[Outline], site: SiteFrame, rule: FillRule) -> Result<Plane<i32>> {
    let size = site.size();
    if size.height.checked_mul(size.width).and_then(|area| u32::try_from(area).ok()).is_none() {
        return Err(EngineError::Shape {
            what: "label image",
            expected: "fewer than 2³² pixels".to_owned(),
            actual: size.to_string(),
        });
    }
    let mut labels = Plane::zeros(size);
    let mut painter = Painter { site, crossings: Vec::new() };
    for outline in outlines {
        match rule {
            FillRule::PixelCentres => painter.fill(outline.rings(), 1, outline.label, &mut labels),
            FillRule::HalfOpen | FillRule::Inclusive => {
                for Polygon { shell, .. } in &outline.parts {
                    painter.fill([shell], 0, outline.label, &mut labels);
                    if rule == FillRule::Inclusive {
                        painter.draw(shell, outline.label, &mut labels);
                    }
                }
            }
        }
    }
    Ok(labels)
}

struct Painter {
    site: SiteFrame,
    /// Row, and first column to the right of a crossing.
    crossings: Vec<(usize, usize)>,
}

/// Row and column of a lattice point within a site, both possibly outside it.
#[derive(Clone, Copy)]
struct Lattice {
    row: i64,
    column: i64,
}

impl Painter {
    fn lattice(&self, vertex: Vertex) -> Lattice {
        let offset = self.site.offset();
        Lattice {
            row: -i64::from(vertex.y) - i64::from(offset.y),
            column: i64::from(vertex.x) - i64::from(offset.x),
        }
    }

    /// Fills by the even-odd rule; samples lie at twice (row, column) plus `shift`.
    fn fill<'a>(
        &mut self,
        rings: impl IntoIterator<Item = &'a Ring>,
        shift: i64,
        label: i32,
        labels: &mut Plane<i32>,
    ) {
        self.crossings.clear();
        for (from, to) in rings.into_iter().flat_map(Ring::edges) {
            let (from, to) = (self.lattice(from), self.lattice(to));
            match from.row.cmp(&to.row) {
                std::cmp::Ordering::Less => self.cross(from, to, shift),
                std::cmp::Ordering::Greater => self.cross(to, from, shift),
                std::cmp::Ordering::Equal => {}
            }
        }
        self.crossings.sort_unstable();
        // Rings are closed, so every row is crossed an even number of times.
        for pair in self.crossings.as_chunks::<2>().0 {
            let [(row, start), (_, end)] = *pair;
            labels.row_mut(row)[start..end].fill(label);
        }
    }

    /// Notes where an edge that runs downwards crosses the sampled rows.
    fn cross(&mut self, top: Lattice, bottom: Lattice, shift: i64) {
        let size = self.site.size();
        // Sampled rows: top.row ≤ row + shift/2 < bottom.row, the same for both shifts.
        for row in clamp(top.row, size.height)..clamp(bottom.row, size.height) {
            let column = if top.column == bottom.column {
                clamp(top.column, size.width)
            } else {
                slanted_crossing(top, bottom, row, shift, size.width)
            };
            self.crossings.push((row, column));
        }
    }

    /// Paints every lattice point on the edges of a ring.
    fn draw(&self, ring: &Ring, label: i32, labels: &mut Plane<i32>) {
        let size = labels.size();
        for (from, to) in ring.edges() {
            let (from, to) = (self.lattice(from), self.lattice(to));
            let (rows, columns) = (to.row - from.row, to.column - from.column);
            let steps = greatest_common_divisor(rows.abs(), columns.abs()).max(1);
            let (down, right) = (rows / steps, columns / steps);
            // Only the steps within the image: an edge may be as long as the map.
            let (first, last) = steps_within(from.row, down, size.height);
            let (first_column, last_column) = steps_within(from.column, right, size.width);
            for step in first.max(first_column).max(0)..=last.min(last_column).min(steps) {
                let row = clamp(from.row + down * step, size.height);
                let column = clamp(from.column + right * step, size.width);
                labels.row_mut(row)[column] = label;
            }
        }
    }
}

/// The first and last `k` for which `start + k·step` is within `0..length`; the last is before the first
/// when there is none.
fn steps_within(start: i64, step: i64, length: usize) -> (i64, i64) {
    let Some(end) = i64::try_from(length).ok().and_then(|length| length.checked_sub(1)) else {
        return (1, 0);
    };
    if step == 0 {
        return if (0..=end).contains(&start) { (i64::MIN, i64::MAX) } else { (1, 0) };
    }
    // Mirrored, so that the step is positive.
    let (near, far, step) = if step > 0 { (-start, end - start, step) } else { (start - end, start, -step) };
    (-(-near).div_euclid(step), far.div_euclid(step))
}

/// The first column whose sample is not left of the point where an edge crosses the samples of a row.
fn slanted_crossing(top: Lattice, bottom: Lattice, row: usize, shift: i64, width: usize) -> usize {
    let [top_row, bottom_row, left, right] = [top.row, bottom.row, top.column, bottom.column].map(i128::from);
    let (height, run, shift) = (bottom_row - top_row, right - left, i128::from(shift));
    let row = i128::try_from(row).expect("an index fits 128 bits");
    // 2·x of the crossing, times height; the column sought is the least c with 2c + shift ≥ that.
    let doubled = 2 * left * height + (2 * row + shift - 2 * top_row) * run;
    let column = -(shift * height - doubled).div_euclid(2 * height);
    usize::try_from(column.max(0)).unwrap_or(width).min(width)
}

/// A coordinate limited to `0..=length`.
fn clamp(value: i64, length: usize) -> usize {
    usize::try_from(value.max(0)).unwrap_or(length).min(length)
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
