//! Registration by whitened, windowed, padded correlation, in 32-bit floats whose partial sums are
//! added up in 64 bits: `shaders/alignment_overlap.wgsl`, `alignment_turn.wgsl`, and the parts of
//! whitening, transforms and maxima.

use std::f64::consts::TAU;

use super::fourier::{Direction, Transform};
use super::maxima::{Lag, Maxima, Scores};
use super::whitened::{Whitened, Whitening, power, read_sums, sum_bytes, sum_workgroups};
use crate::error::{EngineError, Result};
use crate::gpu::{Gpu, Recording, layout};
use crate::image::{GreyPixel, Plane, PlaneRef, Size};
use crate::kernels::alignment::lags::{check_same_size, signed};
use crate::kernels::alignment::overlap::{Overlap, total};
use crate::kernels::alignment::robust::{Correlator, PEAKS, Peaks, Plan, RelativeLag, Window};
use crate::kernels::alignment::span::Span;
use crate::kernels::alignment::{Registration, RobustOptions, Shift};
use crate::shader::{Shader, shader};

pub(super) const OVERLAP_SHADER: Shader = shader!("alignment_overlap");
pub(super) const TURN_SHADER: Shader = shader!("alignment_turn");

/// Local maxima that one list holds: those of about eight workgroups.
const CAPACITY: usize = 1024;

/// Registers targets to a reference, which is whitened and transformed once.
///
/// # Errors
/// [`crate::EngineError::Device`] when the device cannot do it; otherwise as
/// [`cpu::RobustReference`](crate::kernels::alignment::cpu::RobustReference).
pub(crate) fn register_robust<T: GreyPixel>(
    gpu: &Gpu,
    reference: PlaneRef<'_, T>,
    targets: &[PlaneRef<'_, T>],
    options: &RobustOptions,
) -> Result<Vec<Registration>> {
    let plan = Plan::new(reference.size(), options)?;
    for target in targets {
        check_same_size(reference.size(), target.size())?;
    }
    if reference.size().area() == 0 {
        return Ok(vec![plan.nothing(); targets.len()]);
    }
    let registrar = Registrar::new(gpu, &plan)?;
    let reference = registrar.prepare(reference)?;
    targets
        .iter()
        .map(|target| plan.register(&registrar, [&reference, &registrar.prepare(*target)?]))
        .collect()
}

/// Judges shifts of targets that were found in another way.
///
/// # Errors
/// As [`register_robust`].
pub(crate) fn judge_shifts<T: GreyPixel>(
    gpu: &Gpu,
    reference: PlaneRef<'_, T>,
    targets: &[(PlaneRef<'_, T>, Shift)],
    options: &RobustOptions,
) -> Result<Vec<Registration>> {
    let plan = Plan::new(reference.size(), options)?;
    for (target, _) in targets {
        check_same_size(reference.size(), target.size())?;
    }
    if reference.size().area() == 0 {
        return Ok(vec![plan.nothing(); targets.len()]);
    }
    let registrar = Registrar::new(gpu, &plan)?;
    let reference = registrar.prepare(reference)?;
    targets
        .iter()
        .map(|(target, shift)| plan.judge(&registrar, [&reference, &registrar.prepare(*target)?], *shift))
        .collect()
}

/// Correlates planes of one size.
struct Registrar<'a> {
    gpu: &'a Gpu,
    plan: &'a Plan,
    transform: Transform,
    whitening: Whitening,
    /// Those of windowed planes.
    lags: [Vec<RelativeLag>; 2],
}

impl<'a> Registrar<'a> {
    fn new(gpu: &'a Gpu, plan: &'a Plan) -> Result<Self> {
        let mut recording = Recording::new(gpu)?;
        let transform = Transform::new(gpu, &mut recording, plan.padded)?;
        let whitening = Whitening::new(&mut recording, plan)?;
        recording.finish()?;
        Ok(Self { gpu, plan, transform, whitening, lags: plan.lags(Window::Hann) })
    }

    fn prepare<T: GreyPixel>(&self, source: PlaneRef<'_, T>) -> Result<Whitened> {
        self.whitening.prepare(self.gpu, self.plan, &self.transform, source)
    }

    /// The highest local maxima of a correlation that a recording makes.
    fn peaks(
        &self,
        mut recording: Recording<'_>,
        correlation: &wgpu::Buffer,
        [rows, columns]: &[Vec<RelativeLag>; 2],
    ) -> Result<Vec<Shift>> {
        let (row_lags, column_lags) = (device_lags(rows)?, device_lags(columns)?);
        let scores = Scores::new(
            self.gpu,
            &mut recording,
            (&self.transform, correlation),
            [&row_lags, &column_lags],
            Maxima::Local,
        )?;
        // The highest maxima of eight parts are eight maxima: those sought are no lower.
        let mut highest = scores.highest(self.gpu, recording)?;
        highest.retain(|score| *score > 0.0);
        highest.sort_unstable_by(|a, b| b.total_cmp(a));
        let threshold = highest.get(PEAKS - 1).copied().unwrap_or(0.0);
        let capacity = CAPACITY.min(rows.len() * columns.len());
        let maxima = scores.collect(self.gpu, threshold, capacity)?.ok_or_else(|| {
            EngineError::Device(format!("a correlation has more than {capacity} equal maxima"))
        })?;
        let mut peaks = Peaks::default();
        for (index, score) in maxima {
            if peaks.wants(score.into()) {
                let shift = Shift::new(rows[index / columns.len()].lag, columns[index % columns.len()].lag);
                peaks.push(score.into(), shift);
            }
        }
        Ok(peaks.into_shifts())
    }

    /// What planes have in common after some shifts, with one layer of workgroups for each.
    fn overlaps_at_once(
        &self,
        [reference, target]: [&Whitened; 2],
        shifts: &[Shift],
    ) -> Result<Vec<Overlap>> {
        let Size { height, width } = self.plan.size;
        let spans: Vec<[Span; 2]> =
            shifts.iter().map(|shift| [Span::of(height, shift.y), Span::of(width, shift.x)]).collect();
        let mut table: Vec<[u32; 8]> = Vec::with_capacity(spans.len());
        for [rows, columns] in &spans {
            table.push([
                layout::count(rows.length)?,
                layout::count(columns.length)?,
                layout::count(rows.moved().start)?,
                layout::count(columns.moved().start)?,
                layout::count(rows.original().start)?,
                layout::count(columns.original().start)?,
                0,
                0,
            ]);
        }
        let columns = layout::count(width)?;
        let workgroups = sum_workgroups(layout::count(height)?, columns, layout::count(shifts.len())?);
        let mut recording = Recording::new(self.gpu)?;
        let table = recording.table(bytemuck::cast_slice(&table))?;
        let sums = recording.output(sum_bytes(workgroups))?;
        recording.dispatch_workgroups(
            &self.gpu.pipeline(&OVERLAP_SHADER, &[])?,
            &[columns, 0, 0, 0],
            &[&table, &reference.plane, &target.plane, &sums],
            workgroups,
        )?;
        let sums = read_sums(recording, &sums)?;
        let of_each = sums.chunks_exact((sums.len() / shifts.len()).max(1));
        Ok(of_each
            .zip(spans)
            .map(|(sums, [rows, columns])| Overlap::of(total(sums), rows.length * columns.length))
            .collect())
    }
}

impl Correlator for Registrar<'_> {
    type Whitened = Whitened;
    type Spectrum = wgpu::Buffer;

    fn has_content(&self, plane: &Whitened) -> bool {
        plane.has_content
    }

    fn correlate(
        &self,
        [reference, target]: [&Whitened; 2],
        window: Window,
    ) -> Result<(wgpu::Buffer, Vec<Shift>)> {
        let mut recording = Recording::new(self.gpu)?;
        let [of_reference, of_target] = match window {
            Window::Hann => [reference.spectrum.clone(), target.spectrum.clone()],
            Window::Whole => {
                let mut transformed = |plane: &Whitened| {
                    self.whitening.transformed(
                        self.gpu,
                        &mut recording,
                        &self.transform,
                        &plane.plane,
                        window,
                    )
                };
                [transformed(reference)?, transformed(target)?]
            }
        };
        let spectrum = self.transform.correlate(&mut recording, &of_reference, &of_target)?;
        let correlation = self.transform.run(&mut recording, &spectrum, Direction::Inverse)?;
        let peaks = match window {
            Window::Hann => self.peaks(recording, &correlation, &self.lags)?,
            Window::Whole => self.peaks(recording, &correlation, &self.plan.lags(window))?,
        };
        Ok((spectrum, peaks))
    }

    fn overlaps(&self, planes: [&Whitened; 2], shifts: &[Shift]) -> Result<Vec<Overlap>> {
        let at_once = usize::try_from(self.gpu.caps().workgroups).unwrap_or(usize::MAX).max(1);
        let mut overlaps = Vec::with_capacity(shifts.len());
        for shifts in shifts.chunks(at_once) {
            overlaps.extend(self.overlaps_at_once(planes, shifts)?);
        }
        Ok(overlaps)
    }

    fn power(&self, [reference, target]: [&Whitened; 2]) -> Result<[f64; 3]> {
        let recording = Recording::new(self.gpu)?;
        power(self.gpu, recording, &self.transform, [&reference.spectrum, &target.spectrum])
    }

    fn evaluate(&self, spectrum: &wgpu::Buffer, rows: &[f64], columns: &[f64]) -> Result<Plane<f64>> {
        let mut values = Plane::zeros(Size::new(rows.len(), columns.len()));
        let Size { height, width } = self.plan.padded;
        // The correlation is real: the other half of the columns mirrors this one.
        let half = width / 2 + 1;
        let mut turns: Vec<[f32; 2]> = Vec::with_capacity(height * rows.len());
        for index in 0..height {
            let frequency = f64::from(signed(index, height)) / height as f64;
            turns.extend(rows.iter().map(|position| {
                let (sine, cosine) = (TAU * frequency * position).sin_cos();
                [cosine as f32, sine as f32]
            }));
        }
        let mut recording = Recording::new(self.gpu)?;
        let (half_count, positions) = (layout::count(half)?, layout::count(rows.len())?);
        let turns = recording.upload(bytemuck::cast_slice(&turns))?;
        let output = recording.output(8 * u64::from(half_count) * u64::from(positions))?;
        recording.dispatch(
            &self.gpu.pipeline(&TURN_SHADER, &[])?,
            &[self.transform.height, self.transform.width, half_count, positions],
            &[&turns, spectrum, &output],
            half_count,
            positions,
        )?;
        let mut at_rows: Vec<[f64; 2]> = Vec::new();
        recording.read(&output, |bytes| {
            let number = |bytes: [u8; 4]| f64::from(f32::from_le_bytes(bytes));
            let numbers: Vec<f64> = bytes.as_chunks().0.iter().map(|bytes| number(*bytes)).collect();
            at_rows = numbers.as_chunks().0.to_vec();
        })?;
        for (index, x) in columns.iter().enumerate() {
            let turns: Vec<[f64; 2]> = (0..half)
                .map(|column| {
                    let weight = if column == 0 || 2 * column == width { 1.0 } else { 2.0 };
                    let (sine, cosine) = (TAU * column as f64 / width as f64 * x).sin_cos();
                    [weight * cosine, weight * sine]
                })
                .collect();
            for (row, at_row) in at_rows.chunks_exact(half).enumerate() {
                values.row_mut(row)[index] =
                    at_row.iter().zip(&turns).map(|(a, b)| a[0] * b[0] - a[1] * b[1]).sum();
            }
        }
        Ok(values)
    }
}

/// Lags as the device knows them.
fn device_lags(lags: &[RelativeLag]) -> Result<Vec<Lag>> {
    lags.iter().map(|lag| Lag::new(lag.index, None, lag.factor as f32)).collect()
}
