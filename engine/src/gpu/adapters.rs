//! Which GPUs there are, and which one to use.

use crate::error::{EngineError, Result};

/// What kind of device an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdapterKind {
    /// A GPU with its own memory.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU passed to a virtual machine.
    Virtual,
    /// A driver that does not say.
    Other,
    /// A software driver that runs on the processor, such as llvmpipe.
    Software,
}

impl std::fmt::Display for AdapterKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Discrete => "discrete GPU",
            Self::Integrated => "integrated GPU",
            Self::Virtual => "virtual GPU",
            Self::Other => "other device",
            Self::Software => "software driver",
        })
    }
}

/// A GPU, or a software driver that behaves like one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterInfo {
    /// Name of the device.
    pub name: String,
    /// What kind of device it is.
    pub kind: AdapterKind,
    /// Name and version of the driver.
    pub driver: String,
    /// Programming interface: Vulkan, Metal or Dx12.
    pub api: String,
}

impl AdapterInfo {
    /// Whether this is a software driver, which counts as no GPU unless one is asked for.
    pub fn is_software(&self) -> bool {
        self.kind == AdapterKind::Software
    }
}

impl std::fmt::Display for AdapterInfo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({}, {}", self.name, self.kind, self.api)?;
        if !self.driver.is_empty() {
            write!(formatter, ", {}", self.driver)?;
        }
        formatter.write_str(")")
    }
}

/// All adapters of this machine, the preferred one first.
pub fn list_adapters() -> Vec<AdapterInfo> {
    enumerate().into_iter().map(|(_, info)| info).collect()
}

/// The adapter to use: the first hardware GPU, or else, if allowed, a software driver.
pub(super) fn choose(allow_software: bool) -> Result<(wgpu::Adapter, AdapterInfo)> {
    let adapters = enumerate();
    let found = adapters.len();
    adapters.into_iter().find(|(_, info)| allow_software || !info.is_software()).ok_or_else(|| {
        EngineError::NoAdapter(match found {
            0 => "this machine has no GPU driver".to_owned(),
            _ => "only a software driver was found".to_owned(),
        })
    })
}

/// Adapters ordered by kind, then as the drivers list them.
pub(super) fn enumerate() -> Vec<(wgpu::Adapter, AdapterInfo)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let mut adapters: Vec<_> = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()))
        .into_iter()
        .map(|adapter| {
            let info = describe(&adapter.get_info());
            (adapter, info)
        })
        .collect();
    adapters.sort_by_key(|(_, info)| match info.kind {
        AdapterKind::Discrete => 0,
        AdapterKind::Integrated => 1,
        AdapterKind::Virtual => 2,
        AdapterKind::Other => 3,
        AdapterKind::Software => 4,
    });
    adapters
}

fn describe(info: &wgpu::AdapterInfo) -> AdapterInfo {
    AdapterInfo {
        name: info.name.clone(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
            wgpu::DeviceType::Other => AdapterKind::Other,
        },
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        api: format!("{:?}", info.backend),
    }
}
