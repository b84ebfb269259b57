//! Planes that are ready to be correlated: `shaders/alignment_whiten_columns.wgsl`,
//! `alignment_whiten_rows.wgsl`, `alignment_window.wgsl` and `alignment_power.wgsl`.

use super::fourier::{Direction, Transform};
use crate::error::Result;
use crate::gpu::{Gpu, Recording, Workgroups, layout};
use crate::image::{GreyPixel, PlaneRef, Size};
use crate::kernels::alignment::lags::widened;
use crate::kernels::alignment::overlap::total;
use crate::kernels::alignment::robust::{Plan, Window};
use crate::kernels::alignment::whitening::{Clipping, Taps};
use crate::shader::{Shader, shader};

pub(super) const COLUMNS_SHADER: Shader = shader!("alignment_whiten_columns");
pub(super) const ROWS_SHADER: Shader = shader!("alignment_whiten_rows");
pub(super) const WINDOW_SHADER: Shader = shader!("alignment_window");
pub(super) const POWER_SHADER: Shader = shader!("alignment_power");

/// Rows and columns of which one workgroup makes one sum.
const SUM_SIDE: u32 = 64;
/// Bytes of such a sum.
const SUM_BYTES: u64 = 16;

/// A whitened plane on the device, and its transform after windowing and padding.
#[derive(Debug)]
pub(super) struct Whitened {
    pub(super) plane: wgpu::Buffer,
    pub(super) spectrum: wgpu::Buffer,
    pub(super) has_content: bool,
}

/// Whitens planes of one size.
#[derive(Debug)]
pub(super) struct Whitening {
    size: Size,
    radius: u32,
    taps: wgpu::Buffer,
    hann: [wgpu::Buffer; 2],
    whole: [wgpu::Buffer; 2],
}

impl Whitening {
    /// The tables, which are uploaded with this recording.
    pub(super) fn new(recording: &mut Recording<'_>, plan: &Plan) -> Result<Self> {
        let taps = Taps::new(plan.options.sigma_px);
        let pairs: Vec<[f32; 2]> = taps
            .smooth
            .iter()
            .zip(&taps.curve)
            .map(|(smooth, curve)| [*smooth as f32, *curve as f32])
            .collect();
        let mut window = |window| -> Result<[wgpu::Buffer; 2]> {
            let [rows, columns] = plan
                .window(window)
                .map(|factors| factors.into_iter().map(|factor| factor as f32).collect::<Vec<f32>>());
            Ok([
                recording.table(bytemuck::cast_slice(&rows))?,
                recording.table(bytemuck::cast_slice(&columns))?,
            ])
        };
        let (hann, whole) = (window(Window::Hann)?, window(Window::Whole)?);
        let taps_table = recording.table(bytemuck::cast_slice(&pairs))?;
        Ok(Self { size: plan.size, radius: layout::count(taps.radius)?, taps: taps_table, hann, whole })
    }

    /// Uploads, whitens and transforms a plane.
    pub(super) fn prepare<T: GreyPixel>(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        transform: &Transform,
        source: PlaneRef<'_, T>,
    ) -> Result<Whitened> {
        let (height, width) = (layout::count(self.size.height)?, layout::count(self.size.width)?);
        let Clipping { limit, least } = Clipping::of(&widened(source), plan.options.clip);
        // Values from 0 to 1, so that no product of four is too large for 32 bits.
        let scale = 1.0 / f32::from((limit - least).max(1));
        let mut recording = Recording::new(gpu)?;
        let pixels = recording.upload(&layout::pack(&source, 0..self.size.height))?;
        let pixel_count = u64::from(height) * u64::from(width);
        let filtered = recording.output(8 * pixel_count)?;
        let words = layout::row_words::<T>(self.size.width)?;
        recording.dispatch(
            &gpu.pipeline(&COLUMNS_SHADER, &[("BITS", T::DEPTH.bits())])?,
            &[words, height, width, self.radius, limit.into(), least.into(), scale.to_bits(), 0],
            &[&self.taps, &pixels, &filtered],
            width,
            height,
        )?;
        let plane = recording.output(4 * pixel_count)?;
        recording.dispatch(
            &gpu.pipeline(&ROWS_SHADER, &[])?,
            &[height, width, self.radius, 0],
            &[&self.taps, &filtered, &plane],
            width,
            height,
        )?;
        let spectrum = self.transformed(gpu, &mut recording, transform, &plane, Window::Hann)?;
        let [_, power, _] = power(gpu, recording, transform, [&spectrum, &spectrum])?;
        Ok(Whitened { plane, spectrum, has_content: power > 0.0 })
    }

    /// The transform of a whitened plane with a window, padded.
    pub(super) fn transformed(
        &self,
        gpu: &Gpu,
        recording: &mut Recording<'_>,
        transform: &Transform,
        plane: &wgpu::Buffer,
        window: Window,
    ) -> Result<wgpu::Buffer> {
        let [rows, columns] = match window {
            Window::Hann => &self.hann,
            Window::Whole => &self.whole,
        };
        let padded = recording.output(transform.bytes())?;
        let (height, width) = (layout::count(self.size.height)?, layout::count(self.size.width)?);
        recording.dispatch(
            &gpu.pipeline(&WINDOW_SHADER, &[])?,
            &[height, width, transform.height, transform.width],
            &[rows, columns, plane, &padded],
            transform.width,
            transform.height,
        )?;
        transform.run(recording, &padded, Direction::Forward)
    }
}

/// `Σ |R|²·|T|²`, `Σ |R|²` and `Σ |T|²` of two spectra, submitting the recording.
pub(super) fn power(
    gpu: &Gpu,
    mut recording: Recording<'_>,
    transform: &Transform,
    [reference, target]: [&wgpu::Buffer; 2],
) -> Result<[f64; 3]> {
    let workgroups = sum_workgroups(transform.height, transform.width, 1);
    let sums = recording.output(sum_bytes(workgroups))?;
    recording.dispatch_workgroups(
        &gpu.pipeline(&POWER_SHADER, &[])?,
        &[transform.height, transform.width, 0, 0],
        &[reference, target, &sums],
        workgroups,
    )?;
    Ok(total(&read_sums(recording, &sums)?))
}

/// Workgroups that sum planes of a size, `planes` of them.
pub(super) fn sum_workgroups(height: u32, width: u32, planes: u32) -> Workgroups {
    Workgroups { x: width.div_ceil(SUM_SIDE), y: height.div_ceil(SUM_SIDE), z: planes }
}

/// Bytes of the sums of workgroups.
pub(super) fn sum_bytes(workgroups: Workgroups) -> u64 {
    SUM_BYTES * u64::from(workgroups.x) * u64::from(workgroups.y) * u64::from(workgroups.z)
}

/// The sums of workgroups in their order, submitting the recording.
pub(super) fn read_sums(recording: Recording<'_>, sums: &wgpu::Buffer) -> Result<Vec<[f64; 3]>> {
    let mut read = Vec::new();
    recording.read(sums, |bytes| {
        let numbers: Vec<f32> =
            bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
        read = numbers.as_chunks().0.iter().map(|[a, b, c, _]| [*a, *b, *c].map(f64::from)).collect();
    })?;
    Ok(read)
}
