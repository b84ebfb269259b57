//! The GPU: one device with its queue, its pipelines, and recordings that run on it.
//!
//! This folder and `kernels/*/gpu.rs` (or `gpu/`) are the only places that know `wgpu`. Everything that can
//! go wrong on a device comes back as [`EngineError::Device`]; the caller then uses the CPU.

mod adapters;
pub(crate) mod layout;
mod recording;
mod stopwatch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use adapters::{AdapterInfo, AdapterKind, list_adapters};
pub(crate) use recording::{Recording, Workgroups};
pub use stopwatch::Phases;

use crate::error::{EngineError, Result};
use crate::shader::{self, Shader};

/// Largest storage buffer that portable devices bind.
const BINDING_BYTES: u64 = 128 << 20;
/// Workgroup size of image kernels: columns (in words) × rows.
pub(crate) const WORKGROUP: [u32; 2] = [64, 4];

/// How large one dispatch may be; larger images are split into bands of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of one storage buffer.
    pub binding_bytes: u64,
    /// Workgroups in one dimension.
    pub workgroups: u32,
}

/// Name of a shader and the constants it is compiled with.
type PipelineKey = (&'static str, Vec<(&'static str, u32)>);

/// A device that runs kernels.
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    adapter: AdapterInfo,
    caps: Caps,
    pipelines: Mutex<HashMap<PipelineKey, wgpu::ComputePipeline>>,
    replaced: HashMap<&'static str, String>,
    stopwatch: Option<stopwatch::Stopwatch>,
    lost: Arc<Mutex<Option<String>>>,
}

impl Gpu {
    /// Opens a GPU: hardware if there is some, otherwise, if allowed, a software driver.
    ///
    /// # Errors
    /// [`EngineError::NoAdapter`] when there is none; [`EngineError::Device`] when it cannot be
    /// opened.
    pub fn open(allow_software: bool) -> Result<Self> {
        let (adapter, info) = adapters::choose(allow_software)?;
        Self::from_adapter(&adapter, info)
    }

    /// Opens every adapter of this machine, software drivers included: for tests.
    ///
    /// # Errors
    /// [`EngineError::Device`] when one of them cannot be opened.
    pub fn open_all() -> Result<Vec<Self>> {
        adapters::enumerate().into_iter().map(|(adapter, info)| Self::from_adapter(&adapter, info)).collect()
    }

    fn from_adapter(adapter: &wgpu::Adapter, info: AdapterInfo) -> Result<Self> {
        let descriptor = wgpu::DeviceDescriptor { label: Some("tm-engine"), ..Default::default() };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|error| device_error(&error))?;
        // By default wgpu panics for errors outside any error scope.
        device.on_uncaptured_error(Arc::new(|error| tracing::warn!(%error, "GPU error outside a job")));
        let lost = Arc::new(Mutex::new(None));
        let note = Arc::clone(&lost);
        device.set_device_lost_callback(move |reason, message| {
            *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("{reason:?}: {message}"));
        });
        let limits = device.limits();
        let caps = Caps {
            binding_bytes: limits
                .max_storage_buffer_binding_size
                .min(limits.max_buffer_size)
                .min(BINDING_BYTES),
            workgroups: limits.max_compute_workgroups_per_dimension,
        };
        Ok(Self {
            device,
            queue,
            adapter: info,
            caps,
            pipelines: Mutex::default(),
            replaced: HashMap::new(),
            stopwatch: None,
            lost,
        })
    }

    /// The same device with lower limits, to test splitting on small images.
    pub fn with_caps(mut self, caps: Caps) -> Self {
        self.caps = Caps {
            binding_bytes: caps.binding_bytes.min(self.caps.binding_bytes),
            workgroups: caps.workgroups.min(self.caps.workgroups),
        };
        self
    }

    /// The same device with another source of a shader: for tests that show what a wrong shader does.
    pub fn with_shader(mut self, name: &'static str, source: String) -> Self {
        self.replaced.insert(name, source);
        self.pipelines.get_mut().unwrap_or_else(PoisonError::into_inner).retain(|key, _| key.0 != name);
        self
    }

    /// The same device, which measures where time goes and waits between the phases of work.
    pub fn with_stopwatch(mut self) -> Self {
        self.stopwatch = Some(stopwatch::Stopwatch::default());
        self
    }

    /// What the stopwatch measured since it was last asked; nothing without one.
    pub fn take_phases(&self) -> Option<Phases> {
        self.stopwatch.as_ref().map(stopwatch::Stopwatch::take)
    }

    /// The adapter that the device belongs to.
    pub fn adapter(&self) -> &AdapterInfo {
        &self.adapter
    }

    /// How large one dispatch may be.
    pub fn caps(&self) -> Caps {
        self.caps
    }

    /// Gives the device up; every later use is an error. For tests of device loss.
    pub fn destroy(&self) {
        self.device.destroy();
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some("destroyed".to_owned());
    }

    /// The compiled shader, with values for its constants such as `BITS`.
    pub(crate) fn pipeline(
        &self,
        shader: &Shader,
        constants: &[(&'static str, u32)],
    ) -> Result<wgpu::ComputePipeline> {
        let name = shader.name;
        let key = (name, constants.to_vec());
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = pipelines.get(&key) {
            return Ok(pipeline.clone());
        }
        let source = self.replaced.get(name).map_or(shader.source, String::as_str);
        let constants: Vec<_> =
            constants.iter().map(|(constant, value)| (*constant, f64::from(*value))).collect();
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(shader::stitch(source)?.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                ..Default::default()
            },
            cache: None,
        });
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(device_error(&error));
        }
        pipelines.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    fn check_not_lost(&self) -> Result<()> {
        match &*self.lost.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(reason) => Err(EngineError::Device(format!("device lost ({reason})"))),
            None => Ok(()),
        }
    }
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gpu").field("adapter", &self.adapter).field("caps", &self.caps).finish()
    }
}

/// An error of wgpu as one of ours, with its causes.
fn device_error(error: &dyn std::error::Error) -> EngineError {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    EngineError::Device(message)
}
