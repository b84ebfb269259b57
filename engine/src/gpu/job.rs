//! One piece of work on the device: upload, dispatches, one submission, readback.
//!
//! Errors of the device arrive late; a job catches them in error scopes and returns them, so that
//! a failed dispatch is never mistaken for a black image.

use std::sync::mpsc;
use std::time::Duration;

use super::{Gpu, WORKGROUP, device_error};
use crate::error::{EngineError, Result};

/// A submission that takes longer is taken for a lost device.
const TIMEOUT: Duration = Duration::from_secs(120);
/// What outputs hold before a kernel ran, in debug builds: a forgotten write must not look black.
const SENTINEL: u8 = 0xa5;

/// Work for the device that is recorded, submitted once, and read back.
pub(crate) struct Job<'a> {
    gpu: &'a Gpu,
    encoder: wgpu::CommandEncoder,
    scopes: Scopes,
}

impl<'a> Job<'a> {
    pub(crate) fn new(gpu: &'a Gpu) -> Result<Self> {
        gpu.check_not_lost()?;
        let scopes = Scopes::push(&gpu.device);
        let encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        Ok(Self { gpu, encoder, scopes })
    }

    /// A buffer with these bytes, a multiple of 4 of them.
    pub(crate) fn upload(&mut self, bytes: &[u8]) -> Result<wgpu::Buffer> {
        self.upload_all(&[bytes])
    }

    /// A buffer with these bytes one after the other, each a multiple of 4 of them.
    pub(crate) fn upload_all(&mut self, parts: &[impl AsRef<[u8]>]) -> Result<wgpu::Buffer> {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        let size = parts.iter().map(|part| part.as_ref().len() as u64).sum();
        let buffer = self.buffer(size, usage, false);
        self.check()?;
        let mut offset = 0;
        for part in parts {
            self.gpu.queue.write_buffer(&buffer, offset, part.as_ref());
            offset += part.as_ref().len() as u64;
        }
        Ok(buffer)
    }

    /// A buffer for a kernel to write to and the host to read.
    pub(crate) fn output(&mut self, bytes: u64) -> Result<wgpu::Buffer> {
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

    /// Records one run of a kernel over `columns × rows` invocations. Binding 0 is `params`.
    pub(crate) fn dispatch(
        &mut self,
        pipeline: &wgpu::ComputePipeline,
        params: &[u32],
        buffers: &[&wgpu::Buffer],
        columns: u32,
        rows: u32,
    ) -> Result<()> {
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
        pass.dispatch_workgroups(columns.div_ceil(WORKGROUP[0]), rows.div_ceil(WORKGROUP[1]), 1);
        Ok(())
    }

    /// Submits the work, waits, and hands the bytes of `output` to `use_bytes`.
    pub(crate) fn read(mut self, output: &wgpu::Buffer, use_bytes: impl FnOnce(&[u8])) -> Result<()> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.buffer(output.size(), usage, false);
        self.encoder.copy_buffer_to_buffer(output, 0, &staging, 0, output.size());
        let gpu = self.gpu;
        let submission = gpu.queue.submit([self.encoder.finish()]);
        let (sender, receiver) = mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver is gone only when waiting failed, which is reported there.
            let _ = sender.send(result);
        });
        let polled = gpu
            .device
            .poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(TIMEOUT) });
        self.scopes.pop()?;
        polled.map_err(|error| device_error(&error))?;
        match receiver.try_recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(device_error(&error)),
            Err(_) => return Err(EngineError::Device("the result was never delivered".to_owned())),
        }
        gpu.check_not_lost()?;
        let view = staging.get_mapped_range(..).map_err(|error| device_error(&error))?;
        use_bytes(&view);
        drop(view);
        staging.unmap();
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

    /// Returns errors so far, and goes on watching.
    fn check(&mut self) -> Result<()> {
        self.scopes.pop()?;
        self.scopes = Scopes::push(&self.gpu.device);
        Ok(())
    }
}

/// Error scopes for everything that can go wrong. They form a stack on the device, so they are
/// popped in reverse order of pushing, also when a job is given up half-way.
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
