//! Illumination on the GPU: `shaders/illumination_apply.wgsl` and `shaders/illumination_sums.wgsl`.

use super::statistics::{LOGARITHMS, PixelSums};
use super::{Correction, IlluminationSums};
use crate::error::Result;
use crate::gpu::{Gpu, Recording, layout};
use crate::image::{BitDepth, GreyPixel, GreyPlane, Plane, PlaneRef, Size};
use crate::shader::{Shader, shader};

pub(super) const APPLY_SHADER: Shader = shader!("illumination_apply");
pub(super) const SUMS_SHADER: Shader = shader!("illumination_sums");

/// Bytes of the sums of one pixel: two of 64 bits.
const SUM_BYTES: usize = 16;

/// Corrects images; the planes of the correction are read once for as many as the device takes.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it;
/// [`crate::EngineError::Shape`] when an image does not have the size of the correction.
pub(crate) fn correct_all<T: GreyPixel>(
    gpu: &Gpu,
    images: &[PlaneRef<'_, T>],
    correction: &Correction,
) -> Result<Vec<Plane<T>>> {
    correction.planes().check(images)?;
    let shading = Shading {
        shader: APPLY_SHADER,
        size: correction.size(),
        first: correction.exponent.view(),
        second: correction.offset.view(),
    };
    correct_by_planes(gpu, images, &shading)
}

/// A correction by two planes: a shader that imports `shading`, and what it is given.
pub(crate) struct Shading<'a> {
    /// The shader.
    pub(crate) shader: Shader,
    /// Size of the planes, and of the images.
    pub(crate) size: Size,
    /// The first plane.
    pub(crate) first: PlaneRef<'a, f32>,
    /// The second plane.
    pub(crate) second: PlaneRef<'a, f32>,
}

/// Corrects images of the size of the planes, in bands of rows and groups of images as large as
/// the device allows. The planes are uploaded once.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn correct_by_planes<T: GreyPixel>(
    gpu: &Gpu,
    images: &[PlaneRef<'_, T>],
    shading: &Shading<'_>,
) -> Result<Vec<Plane<T>>> {
    let size = shading.size;
    let mut outputs = vec![Plane::zeros(size); images.len()];
    if size.area() == 0 || images.is_empty() {
        return Ok(outputs);
    }
    let pipeline = gpu.pipeline(&shading.shader, &[("BITS", T::DEPTH.bits())])?;
    let columns = layout::count(size.width)?;
    let row_words = layout::row_words::<T>(size.width)?;
    let plane_words = layout::row_words::<f32>(size.width)?;
    let row_bytes = 4 * u64::from(row_words);
    let band = layout::band_rows(gpu.caps(), &[4 * u64::from(plane_words), row_bytes], row_words)?;
    for start in (0..size.height).step_by(band) {
        let rows = start..(start + band).min(size.height);
        let row_count = layout::count(rows.len())?;
        let image_bytes = row_bytes * u64::from(row_count);
        let group = layout::images_at_once(gpu.caps(), image_bytes);
        let mut planes = None;
        for (images, outputs) in images.chunks(group).zip(outputs.chunks_mut(group)) {
            let mut recording = Recording::new(gpu)?;
            let (first, second) = match planes.take() {
                Some(planes) => planes,
                None => (
                    recording.upload(&layout::pack(&shading.first, rows.clone()))?,
                    recording.upload(&layout::pack(&shading.second, rows.clone()))?,
                ),
            };
            let parts: Vec<_> = images.iter().map(|image| layout::pack(image, rows.clone())).collect();
            let input = recording.upload_all(&parts)?;
            let result = recording.output(input.size())?;
            let (image_count, maximum) = (layout::count(images.len())?, T::DEPTH.max_value().into());
            let params = [columns, row_words, row_count, image_count, maximum, 0, 0, 0];
            recording.dispatch(
                &pipeline,
                &params,
                &[&first, &second, &input, &result],
                row_words,
                row_count,
            )?;
            let part_bytes = parts.first().map_or(1, |part| part.len());
            recording.read(&result, |bytes| {
                for (output, bytes) in outputs.iter_mut().zip(bytes.chunks_exact(part_bytes)) {
                    layout::unpack(bytes, output, start);
                }
            })?;
            planes = Some((first, second));
        }
    }
    Ok(outputs)
}

/// Sums over images: logarithms on the device, histograms and quantiles meanwhile on the CPU.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it; [`crate::EngineError::Shape`] when
/// size or depth of an image differ; [`crate::EngineError::Parameter`] for too many images.
pub(crate) fn sum_images(
    gpu: &Gpu,
    size: Size,
    depth: BitDepth,
    images: &[&GreyPlane],
) -> Result<IlluminationSums> {
    IlluminationSums::of_images(size, depth, images, |sums| {
        let (mut eight, mut sixteen) = (Vec::new(), Vec::new());
        for image in images {
            match image {
                GreyPlane::U8(plane) => eight.push(plane.pixels()),
                GreyPlane::U16(plane) => sixteen.push(plane.pixels()),
            }
        }
        add_images(gpu, &eight, sums)?;
        add_images(gpu, &sixteen, sums)
    })
}

/// Adds images that have as many pixels as there are sums, in runs of pixels and groups of images
/// as large as the device allows.
fn add_images<T: GreyPixel>(gpu: &Gpu, images: &[&[T]], sums: &mut PixelSums) -> Result<()> {
    let pixels = sums.len();
    if pixels == 0 || images.is_empty() {
        return Ok(());
    }
    let per_word = 4 / size_of::<T>();
    let pipeline = gpu.pipeline(&SUMS_SHADER, &[("BITS", T::DEPTH.bits())])?;
    let grid = layout::Grid::new(gpu.caps(), (SUM_BYTES * per_word) as u64, pixels.div_ceil(per_word))?;
    let table: &[u32] = match T::DEPTH {
        BitDepth::Eight => &LOGARITHMS[..256],
        BitDepth::Sixteen => &**LOGARITHMS,
    };
    for first in (0..pixels).step_by(grid.words * per_word) {
        let part = first..(first + grid.words * per_word).min(pixels);
        let words = part.len().div_ceil(per_word);
        let group = layout::images_at_once(gpu.caps(), 4 * words as u64);
        for images in images.chunks(group) {
            let mut recording = Recording::new(gpu)?;
            let table = recording.table(bytemuck::cast_slice(table))?;
            let parts: Vec<_> =
                images.iter().map(|image| layout::whole_words(&image[part.clone()])).collect();
            let input = recording.upload_all(&parts)?;
            let result = recording.output((SUM_BYTES * per_word * words) as u64)?;
            let word_count = layout::count(words)?;
            let params = [word_count, layout::count(images.len())?, grid.columns, 0];
            let rows = word_count.div_ceil(grid.columns);
            recording.dispatch(&pipeline, &params, &[&table, &input, &result], grid.columns, rows)?;
            recording.read(&result, |bytes| sums.add_bytes(part.clone(), bytes))?;
        }
    }
    Ok(())
}
