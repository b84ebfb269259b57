//! Runs of pixels of a mask, and which of them hang together.

use std::ops::Range;

use super::regions::Run;
use super::{Connectivity, Mask};

/// The runs of a mask in raster order.
#[derive(Debug)]
pub(super) struct Runs {
    pub(super) all: Vec<Run>,
    /// Where each row begins in `all`, and where the last one ends.
    rows: Vec<usize>,
}

impl Runs {
    /// Runs of the foreground, or of the background.
    pub(super) fn new(mask: &Mask, foreground: bool) -> Self {
        let (height, width) = (mask.size().height, mask.size().width);
        let wanted = u8::from(foreground);
        let mut all = Vec::new();
        let mut rows = vec![0];
        for row in 0..height {
            let pixels = mask.row(row);
            let mut end = 0;
            loop {
                let start = position(pixels, end, wanted);
                if start == width {
                    break;
                }
                end = position(pixels, start + 1, 1 - wanted);
                all.push(Run { row, start, end });
            }
            rows.push(all.len());
        }
        Self { all, rows }
    }

    /// Numbers of the runs of a row.
    fn of_row(&self, row: usize) -> Range<usize> {
        self.rows[row]..self.rows[row + 1]
    }

    /// Which runs hang together: by run the number of its component, 0, 1, … in raster order of the first pixels.
    pub(super) fn components(&self, connectivity: Connectivity) -> Components {
        let mut parents: Vec<usize> = (0..self.all.len()).collect();
        let reach = usize::from(connectivity == Connectivity::Eight);
        for row in 1..self.rows.len().saturating_sub(1) {
            let (mut upper, mut lower) = (self.of_row(row - 1), self.of_row(row));
            while let (Some(above), Some(below)) =
                (self.all[upper.clone()].first(), self.all[lower.clone()].first())
            {
                if above.start < below.end + reach && below.start < above.end + reach {
                    join(&mut parents, upper.start, lower.start);
                }
                if above.end < below.end {
                    upper.start += 1;
                } else {
                    lower.start += 1;
                }
            }
        }
        // A parent comes before its children, so it has its number already.
        let mut count = 0;
        for run in 0..parents.len() {
            if parents[run] == run {
                parents[run] = count;
                count += 1;
            } else {
                parents[run] = parents[parents[run]];
            }
        }
        Components { of_run: parents, count }
    }
}

/// The first pixel from `from` on that is `wanted` (0 or 1), or the length of the row.
fn position(pixels: &[u8], from: usize, wanted: u8) -> usize {
    let unwanted = u64::from_le_bytes([1 - wanted; 8]);
    let mut at = from.min(pixels.len());
    while let Some(eight) = pixels[at..].first_chunk::<8>() {
        let differing = u64::from_le_bytes(*eight) ^ unwanted;
        if differing != 0 {
            return at + differing.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    pixels[at..].iter().position(|pixel| *pixel == wanted).map_or(pixels.len(), |further| at + further)
}

/// Makes two sets one, of which the first member is the root.
fn join(parents: &mut [usize], first: usize, second: usize) {
    let (first, second) = (root(parents, first), root(parents, second));
    parents[first.max(second)] = first.min(second);
}

fn root(parents: &mut [usize], mut member: usize) -> usize {
    while parents[member] != member {
        parents[member] = parents[parents[member]];
        member = parents[member];
    }
    member
}

/// Components of runs.
#[derive(Debug)]
pub(super) struct Components {
    /// The component of each run.
    pub(super) of_run: Vec<usize>,
    /// Number of components.
    pub(super) count: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Size;

    #[test]
    fn positions_are_found_in_words_and_behind_them() {
        for length in 0..20 {
            for place in 0..length {
                let mut row = vec![0; length];
                row[place] = 1;
                assert_eq!(position(&row, 0, 1), place);
                assert_eq!(position(&row, place + 1, 1), length);
                let inverted: Vec<u8> = row.iter().map(|pixel| 1 - pixel).collect();
                assert_eq!(position(&inverted, 0, 0), place);
            }
        }
    }

    #[test]
    fn a_spiral_is_one_component_and_diagonal_steps_hang_together_in_eight() {
        let rows = ["######", "#....#", "#.##.#", "#..#.#", "####.#", "......"];
        let mask = Mask::from_fn(Size::new(6, 6), |row, column| rows[row].as_bytes()[column] == b'#');
        let runs = Runs::new(&mask, true);
        assert_eq!(runs.components(Connectivity::Four).count, 1);
        let steps = Mask::from_fn(Size::new(5, 5), |row, column| row == column || row + column == 4);
        let runs = Runs::new(&steps, true);
        assert_eq!(runs.components(Connectivity::Eight).count, 1);
        assert_eq!(runs.components(Connectivity::Four).count, 9);
    }
}
