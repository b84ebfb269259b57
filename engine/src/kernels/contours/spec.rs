//! Registry entry of the contour kernel.

use super::{cpu, gpu};
use crate::error::Result;
use crate::geometry::{MapOffset, Ring};
use crate::image::{Plane, Size};
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance};

/// Pixel-edge outlines.
pub const SPEC: KernelSpec = KernelSpec {
    name: "contours",
    shaders: &[gpu::SIDES_SHADER, gpu::SCAN_SHADER, gpu::EMIT_SHADER],
    splits: true,
    tolerance: Tolerance::Exact,
    sample,
};

/// Objects of 1 to 8 pixels' width, some with holes, many touching; all numbers of all outlines.
fn sample(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let coarse: Vec<u16> = (0..4096).map(|_| noise.next_u16() % 5).collect();
    let labels = Plane::from_fn(size, |row, column| {
        let block = coarse[(row / 8 * 61 + column / 8) % coarse.len()];
        let is_speck = noise.next_u16().is_multiple_of(8);
        i32::from(if is_speck { noise.next_u16() % 5 } else { block })
    });
    let offset = MapOffset { y: 300, x: 70 };
    let outlines = match backend {
        SampleBackend::Cpu => cpu::trace(labels.view(), offset)?,
        SampleBackend::Gpu(gpu) => gpu::trace(gpu, labels.view(), offset)?,
    };
    let mut values = vec![outlines.len() as f64];
    for outline in &outlines {
        values.extend([f64::from(outline.label), outline.parts.len() as f64]);
        for part in &outline.parts {
            values.push(part.holes.len() as f64);
            for vertex in part.rings().flat_map(Ring::vertices) {
                values.extend([f64::from(vertex.x), f64::from(vertex.y)]);
            }
        }
    }
    Ok(values)
}
