//! Fourier transforms of complex planes in 32-bit floats, in place of which no plane stays:
//! `shaders/alignment_fourier.wgsl`.

use crate::error::{EngineError, Result};
use crate::gpu::{Gpu, Recording, layout};
use crate::image::Size;
use crate::shader::{Shader, shader};

pub(super) const SHADER: Shader = shader!("alignment_fourier");
pub(super) const MULTIPLY_SHADER: Shader = shader!("alignment_multiply");

/// Values that one invocation transforms; larger ones first.
const RADICES: [usize; 5] = [8, 5, 4, 3, 2];
/// Bytes of one complex number.
const COMPLEX_BYTES: u64 = 8;

/// Which way a transform goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    /// Times the number of values.
    Inverse,
}

/// The passes of transforms of one size, whose sides have no prime factors but 2, 3 and 5.
#[derive(Debug)]
pub(super) struct Transform {
    pub(super) height: u32,
    pub(super) width: u32,
    along_rows: Vec<Pass>,
    along_columns: Vec<Pass>,
    multiply: wgpu::ComputePipeline,
}

#[derive(Debug)]
struct Pass {
    pipeline: wgpu::ComputePipeline,
    turns: wgpu::Buffer,
    /// Values of a line divided by the radix.
    count: u32,
    span: u32,
    turn: u32,
}

impl Transform {
    /// Plans transforms of a size; the tables are uploaded with this recording.
    pub(super) fn new(gpu: &Gpu, recording: &mut Recording<'_>, size: Size) -> Result<Self> {
        Ok(Self {
            height: layout::count(size.height)?,
            width: layout::count(size.width)?,
            along_rows: passes(gpu, recording, size.width)?,
            along_columns: passes(gpu, recording, size.height)?,
            multiply: gpu.pipeline(&MULTIPLY_SHADER, &[])?,
        })
    }

    /// Bytes of a plane.
    pub(super) fn bytes(&self) -> u64 {
        COMPLEX_BYTES * u64::from(self.height) * u64::from(self.width)
    }

    /// Transforms a plane, which stays as it is. (A plane of one value is its own transform.)
    pub(super) fn run(
        &self,
        recording: &mut Recording<'_>,
        source: &wgpu::Buffer,
        direction: Direction,
    ) -> Result<wgpu::Buffer> {
        let inverse = u32::from(direction == Direction::Inverse);
        let mut current = source.clone();
        let mut spare = None;
        let rows = self.along_rows.iter().map(|pass| (pass, self.height, [self.width, 1, 0]));
        let columns = self.along_columns.iter().map(|pass| (pass, self.width, [1, self.width, 1]));
        for (pass, lines, [line_stride, stride, across]) in rows.chain(columns) {
            let output = match spare.take() {
                Some(buffer) => buffer,
                None => recording.output(self.bytes())?,
            };
            let params = [pass.count, lines, line_stride, stride, pass.span, pass.turn, across, inverse];
            let [x, y] = if across == 1 { [lines, pass.count] } else { [pass.count, lines] };
            recording.dispatch(&pass.pipeline, &params, &[&pass.turns, &current, &output], x, y)?;
            let used = std::mem::replace(&mut current, output);
            spare = (used != *source).then_some(used);
        }
        Ok(current)
    }

    /// The transform of the correlation of two planes, from their transforms.
    pub(super) fn correlate(
        &self,
        recording: &mut Recording<'_>,
        reference: &wgpu::Buffer,
        target: &wgpu::Buffer,
    ) -> Result<wgpu::Buffer> {
        let product = recording.output(self.bytes())?;
        recording.dispatch(
            &self.multiply,
            &[self.width, self.height, 0, 0],
            &[reference, target, &product],
            self.width,
            self.height,
        )?;
        Ok(product)
    }
}

/// The passes along a line, each radix as often as it divides the length.
fn passes(gpu: &Gpu, recording: &mut Recording<'_>, length: usize) -> Result<Vec<Pass>> {
    if length == 1 {
        return Ok(Vec::new());
    }
    let turns: Vec<[f32; 2]> = (0..length)
        .map(|index| {
            let (sine, cosine) = (-std::f64::consts::TAU * index as f64 / length as f64).sin_cos();
            [cosine as f32, sine as f32]
        })
        .collect();
    let turns = recording.table(bytemuck::cast_slice(&turns))?;
    let mut passes = Vec::new();
    let mut span = 1;
    while span < length {
        let rest = length / span;
        let radix = RADICES.into_iter().find(|radix| rest.is_multiple_of(*radix)).ok_or_else(|| {
            EngineError::Device(format!("a line of {length} values has factors beyond 2, 3 and 5"))
        })?;
        passes.push(Pass {
            pipeline: gpu.pipeline(&SHADER, &[("RADIX", layout::count(radix)?)])?,
            turns: turns.clone(),
            count: layout::count(length / radix)?,
            span: layout::count(span)?,
            turn: layout::count(rest / radix)?,
        });
        span *= radix;
    }
    Ok(passes)
}
