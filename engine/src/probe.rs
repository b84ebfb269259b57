//! Start-up check: each GPU kernel against its CPU twin, on the device that will be used.

use crate::error::EngineError;
use crate::gpu::Gpu;
use crate::image::Size;
use crate::kernels::{KernelSpec, SampleBackend};

/// Odd in both directions and wider than a workgroup: the shape on which kernels go wrong.
const SIZE: Size = Size::new(7, 301);
const SEED: u64 = 7;

/// Runs a kernel on the device and compares.
///
/// # Errors
/// What is wrong with the kernel there; any error of the device.
pub fn probe(kernel: &KernelSpec, gpu: &Gpu) -> Result<(), EngineError> {
    let expected = (kernel.sample)(SEED, SIZE, SampleBackend::Cpu)?;
    let actual = (kernel.sample)(SEED, SIZE, SampleBackend::Gpu(gpu))?;
    kernel.tolerance.compare(&expected, &actual).map_err(|difference| {
        EngineError::Device(format!("{} is wrong on this device: {difference}", kernel.name))
    })
}
