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
//! to label. Pixels lie in blocks of 4 × 4, a cache line of labels each: the flood goes up and down as often as
//! left and right, and everywhere in the image at once.
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
/// Edge of a block in pixels.
const EDGE: usize = 4;
/// Pixels of a block.
const BLOCK: usize = EDGE * EDGE;

/// Where pixels lie: in blocks, with a wall around the plane, so that every pixel has 4 neighbours.
struct Layout {
    /// Pixels of a row of blocks.
    stride: usize,
    /// Pixels of all blocks.
    pixels: usize,
    /// By the place of a pixel in its block the steps to the pixels up, left, right and down.
    steps: [[isize; 4]; BLOCK],
}

impl Layout {
    fn of(size: Size) -> Self {
        let stride = (size.width + 2).div_ceil(EDGE) * BLOCK;
        let pixels = (size.height + 2).div_ceil(EDGE) * stride;
        let (edge, block, row) = (EDGE.cast_signed(), BLOCK.cast_signed(), stride.cast_signed());
        let steps = std::array::from_fn(|place| {
            let (y, x) = (place / EDGE, place % EDGE);
            [
                if y == 0 { block - edge - row } else { -edge },
                if x == 0 { edge - 1 - block } else { -1 },
                if x == EDGE - 1 { block - edge + 1 } else { 1 },
                if y == EDGE - 1 { row - block + edge } else { edge },
            ]
        });
        Self { stride, pixels, steps }
    }

    /// Where a row of the plane begins.
    fn row(&self, row: usize) -> usize {
        (row + 1) / EDGE * self.stride + (row + 1) % EDGE * EDGE
    }

    /// How far a column of the plane lies from the beginning of its row.
    fn column(column: usize) -> usize {
        (column + 1) / EDGE * BLOCK + (column + 1) % EDGE
    }

    #[inline(always)]
    fn neighbours(&self, at: usize) -> [usize; 4] {
        self.steps[at % BLOCK].map(|step| at.wrapping_add_signed(step))
    }
}

/// What the flood knows of all pixels, block by block.
struct Pixels {
    labels: Vec<i32>,
    levels: Vec<u16>,
    /// The next pixel in the list of its surface value.
    next: Vec<u32>,
}

fn flood<T: GreyPixel>(
    surface: &Plane<T>,
    level: impl Fn(u16) -> u16,
    markers: &Plane<i32>,
    mask: Option<&Mask>,
) -> Result<Plane<i32>> {
    let size = surface.size();
    let layout = Layout::of(size);
    if u32::try_from(layout.pixels).is_err() {
        check_size("surface of a watershed", Size::new(1 << 15, 1 << 15), size)?;
    }
    let mut pixels = Pixels {
        labels: vec![WALL; layout.pixels],
        levels: vec![0; layout.pixels],
        next: vec![NONE; layout.pixels],
    };
    for row in 0..size.height {
        let start = layout.row(row);
        let inside = |column| mask.is_none_or(|mask| mask.row(row)[column] != 0);
        for (column, (value, marker)) in surface.row(row).iter().zip(markers.row(row)).enumerate() {
            let at = start + Layout::column(column);
            pixels.levels[at] = level((*value).into());
            pixels.labels[at] = if inside(column) { (*marker).max(0) } else { WALL };
        }
    }
    run(&mut pixels, &layout, size, T::DEPTH);
    let mut labels = Plane::zeros(size);
    for row in 0..size.height {
        let start = layout.row(row);
        for (column, label) in labels.row_mut(row).iter_mut().enumerate() {
            *label = pixels.labels[start + Layout::column(column)].max(0);
        }
    }
    Ok(labels)
}

fn run(pixels: &mut Pixels, layout: &Layout, size: Size, depth: BitDepth) {
    let mut queue = Queue::new(depth);
    for start in (0..size.height).map(|row| layout.row(row)) {
        for at in (0..size.width).map(|column| start + Layout::column(column)) {
            if pixels.labels[at] > 0 && has_unlabelled_neighbour(pixels, layout, at) {
                queue.push(pixels, at);
            }
        }
    }
    while let Some(at) = queue.pop(pixels) {
        let label = pixels.labels[at];
        for neighbour in layout.neighbours(at) {
            if pixels.labels[neighbour] == 0 {
                pixels.labels[neighbour] = label;
                if has_unlabelled_neighbour(pixels, layout, neighbour) {
                    queue.push(pixels, neighbour);
                }
            }
        }
    }
}

#[inline(always)]
fn has_unlabelled_neighbour(pixels: &Pixels, layout: &Layout, at: usize) -> bool {
    layout.neighbours(at).iter().any(|neighbour| pixels.labels[*neighbour] == 0)
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
    fn push(&mut self, pixels: &mut Pixels, at: usize) {
        // The area was checked.
        let pixel = at as u32;
        let level = usize::from(pixels.levels[at]);
        let (first, last) = self.ends[level];
        if first == NONE {
            self.ends[level] = (pixel, pixel);
            self.filled[level / 64] |= 1 << (level % 64);
            self.words[level / 4096] |= 1 << (level / 64 % 64);
        } else {
            pixels.next[last as usize] = pixel;
            self.ends[level].1 = pixel;
        }
    }

    #[inline(always)]
    fn pop(&mut self, pixels: &Pixels) -> Option<usize> {
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
            self.ends[level].0 = pixels.next[first as usize];
        }
        Some(first as usize)
    }
}
