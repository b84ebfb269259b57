//! Circular cross-correlation, in whole pixels: `shaders/alignment_load.wgsl`, transforms and maxima.

use super::fourier::{Direction, Transform};
use super::maxima::{Lag, Maxima, Scores};
use crate::error::{EngineError, Result};
use crate::gpu::{Gpu, Recording, layout};
use crate::image::{GreyPixel, Plane, PlaneRef, Size};
use crate::kernels::alignment::exact::{MOST_EXACT, best_of, candidates, mean_and_norm, rounding};
use crate::kernels::alignment::lags::{check_same_size, check_size, fast_length, is_fast_length, widened};
use crate::kernels::alignment::{Shift, cpu};
use crate::shader::{Shader, shader};

pub(super) const LOAD_SHADER: Shader = shader!("alignment_load");

/// The shifts that move targets onto a reference: to the last bit those of the CPU.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it; [`crate::EngineError::Shape`] when a
/// target has another size than the reference, or for sides of 2³¹ or 2³² pixels and more.
pub(crate) fn register_compatible<T: GreyPixel>(
    gpu: &Gpu,
    reference: PlaneRef<'_, T>,
    targets: &[PlaneRef<'_, T>],
) -> Result<Vec<Shift>> {
    let on_gpu = CompatibleReference::new(gpu, reference)?;
    let mut on_cpu = None;
    let mut shifts = Vec::with_capacity(targets.len());
    for target in targets {
        let shift = match on_gpu.register(*target)? {
            Some(shift) => shift,
            None => {
                let on_cpu = match &mut on_cpu {
                    Some(on_cpu) => on_cpu,
                    None => on_cpu.insert(cpu::CompatibleReference::new(reference)?),
                };
                on_cpu.register(*target)?
            }
        };
        shifts.push(shift);
    }
    Ok(shifts)
}

/// The reference of a site, transformed once for all its targets.
pub(crate) struct CompatibleReference<'a> {
    gpu: &'a Gpu,
    pixels: Plane<u16>,
    /// Nothing for a plane without pixels.
    transformed: Option<Transformed>,
}

struct Transformed {
    padded: Size,
    transform: Transform,
    spectrum: wgpu::Buffer,
    norm: f64,
    lags: [Vec<Lag>; 2],
}

impl<'a> CompatibleReference<'a> {
    /// Transforms a reference.
    ///
    /// # Errors
    /// As [`register_compatible`].
    pub(crate) fn new<T: GreyPixel>(gpu: &'a Gpu, reference: PlaneRef<'_, T>) -> Result<Self> {
        let size = reference.size();
        check_size(size)?;
        let pixels = widened(reference);
        if size.area() == 0 {
            return Ok(Self { gpu, pixels, transformed: None });
        }
        let padded = Size::new(padded_length(size.height), padded_length(size.width));
        check_size(padded)?;
        let (mean, norm) = mean_and_norm(&pixels);
        let mut recording = Recording::new(gpu)?;
        let transform = Transform::new(gpu, &mut recording, padded)?;
        let loaded = load(gpu, &mut recording, reference, &transform, mean)?;
        let spectrum = transform.run(&mut recording, &loaded, Direction::Forward)?;
        recording.finish()?;
        let lags = [circular_lags(size.height, padded.height)?, circular_lags(size.width, padded.width)?];
        let transformed = Transformed { padded, transform, spectrum, norm, lags };
        Ok(Self { gpu, pixels, transformed: Some(transformed) })
    }

    /// The shift of a target; nothing where more shifts are within rounding of the best one than are
    /// compared exactly.
    ///
    /// # Errors
    /// As [`register_compatible`].
    pub(crate) fn register<T: GreyPixel>(&self, target: PlaneRef<'_, T>) -> Result<Option<Shift>> {
        check_same_size(self.pixels.size(), target.size())?;
        let gpu = self.gpu;
        let Some(Transformed { padded, transform, spectrum, norm, lags }) = &self.transformed else {
            return Ok(Some(Shift::default()));
        };
        let pixels = widened(target);
        let (mean, target_norm) = mean_and_norm(&pixels);
        let norms = norm * target_norm;
        if norms == 0.0 {
            // All shifts are equally good.
            return Ok(Some(Shift::default()));
        }
        let mut recording = Recording::new(gpu)?;
        let loaded = load(gpu, &mut recording, target, transform, mean)?;
        let of_target = transform.run(&mut recording, &loaded, Direction::Forward)?;
        let product = transform.correlate(&mut recording, spectrum, &of_target)?;
        let correlation = transform.run(&mut recording, &product, Direction::Inverse)?;
        let [rows, columns] = lags;
        let scores =
            Scores::new(gpu, &mut recording, (transform, &correlation), [rows, columns], Maxima::All)?;
        let largest = scores.highest(gpu, recording)?.into_iter().fold(f32::MIN, f32::max);
        // A little more than twice, for the sums of lags, the difference, and the CPU's own rounding.
        let margin = 2.1 * rounding(f32::EPSILON.into(), *padded, norms);
        let threshold = (f64::from(largest) - margin) as f32;
        let Some(within) = scores.collect(gpu, threshold, MOST_EXACT)? else { return Ok(None) };
        let (peak, _) = within
            .iter()
            .find(|(_, score)| *score >= largest)
            .ok_or_else(|| EngineError::Device("the largest correlation is nowhere".to_owned()))?;
        let indices: Vec<usize> = within.iter().map(|(index, _)| *index).collect();
        Ok(Some(best_of(&self.pixels, &pixels, &candidates(pixels.size(), &indices, *peak))))
    }
}

/// Uploads pixels less their mean, padded with zeros to the size of a transform.
fn load<T: GreyPixel>(
    gpu: &Gpu,
    recording: &mut Recording<'_>,
    source: PlaneRef<'_, T>,
    transform: &Transform,
    mean: f64,
) -> Result<wgpu::Buffer> {
    let Size { height, width } = source.size();
    let pipeline = gpu.pipeline(&LOAD_SHADER, &[("BITS", T::DEPTH.bits())])?;
    let input = recording.upload(&layout::pack(&source, 0..height))?;
    let loaded = recording.output(transform.bytes())?;
    let params = [
        layout::row_words::<T>(width)?,
        layout::count(height)?,
        layout::count(width)?,
        // A mean of 16-bit pixels.
        mean as u32,
        transform.height,
        transform.width,
        0,
        0,
    ];
    recording.dispatch(&pipeline, &params, &[&input, &loaded], transform.width, transform.height)?;
    Ok(loaded)
}

/// The length of a transform from which circular correlations of a side can be had: the side itself,
/// or enough for all lags of a correlation that is not circular.
fn padded_length(side: usize) -> usize {
    if is_fast_length(side) { side } else { fast_length(2 * side - 1) }
}

/// `C_circular(d) = C(d) + C(d - side)`, of which a transform of the side itself has the sum.
fn circular_lags(side: usize, padded: usize) -> Result<Vec<Lag>> {
    (0..side).map(|lag| Lag::new(lag, (lag > 0 && padded > side).then(|| padded + lag - side), 1.0)).collect()
}
