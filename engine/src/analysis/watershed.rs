//! Watershed: objects grow from markers over a surface, low places first, until they meet.
//!
//! Priority flood (Meyer 1991; Beucher and Meyer 1993), 4-connected. All marker pixels are queued in raster order;
//! again and again the queued pixel of the lowest surface value leaves the queue, of equals the one that was
//! queued first. Each of its neighbours up, left, right, down that has no label yet takes the pixel's label and is
//! queued with its own surface value. So every pixel that markers reach has a label, and there are no lines
//! between objects. A mask bounds the flood: outside of it nothing is labelled, markers neither. What no marker
//! reaches stays 0.
//!
//! The queue has one list per surface value and a set of bits that tells which lists are not empty: constant time
//! per pixel. A pixel without an unlabelled neighbour is not queued, which changes nothing: it would have nobody
//! to label.
//!
//! ```
//! use tm_engine::analysis::watershed;
//! use tm_engine::image::{Plane, Size};
//! let surface = Plane::new(Size::new(1, 7), vec![0u8, 1, 2, 9, 3, 0, 0])?.into();
//! let markers = Plane::new(Size::new(1, 7), vec![1, 0, 0, 0, 0, 0, 2])?;
//! assert_eq!(watershed(&surface, &markers, None)?.pixels(), [1, 1, 1, 1, 2, 2, 2]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::{Mask, check_size, for_depth};
use crate::error::Result;
use crate::image::{BitDepth, GreyPixel, GreyPlane, Plane, Size};

/// Grows markers (labels above 0) over a surface, inside a mask if there is one.
///
/// # Errors
/// [`EngineError::Shape`](crate::EngineError::Shape) when the sizes differ, or for more than 2³¹ pixels.
pub fn watershed(surface: &GreyPlane, markers: &Plane<i32>, mask: Option<&Mask>) -> Result<Plane<i32>> {
    check_size("markers of a watershed", surface.size(), markers.size())?;
    if let Some(mask) = mask {
        check_size("mask of a watershed", surface.size(), mask.size())?;
    }
    for_depth!(surface, plane => flood(plane, |value| value, markers, mask))
}

/// The same on the surface turned upside down: bright places first.
pub(super) fn watershed_of_inverse(
    surface: &GreyPlane,
    markers: &Plane<i32>,
    mask: Option<&Mask>,
) -> Result<Plane<i32>> {
    let max = surface.depth().max_value();
    for_depth!(surface, plane => flood(plane, |value| max - value, markers, mask))
}

/// Label of pixels that are not to be labelled: outside the mask, and around the plane.
const WALL: i32 = -1;
/// No pixel: the first of a padded plane is a wall and never queued.
const NONE: u32 = 0;

/// What the flood knows of a pixel, in one place.
#[derive(Clone, Copy)]
struct Cell {
    label: i32,
    /// The next pixel in the list of its surface value.
    next: u32,
    surface: u16,
}

fn flood<T: GreyPixel>(
    surface: &Plane<T>,
    level: impl Fn(u16) -> u16,
    markers: &Plane<i32>,
    mask: Option<&Mask>,
) -> Result<Plane<i32>> {
    let size = surface.size();
    // A wall around the plane: every pixel has 4 neighbours.
    let padded = Size::new(size.height + 2, size.width + 2);
    if u32::try_from(padded.area()).is_err() {
        check_size("surface of a watershed", Size::new(1 << 15, 1 << 15), size)?;
    }
    let mut cells = vec![Cell { label: WALL, next: NONE, surface: 0 }; padded.area()];
    for row in 0..size.height {
        let start = (row + 1) * padded.width + 1;
        let pixels = surface.row(row).iter().zip(markers.row(row));
        for (cell, (value, marker)) in cells[start..start + size.width].iter_mut().zip(pixels) {
            *cell = Cell { label: (*marker).max(0), next: NONE, surface: level((*value).into()) };
        }
        if let Some(mask) = mask {
            for (cell, inside) in cells[start..start + size.width].iter_mut().zip(mask.row(row)) {
                if *inside == 0 {
                    cell.label = WALL;
                }
            }
        }
    }
    run(&mut cells, padded.width, T::DEPTH);
    let mut labels = Plane::zeros(size);
    for row in 0..size.height {
        let start = (row + 1) * padded.width + 1;
        for (label, cell) in labels.row_mut(row).iter_mut().zip(&cells[start..]) {
            *label = cell.label.max(0);
        }
    }
    Ok(labels)
}

fn run(cells: &mut [Cell], width: usize, depth: BitDepth) {
    let mut queue = Queue::new(depth);
    for at in width..cells.len().saturating_sub(width) {
        if cells[at].label > 0 && has_unlabelled_neighbour(cells, at, width) {
            queue.push(cells, at);
        }
    }
    while let Some(at) = queue.pop(cells) {
        let label = cells[at].label;
        for neighbour in [at - width, at - 1, at + 1, at + width] {
            if cells[neighbour].label == 0 {
                cells[neighbour].label = label;
                if has_unlabelled_neighbour(cells, neighbour, width) {
                    queue.push(cells, neighbour);
                }
            }
        }
    }
}

#[inline(always)]
fn has_unlabelled_neighbour(cells: &[Cell], at: usize, width: usize) -> bool {
    [at - width, at - 1, at + 1, at + width].iter().any(|neighbour| cells[*neighbour].label == 0)
}

/// Lists of pixels by surface value, first in, first out.
struct Queue {
    /// First and last pixel of each list.
    ends: Vec<(u32, u32)>,
    /// One bit per list that is not empty.
    filled: Vec<u64>,
    /// One bit per word of `filled` that is not 0.
    words: Vec<u64>,
}

impl Queue {
    fn new(depth: BitDepth) -> Self {
        let levels = usize::from(depth.max_value()) + 1;
        let words = levels / 64;
        Self { ends: vec![(NONE, NONE); levels], filled: vec![0; words], words: vec![0; words.div_ceil(64)] }
    }

    #[inline(always)]
    fn push(&mut self, cells: &mut [Cell], at: usize) {
        // The area was checked.
        let pixel = at as u32;
        let level = usize::from(cells[at].surface);
        let (first, last) = self.ends[level];
        if first == NONE {
            self.ends[level] = (pixel, pixel);
            self.filled[level / 64] |= 1 << (level % 64);
            self.words[level / 4096] |= 1 << (level / 64 % 64);
        } else {
            cells[last as usize].next = pixel;
            self.ends[level].1 = pixel;
        }
    }

    #[inline(always)]
    fn pop(&mut self, cells: &[Cell]) -> Option<usize> {
        let group = self.words.iter().position(|word| *word != 0)?;
        let word = group * 64 + self.words[group].trailing_zeros() as usize;
        let level = word * 64 + self.filled[word].trailing_zeros() as usize;
        let (first, last) = self.ends[level];
        if first == last {
            self.ends[level] = (NONE, NONE);
            self.filled[word] &= self.filled[word] - 1;
            if self.filled[word] == 0 {
                self.words[group] &= self.words[group] - 1;
            }
        } else {
            self.ends[level].0 = cells[first as usize].next;
        }
        Some(first as usize)
    }
}
