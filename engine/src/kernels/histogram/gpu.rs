//! Counting on the GPU: `shaders/histogram.wgsl`.

use crate::error::Result;
use crate::gpu::{Gpu, Recording, layout};
use crate::image::{GreyPixel, Histogram, PlaneRef};
use crate::shader::{Shader, shader};

pub(super) const SHADER: Shader = shader!("histogram");

/// Counts the pixels of a plane by grey value, in bands of rows as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn histogram<T: GreyPixel>(gpu: &Gpu, plane: PlaneRef<'_, T>) -> Result<Histogram> {
    let size = plane.size();
    let mut histogram = Histogram::new(T::DEPTH);
    if size.area() == 0 {
        return Ok(histogram);
    }
    let pipeline = gpu.pipeline(&SHADER, &[("BITS", T::DEPTH.bits())])?;
    let (columns, row_words) = (layout::count(size.width)?, layout::row_words::<T>(size.width)?);
    // A binding holds fewer pixels than a counter counts.
    let band = layout::band_rows(gpu.caps(), &[4 * u64::from(row_words)], row_words)?;
    for first in (0..size.height).step_by(band) {
        let rows = first..(first + band).min(size.height);
        let row_count = layout::count(rows.len())?;
        let mut recording = Recording::new(gpu)?;
        let source = recording.upload(&layout::pack(&plane, rows))?;
        let counts = recording.counters(Histogram::bins(T::DEPTH))?;
        let params = [row_words, row_count, columns, 0];
        recording.dispatch(&pipeline, &params, &[&source, &counts], row_words, row_count)?;
        recording.read(&counts, |bytes| {
            let counts: &[u32] = bytemuck::cast_slice(bytes);
            histogram.add(counts.iter().copied().map(u64::from));
        })?;
    }
    Ok(histogram)
}
