//! A recording: uploads, any number of dispatches, one submission, one readback.
//!
//! What one dispatch writes the next may read: the device runs them in order. Errors of the device
//! arrive late; a recording catches them in error scopes and returns them, so that a failed dispatch
//! is never mistaken for a black image.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Gpu, WORKGROUP, device_error};
use crate::error::{EngineError, Result};

/// A submission that takes longer is taken for a lost device.
const TIMEOUT: Duration = Duration::from_secs(120);
/// What outputs hold before a kernel ran, in debug builds: a forgotten write must not look black.
const SENTINEL: u8 = 0xa5;

/// Work for the device that is recorded, submitted once, and read back.
pub(crate) struct Recording<'a> {
    gpu: &'a Gpu,
    encoder: wgpu::CommandEncoder,
    scopes: Scopes,
}

/// Workgroups of a dispatch along x, y and z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Workgroups {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) z: u32,
}

impl Workgroups {
    /// Enough workgroups of 64×4 invocations for `columns × rows` of them.
    pub(crate) fn covering(columns: u32, rows: u32) -> Self {
        Self { x: columns.div_ceil(WORKGROUP[0]), y: rows.div_ceil(WORKGROUP[1]), z: 1 }
    }
}

impl<'a> Recording<'a> {
    pub(crate) fn new(gpu: &'a Gpu) -> Result<Self> {
        gpu.check_not_lost()?;
        let scopes = Scopes::push(&gpu.device);
        let encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        Ok(Self { gpu, encoder, scopes })
    }

    /// The device.
    pub(crate) fn gpu(&self) -> &'a Gpu {
        self.gpu
    }

    /// A buffer with these bytes, a multiple of 4 of them.
    pub(crate) fn upload(&mut self, bytes: &[u8]) -> Result<wgpu::Buffer> {
        self.upload_all(&[bytes])
    }

    /// A buffer with these bytes one after the other, each a multiple of 4 of them.
    pub(crate) fn upload_all(&mut self, parts: &[impl AsRef<[u8]>]) -> Result<wgpu::Buffer> {
        let size = parts.iter().map(|part| part.as_ref().len() as u64).sum();
        self.check_binding(size)?;
        self.write(size, parts)
    }

    /// A buffer with a table that a kernel looks things up in: small, whatever the image, so lowered
    /// limits of tests do not concern it.
    pub(crate) fn table(&mut self, bytes: &[u8]) -> Result<wgpu::Buffer> {
        self.write(bytes.len() as u64, &[bytes])
    }

    fn write(&mut self, size: u64, parts: &[impl AsRef<[u8]>]) -> Result<wgpu::Buffer> {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        let buffer = self.buffer(size, usage, false);
        self.check()?;
        let start = Instant::now();
        let mut offset = 0;
        for part in parts {
            self.gpu.queue.write_buffer(&buffer, offset, part.as_ref());
            offset += part.as_ref().len() as u64;
        }
        if let Some(stopwatch) = &self.gpu.stopwatch {
            self.gpu.wait(self.gpu.queue.submit([]))?;
            stopwatch.add_upload(start.elapsed(), size);
        }
        Ok(buffer)
    }

    /// A buffer for kernels to write to, and the host or other kernels to read. Nothing may be
    /// expected in it before.
    pub(crate) fn output(&mut self, bytes: u64) -> Result<wgpu::Buffer> {
        self.check_binding(bytes)?;
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let buffer = self.buffer(bytes, usage, cfg!(debug_assertions));
        self.check()?;
        if cfg!(debug_assertions) {
            let mut view = buffer.get_mapped_range_mut(..).map_err(|error| device_error(&error))?;
            view.slice(..).fill(SENTINEL);
            drop(view);
            buffer.unmap();
        }
        Ok(buffer)
    }

    /// A buffer of zeros for kernels to add to, or to paint on.
    pub(crate) fn zeros(&mut self, bytes: u64) -> Result<wgpu::Buffer> {
        self.check_binding(bytes)?;
        self.cleared(bytes)
    }

    fn cleared(&mut self, bytes: u64) -> Result<wgpu::Buffer> {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let buffer = self.buffer(bytes, usage, false);
        self.check()?;
        self.encoder.clear_buffer(&buffer, 0, None);
        Ok(buffer)
    }

    /// A buffer of 32-bit counters at 0: few, whatever the image.
    pub(crate) fn counters(&mut self, number: usize) -> Result<wgpu::Buffer> {
        self.cleared(4 * number as u64)
    }

    /// Records one run of a kernel over `columns × rows` invocations. Binding 0 is `params`.
    pub(crate) fn dispatch(
        &mut self,
        pipeline: &wgpu::ComputePipeline,
        params: &[u32],
        buffers: &[&wgpu::Buffer],
        columns: u32,
        rows: u32,
    ) -> Result<()> {
        self.dispatch_workgroups(pipeline, params, buffers, Workgroups::covering(columns, rows))
    }

    /// Records one run of a kernel over workgroups. Binding 0 is `params`.
    pub(crate) fn dispatch_workgroups(
        &mut self,
        pipeline: &wgpu::ComputePipeline,
        params: &[u32],
        buffers: &[&wgpu::Buffer],
        workgroups: Workgroups,
    ) -> Result<()> {
        let Workgroups { x, y, z } = workgroups;
        let most = self.gpu.caps.workgroups;
        if x.max(y).max(z) > most {
            return Err(EngineError::Device(format!("{x}×{y}×{z} workgroups exceed {most}")));
        }
        let bytes: &[u8] = bytemuck::cast_slice(params);
        let uniform = self.buffer(
            bytes.len() as u64,
            wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            false,
        );
        self.check()?;
        self.gpu.queue.write_buffer(&uniform, 0, bytes);
        let entries: Vec<_> = std::iter::once(&uniform)
            .chain(buffers.iter().copied())
            .zip(0..)
            .map(|(buffer, binding)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let group = self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut pass = self.encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(x, y, z);
        Ok(())
    }

    /// Records a copy of one buffer to another one of its size, which zeros were made for.
    pub(crate) fn copy(&mut self, from: &wgpu::Buffer, to: &wgpu::Buffer) {
        self.encoder.copy_buffer_to_buffer(from, 0, to, 0, from.size());
    }

    /// Submits the work and waits until it is done.
    pub(crate) fn finish(self) -> Result<()> {
        self.read_all(&[], |_| ())
    }

    /// Submits the work, waits, and hands the bytes of `output` to `use_bytes`.
    pub(crate) fn read(self, output: &wgpu::Buffer, use_bytes: impl FnOnce(&[u8])) -> Result<()> {
        self.read_all(&[(output, output.size())], |outputs| use_bytes(outputs[0]))
    }

    /// Submits the work, waits, and hands the first bytes of several outputs to `use_bytes`: of each
    /// as many, a multiple of 4, as stand beside it.
    pub(crate) fn read_all(
        mut self,
        outputs: &[(&wgpu::Buffer, u64)],
        use_bytes: impl FnOnce(&[&[u8]]),
    ) -> Result<()> {
        let gpu = self.gpu;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let stagings: Vec<_> = outputs.iter().map(|(_, bytes)| self.buffer(*bytes, usage, false)).collect();
        let mut readback = Instant::now();
        if let Some(stopwatch) = &gpu.stopwatch {
            let next = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let work = std::mem::replace(&mut self.encoder, next);
            gpu.wait(gpu.queue.submit([work.finish()]))?;
            stopwatch.add_run(readback.elapsed());
            readback = Instant::now();
        }
        for ((output, bytes), staging) in outputs.iter().zip(&stagings) {
            self.encoder.copy_buffer_to_buffer(output, 0, staging, 0, *bytes);
        }
        let submission = gpu.queue.submit([self.encoder.finish()]);
        let (sender, receiver) = mpsc::channel();
        for staging in &stagings {
            let sender = sender.clone();
            staging.map_async(wgpu::MapMode::Read, .., move |result| {
                // The receiver is gone only when waiting failed, which is reported there.
                let _ = sender.send(result);
            });
        }
        let polled = gpu.wait(submission);
        self.scopes.pop()?;
        polled?;
        for _ in &stagings {
            match receiver.try_recv() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(device_error(&error)),
                Err(_) => return Err(EngineError::Device("the result was never delivered".to_owned())),
            }
        }
        gpu.check_not_lost()?;
        let views = stagings
            .iter()
            .map(|staging| staging.get_mapped_range(..).map_err(|error| device_error(&error)))
            .collect::<Result<Vec<_>>>()?;
        let bytes: Vec<&[u8]> = views.iter().map(|view| &**view).collect();
        use_bytes(&bytes);
        if let Some(stopwatch) = &gpu.stopwatch {
            stopwatch.add_readback(readback.elapsed(), outputs.iter().map(|(_, bytes)| bytes).sum());
        }
        Ok(())
    }

    fn buffer(&self, size: u64, usage: wgpu::BufferUsages, mapped_at_creation: bool) -> wgpu::Buffer {
        self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation,
        })
    }

    /// Whoever records has to split the work before: also under the lowered limits of tests.
    fn check_binding(&self, bytes: u64) -> Result<()> {
        let most = self.gpu.caps.binding_bytes;
        if bytes <= most {
            return Ok(());
        }
        Err(EngineError::Device(format!("a buffer of {bytes} bytes exceeds the {most} that can be bound")))
    }

    /// Returns errors so far, and goes on watching.
    fn check(&mut self) -> Result<()> {
        self.scopes.pop()?;
        self.scopes = Scopes::push(&self.gpu.device);
        Ok(())
    }
}

impl Gpu {
    /// Waits until a submission is done.
    fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<()> {
        let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(TIMEOUT) };
        self.device.poll(wait).map(drop).map_err(|error| device_error(&error))
    }
}

/// Error scopes for everything that can go wrong. They form a stack on the device, so they are
/// popped in reverse order of pushing, also when a recording is given up half-way.
struct Scopes(Vec<wgpu::ErrorScopeGuard>);

impl Scopes {
    fn push(device: &wgpu::Device) -> Self {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        Self([OutOfMemory, Internal, Validation].map(|filter| device.push_error_scope(filter)).into())
    }

    /// Ends the scopes and returns the first error that one of them caught.
    fn pop(&mut self) -> Result<()> {
        let mut first_error = None;
        while let Some(scope) = self.0.pop() {
            if let Some(error) = pollster::block_on(scope.pop()) {
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(()), |error| Err(device_error(&error)))
    }
}

impl Drop for Scopes {
    fn drop(&mut self) {
        while let Some(scope) = self.0.pop() {
            drop(scope);
        }
    }
}
