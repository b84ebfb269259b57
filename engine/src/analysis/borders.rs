//! Pixels at which objects end.
//!
//! A pixel is a *border* pixel when a neighbour has another label; both sides are marked, and the edge of the
//! image is no neighbour. The *perimeter* of a mask is the part of its foreground that has a background pixel
//! among its 4 neighbours.
//!
//! ```
//! use tm_engine::analysis::{Connectivity, Mask, borders, perimeter_pixels};
//! use tm_engine::image::{Plane, Size};
//! let labels = Plane::new(Size::new(2, 4), vec![1, 1, 1, 2, 1, 1, 1, 1])?;
//! assert_eq!(borders(&labels, Connectivity::Four).pixels(), [0, 0, 1, 1, 0, 0, 0, 1]);
//! assert_eq!(borders(&labels, Connectivity::Eight).pixels(), [0, 0, 1, 1, 0, 0, 1, 1]);
//! let mask = Mask::new(Size::new(1, 4), vec![1, 1, 1, 0])?;
//! assert_eq!(perimeter_pixels(&mask).pixels(), [0, 0, 1, 0]);
//! # Ok::<(), tm_engine::EngineError>(())
//! ```

use super::morphology::{CROSS, erode};
use super::{Connectivity, Mask};
use crate::image::Plane;
use crate::parallel;
use crate::simd::{self, RowKernel};

/// The pixels that have a neighbour of another label.
pub fn borders(labels: &Plane<i32>, connectivity: Connectivity) -> Mask {
    let size = labels.size();
    let mut output = Plane::zeros(size);
    parallel::for_each_band(output.pixels_mut(), size.width, |first, band| {
        for (index, out) in band.chunks_exact_mut(size.width).enumerate() {
            let row = first + index;
            let own = labels.row(row);
            let above = (row > 0).then(|| labels.row(row - 1));
            let below = (row + 1 < size.height).then(|| labels.row(row + 1));
            mark(own, &own[1..], out);
            mark(&own[1..], own, &mut out[1..]);
            for other in above.into_iter().chain(below) {
                mark(own, other, out);
                if connectivity == Connectivity::Eight {
                    mark(own, &other[1..], out);
                    mark(&own[1..], other, &mut out[1..]);
                }
            }
        }
    });
    Mask::of_bits(output)
}

/// The foreground pixels that have a background pixel among their 4 neighbours.
pub fn perimeter_pixels(mask: &Mask) -> Mask {
    let inner = erode(mask, CROSS);
    Mask::from_fn(mask.size(), |row, column| mask.get(row, column) && !inner.get(row, column))
}

/// Marks where two rows of labels differ, as far as both go.
fn mark(own: &[i32], other: &[i32], output: &mut [u8]) {
    simd::run(Mark { own, other, output });
}

struct Mark<'a> {
    own: &'a [i32],
    other: &'a [i32],
    output: &'a mut [u8],
}

impl RowKernel for Mark<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((out, own), other) in self.output.iter_mut().zip(self.own).zip(self.other) {
            *out |= u8::from(own != other);
        }
    }
}
