//! Several levels on the GPU: `shaders/downsample_levels.wgsl` and `shaders/downsample_levels_max.wgsl`.

use crate::error::Result;
use crate::gpu::layout::{self, CellRule};
use crate::gpu::{Gpu, Recording, Workgroups};
use crate::image::{GreyPixel, Plane, PlaneRef, Rect, Size};
use crate::kernels::downsample::{Filter, MOST_LEVELS, level_sizes};
use crate::shader::{Shader, shader};

pub(crate) const MEAN_SHADER: Shader = shader!("downsample_levels");
pub(crate) const MAX_SHADER: Shader = shader!("downsample_levels_max");

/// Levels of one dispatch, at most.
const AT_ONCE: usize = 4;
/// Pixels that one workgroup takes along each side.
const BLOCK: usize = 64;

/// The levels of a plane, in cells as large as the device allows.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it; others as on the CPU.
pub(crate) fn downsample_levels<T: GreyPixel>(
    gpu: &Gpu,
    source: PlaneRef<'_, T>,
    filter: Filter,
    levels: usize,
) -> Result<Vec<Plane<T>>> {
    let rule = CellRule { pixel_bytes: size_of::<T>(), ..rule(levels, Size::new(BLOCK, BLOCK)) };
    make_levels(gpu, source.size(), levels, rule, |recording, cell| {
        let pixels = source.window(cell)?;
        let input = recording.upload(&layout::pack(&pixels, 0..cell.size.height))?;
        record::<T>(recording, &input, cell.size, filter, levels)
    })
}

/// How a plane is cut for this many levels: the pixels of a cell meet those of no other at any level.
pub(crate) fn rule(levels: usize, workgroup: Size) -> CellRule {
    CellRule { multiple: 1 << levels.min(MOST_LEVELS), pixel_bytes: size_of::<f32>(), workgroup }
}

/// Makes the levels of a plane of this size cell by cell; `record` records those of one cell.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it; others as on the CPU.
pub(crate) fn make_levels<T: GreyPixel>(
    gpu: &Gpu,
    size: Size,
    levels: usize,
    rule: CellRule,
    record: impl Fn(&mut Recording<'_>, Rect) -> Result<Levels>,
) -> Result<Vec<Plane<T>>> {
    let mut outputs: Vec<_> = level_sizes(size, levels)?.into_iter().map(Plane::zeros).collect();
    if size.area() == 0 || levels == 0 {
        return Ok(outputs);
    }
    for cell in layout::cells(gpu.caps(), size, rule)? {
        let mut recording = Recording::new(gpu)?;
        let made = record(&mut recording, cell)?;
        let buffers: Vec<_> = made.buffers.iter().map(|buffer| (buffer, buffer.size())).collect();
        recording.read_all(&buffers, |bytes| {
            for ((place, output), level) in made.places.iter().zip(&mut outputs).zip(1..) {
                let window = Rect::new(cell.y >> level, cell.x >> level, place.size);
                layout::unpack_window(&bytes[place.buffer][place.start_bytes..], output, window);
            }
        })?;
    }
    Ok(outputs)
}

/// Levels on the device.
pub(crate) struct Levels {
    buffers: Vec<wgpu::Buffer>,
    places: Vec<Place>,
}

/// Where a level lies; each row starts at a word.
struct Place {
    buffer: usize,
    start_bytes: usize,
    size: Size,
}

/// Records the levels of a plane on the device, within its limits, whose rows start at words.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it; others as on the CPU.
pub(crate) fn record<T: GreyPixel>(
    recording: &mut Recording<'_>,
    source: &wgpu::Buffer,
    size: Size,
    filter: Filter,
    levels: usize,
) -> Result<Levels> {
    let shader = match filter {
        Filter::Mean => MEAN_SHADER,
        Filter::Max => MAX_SHADER,
    };
    let pipeline = recording.gpu().pipeline(&shader, &[("BITS", T::DEPTH.bits())])?;
    let mut made = Levels { buffers: Vec::new(), places: Vec::new() };
    let (mut from, mut start_words) = (size, 0);
    for sizes in level_sizes(size, levels)?.chunks(AT_ONCE) {
        let mut params = vec![
            layout::count(start_words)?,
            layout::row_words::<T>(from.width)?,
            layout::count(from.height)?,
            layout::count(sizes.len())?,
        ];
        let mut words = 0;
        for size in sizes {
            start_words = words;
            let row_words = layout::row_words::<T>(size.width)?;
            let rows = layout::count(size.height)?;
            params.extend([layout::count(words)?, row_words, rows, 0]);
            made.places.push(Place { buffer: made.buffers.len(), start_bytes: 4 * words, size: *size });
            words += row_words as usize * size.height;
        }
        params.resize(4 + 4 * AT_ONCE, 0);
        let output = recording.output(4 * words as u64)?;
        let blocks = |length: usize| layout::count(length.div_ceil(BLOCK));
        let workgroups = Workgroups { x: blocks(from.width)?, y: blocks(from.height)?, z: 1 };
        let input = made.buffers.last().unwrap_or(source);
        recording.dispatch_workgroups(&pipeline, &params, &[input, &output], workgroups)?;
        made.buffers.push(output);
        from = sizes.last().copied().unwrap_or(from);
    }
    Ok(made)
}
