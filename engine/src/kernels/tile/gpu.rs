//! The fused tile on the GPU: `shaders/place.wgsl` once for each placement, then `shaders/rescale.wgsl`.

use super::cpu::{check, overlap};
use super::{Placement, Shown};
use crate::error::Result;
use crate::gpu::layout::{self, CellRule};
use crate::gpu::{Gpu, Recording, WORKGROUP};
use crate::image::{GreyPixel, Plane, PlaneRef, Rect, Size};
use crate::kernels::illumination::Correction;
use crate::kernels::rescale::{self, Limits};
use crate::shader::{Shader, shader};

pub(crate) const SHADER: Shader = shader!("place");

/// How a canvas is cut: a cell may lie within one placement, whose planes have 4 bytes for a pixel.
pub(crate) const RULE: CellRule = CellRule {
    multiple: 1,
    pixel_bytes: size_of::<f32>(),
    workgroup: Size::new(WORKGROUP[1] as usize, WORKGROUP[0] as usize),
};

/// Places pixels at their stored depth, corrected where a placement says so.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it; others as on the CPU.
pub(crate) fn compose<T: GreyPixel>(
    gpu: &Gpu,
    size: Size,
    placements: &[Placement<'_, T>],
) -> Result<Plane<T>> {
    check(placements)?;
    paint(gpu, size, placements, |_, canvas, _| Ok(canvas))
}

/// Places pixels and stretches them to 8 bits; without limits 8-bit pixels are copied.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it; others as on the CPU.
pub(crate) fn render_tile<T: GreyPixel>(
    gpu: &Gpu,
    size: Size,
    placements: &[Placement<'_, T>],
    limits: Option<Limits>,
) -> Result<Plane<u8>> {
    check(placements)?;
    match Shown::new::<T>(limits)? {
        Shown::AsStored => paint(gpu, size, placements, |_, canvas, _| Ok(canvas)),
        Shown::Stretched(limits) => paint(gpu, size, placements, |recording, canvas, cell| {
            rescale::gpu::record::<T>(recording, &canvas, cell, limits)
        }),
    }
}

/// Makes a plane cell by cell; `finish` records what becomes of a cell of the canvas.
fn paint<T: GreyPixel, U: GreyPixel>(
    gpu: &Gpu,
    size: Size,
    placements: &[Placement<'_, T>],
    finish: impl Fn(&mut Recording<'_>, wgpu::Buffer, Size) -> Result<wgpu::Buffer>,
) -> Result<Plane<U>> {
    let mut output = Plane::zeros(size);
    if size.area() == 0 {
        return Ok(output);
    }
    for cell in layout::cells(gpu.caps(), size, RULE)? {
        let mut recording = Recording::new(gpu)?;
        let canvas = record_canvas(&mut recording, cell, placements)?;
        let finished = finish(&mut recording, canvas, cell.size)?;
        recording.read(&finished, |bytes| layout::unpack_window(bytes, &mut output, cell))?;
    }
    Ok(output)
}

/// The part of a placement that falls on a cell of the canvas.
struct Part<'a, T> {
    pixels: PlaneRef<'a, T>,
    /// Where it goes in the cell.
    row: usize,
    column: usize,
    /// The correction, and the window of it.
    correction: Option<(&'a Correction, Rect)>,
}

fn parts_on<'a, T: GreyPixel>(cell: Rect, placements: &[Placement<'a, T>]) -> Result<Vec<Part<'a, T>>> {
    let mut parts = Vec::new();
    for placement in placements {
        let source = placement.pixels.size();
        let (rows, columns) = (cell.y..cell.y + cell.size.height, cell.x..cell.x + cell.size.width);
        let Some((rows, row)) = overlap(placement.y, source.height, &rows) else { continue };
        let Some((columns, column)) = overlap(placement.x, source.width, &columns) else { continue };
        let window = Rect::new(rows.start, columns.start, Size::new(rows.len(), columns.len()));
        parts.push(Part {
            pixels: placement.pixels.window(window)?,
            row: row - cell.y,
            column: column - cell.x,
            correction: placement.correction.as_ref().map(|correction| correction.within(window)),
        });
    }
    Ok(parts)
}

/// Planes of a correction on the device.
struct Planes<'a> {
    correction: Option<&'a Correction>,
    /// The window of the correction that was uploaded.
    window: Rect,
    exponents: wgpu::Buffer,
    offsets: wgpu::Buffer,
}

impl<'a> Planes<'a> {
    /// Uploads a window of the planes of a correction.
    fn upload(recording: &mut Recording<'_>, correction: &'a Correction, window: Rect) -> Result<Self> {
        let mut plane = |plane: &Plane<f32>| {
            recording.upload(&layout::pack(&plane.window(window)?, 0..window.size.height))
        };
        Ok(Self {
            exponents: plane(&correction.exponent)?,
            offsets: plane(&correction.offset)?,
            correction: Some(correction),
            window,
        })
    }

    /// What a placement without correction is given.
    fn none(recording: &mut Recording<'_>) -> Result<Self> {
        let (exponents, offsets) = (recording.table(&[0; 4])?, recording.table(&[0; 4])?);
        Ok(Self { correction: None, window: Rect::new(0, 0, Size::new(1, 1)), exponents, offsets })
    }

    /// Whether they hold a window of a correction.
    fn hold(&self, wanted: Option<(&Correction, Rect)>) -> bool {
        match (self.correction, wanted) {
            (None, None) => true,
            (Some(own), Some((correction, window))) => {
                std::ptr::eq(own, correction) && union(self.window, window) == self.window
            }
            _ => false,
        }
    }
}

/// Records the placing of pixels on a cell of the canvas, which starts black; the canvas at the depth
/// of the pixels, each row starting at a word.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it.
pub(crate) fn record_canvas<T: GreyPixel>(
    recording: &mut Recording<'_>,
    cell: Rect,
    placements: &[Placement<'_, T>],
) -> Result<wgpu::Buffer> {
    let pipeline = recording.gpu().pipeline(&SHADER, &[("BITS", T::DEPTH.bits())])?;
    let canvas_words = layout::row_words::<T>(cell.size.width)?;
    let canvas = recording.zeros(4 * u64::from(canvas_words) * cell.size.height as u64)?;
    let parts = parts_on(cell, placements)?;
    let per_word = 4 / size_of::<T>();
    let mut planes: Option<Planes<'_>> = None;
    for (index, part) in parts.iter().enumerate() {
        let held = match planes.take().filter(|planes| planes.hold(part.correction)) {
            Some(planes) => planes,
            None => match part.correction {
                None => Planes::none(recording)?,
                Some((correction, window)) => {
                    let window = shared_window(recording.gpu(), correction, window, &parts[index..]);
                    Planes::upload(recording, correction, window)?
                }
            },
        };
        let size = part.pixels.size();
        let source = recording.upload(&layout::pack(&part.pixels, 0..size.height))?;
        let own = part.correction.map_or(held.window, |(_, window)| window);
        let (start, width) = (own.y - held.window.y, held.window.size.width);
        let first_word = part.column / per_word;
        let words = layout::count((part.column + size.width).div_ceil(per_word) - first_word)?;
        let rows = layout::count(size.height)?;
        let params = [
            canvas_words,
            layout::count(first_word)?,
            layout::count(part.row)?,
            words,
            rows,
            layout::count(part.column)?,
            layout::count(size.width)?,
            layout::row_words::<T>(size.width)?,
            layout::count(start * width + own.x - held.window.x)?,
            layout::count(width)?,
            u32::from(part.correction.is_some()),
            T::DEPTH.max_value().into(),
        ];
        let buffers = [&held.exponents, &held.offsets, &source, &canvas];
        recording.dispatch(&pipeline, &params, &buffers, words, rows)?;
        planes = Some(held);
    }
    Ok(canvas)
}

/// The window of a correction to upload for a part and those after it: one that serves them all, where
/// that is less than a window for each, or its own.
fn shared_window<T>(gpu: &Gpu, correction: &Correction, own: Rect, parts: &[Part<'_, T>]) -> Rect {
    let (mut all, mut sum) = (own, 0);
    for (other, window) in parts.iter().filter_map(|part| part.correction) {
        if std::ptr::eq(other, correction) {
            all = union(all, window);
            sum += window.size.area();
        }
    }
    let bytes = (all.size.area() * size_of::<f32>()) as u64;
    if all.size.area() <= sum && bytes <= gpu.caps().binding_bytes { all } else { own }
}

/// The smallest rectangle around two.
fn union(a: Rect, b: Rect) -> Rect {
    let (y, x) = (a.y.min(b.y), a.x.min(b.x));
    let bottom = (a.y + a.size.height).max(b.y + b.size.height);
    let right = (a.x + a.size.width).max(b.x + b.size.width);
    Rect::new(y, x, Size::new(bottom - y, right - x))
}
