//! The highest values of a correlation: `shaders/alignment_scores.wgsl`, `alignment_highest.wgsl`
//! and `alignment_collect.wgsl`.

use super::fourier::Transform;
use crate::error::{EngineError, Result};
use crate::gpu::{Gpu, Recording, Workgroups, layout};
use crate::shader::{Shader, shader};

pub(super) const SCORES_SHADER: Shader = shader!("alignment_scores");
pub(super) const HIGHEST_SHADER: Shader = shader!("alignment_highest");
pub(super) const COLLECT_SHADER: Shader = shader!("alignment_collect");

/// Bytes of the count before a list, and of an entry.
const ENTRY_BYTES: u64 = 8;

/// A lag along one axis, as the shader knows it: where it lies in a correlation, and its factor.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Lag {
    first: u32,
    second: u32,
    factor: f32,
    unused: u32,
}

impl Lag {
    /// A lag that is the sum of those at one or two indices, times a factor.
    pub(super) fn new(first: usize, second: Option<usize>, factor: f32) -> Result<Self> {
        let second = second.map_or(Ok(u32::MAX), layout::count)?;
        Ok(Self { first: layout::count(first)?, second, factor, unused: 0 })
    }
}

/// Which scores count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maxima {
    /// All of them.
    All,
    /// Those above 0 that none of their eight neighbours exceeds.
    Local,
}

/// Scores of lags, on the device.
#[derive(Debug)]
pub(super) struct Scores {
    buffer: wgpu::Buffer,
    columns: u32,
    rows: u32,
    maxima: Maxima,
}

impl Scores {
    /// The values of a correlation at lags of rows and columns.
    pub(super) fn new(
        gpu: &Gpu,
        recording: &mut Recording<'_>,
        (transform, correlation): (&Transform, &wgpu::Buffer),
        [rows, columns]: [&[Lag]; 2],
        maxima: Maxima,
    ) -> Result<Self> {
        let (row_count, column_count) = (layout::count(rows.len())?, layout::count(columns.len())?);
        let buffer = recording.output(4 * u64::from(row_count) * u64::from(column_count))?;
        let rows = recording.table(bytemuck::cast_slice(rows))?;
        let columns = recording.table(bytemuck::cast_slice(columns))?;
        recording.dispatch(
            &gpu.pipeline(&SCORES_SHADER, &[])?,
            &[column_count, row_count, transform.width, 0],
            &[&rows, &columns, correlation, &buffer],
            column_count,
            row_count,
        )?;
        Ok(Self { buffer, columns: column_count, rows: row_count, maxima })
    }

    /// The highest maximum of each part of the scores, submitting the recording; `f32::MIN` where a
    /// part has none.
    pub(super) fn highest(&self, gpu: &Gpu, mut recording: Recording<'_>) -> Result<Vec<f32>> {
        let Workgroups { x, y, .. } = Workgroups::covering(self.columns, self.rows);
        let output = recording.output(4 * u64::from(x) * u64::from(y))?;
        self.dispatch(gpu, &mut recording, &HIGHEST_SHADER, [0, 0], &output)?;
        let mut highest = Vec::new();
        recording.read(&output, |bytes| {
            highest = bytes.as_chunks().0.iter().map(|score| f32::from_le_bytes(*score)).collect();
        })?;
        Ok(highest)
    }

    /// The maxima of at least a threshold, in the order of their indices; nothing where they are more
    /// than `capacity`.
    pub(super) fn collect(
        &self,
        gpu: &Gpu,
        threshold: f32,
        capacity: usize,
    ) -> Result<Option<Vec<(usize, f32)>>> {
        let mut recording = Recording::new(gpu)?;
        let list = recording.zeros(ENTRY_BYTES * (capacity as u64 + 1))?;
        let params = [threshold.to_bits(), layout::count(capacity)?];
        self.dispatch(gpu, &mut recording, &COLLECT_SHADER, params, &list)?;
        let mut found: Option<Vec<(usize, f32)>> = None;
        recording.read(&list, |bytes| {
            let words: Vec<u32> = bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
            let ([count, _], entries) = words.split_first_chunk().unwrap_or((&[u32::MAX, 0], &[]));
            let Some(count) = usize::try_from(*count).ok().filter(|count| *count <= capacity) else { return };
            let entries = entries.as_chunks::<2>().0.iter().take(count);
            let index = |index| usize::try_from(index).unwrap_or(usize::MAX);
            found = Some(entries.map(|[at, score]| (index(*at), f32::from_bits(*score))).collect());
        })?;
        if let Some(found) = &mut found {
            found.sort_unstable_by_key(|(index, _)| *index);
            let scores = u64::from(self.columns) * u64::from(self.rows);
            if found.last().is_some_and(|(index, _)| *index as u64 >= scores) {
                return Err(EngineError::Device(format!("a maximum beyond the {scores} scores")));
            }
        }
        Ok(found)
    }

    fn dispatch(
        &self,
        gpu: &Gpu,
        recording: &mut Recording<'_>,
        shader: &Shader,
        [threshold, capacity]: [u32; 2],
        output: &wgpu::Buffer,
    ) -> Result<()> {
        let pipeline = gpu.pipeline(shader, &[("LOCAL", u32::from(self.maxima == Maxima::Local))])?;
        let params = [self.columns, self.rows, threshold, capacity];
        recording.dispatch(&pipeline, &params, &[&self.buffer, output], self.columns, self.rows)
    }
}
