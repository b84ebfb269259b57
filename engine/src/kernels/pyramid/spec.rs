//! Registry entry of the levels of a block.

use super::{cpu, gpu};
use crate::error::Result;
use crate::image::{GreyPixel, Plane, Size};
use crate::kernels::alignment::{Residues, Shift};
use crate::kernels::downsample::{self, Filter};
use crate::kernels::illumination::Correction;
use crate::kernels::illumination::spec::sample_correction;
use crate::kernels::spec::{KernelSpec, Noise, SampleBackend, Tolerance, values};
use crate::kernels::tile::{self, Placement};

/// Correct, align, place, halve.
pub const SPEC: KernelSpec = KernelSpec {
    name: "pyramid",
    shaders: &[tile::gpu::SHADER, downsample::levels::MEAN_SHADER, downsample::levels::MAX_SHADER],
    splits: true,
    tolerance: Tolerance::Counts {
        most: 1.0,
        equal_share: 0.99,
        because: "the correction is approximated, and WGSL leaves open whether a·b + c rounds once",
    },
    sample,
};

/// Both depths and filters: three sites side by side, the second one shifted, the third one below.
fn sample(seed: u64, size: Size, backend: SampleBackend<'_>) -> Result<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let correction = sample_correction(&mut noise, size)?;
    let sixteen: Vec<Plane<u16>> = (0..3).map(|_| noise.plane(size)).collect();
    let eight: Vec<Plane<u8>> = (0..3).map(|_| noise.plane(size)).collect();
    let mut result = built(&sixteen, &correction, Filter::Mean, backend)?;
    result.extend(built(&eight, &correction, Filter::Max, backend)?);
    Ok(result)
}

fn built<T: GreyPixel>(
    sites: &[Plane<T>],
    correction: &Correction,
    filter: Filter,
    backend: SampleBackend<'_>,
) -> Result<Vec<f64>> {
    let size = correction.size();
    let (height, width) = (size.height as i64, size.width as i64);
    let shift = Shift::new(-2, 1);
    let residues = Residues::of(&[shift]);
    let places = [((0, 0), Shift::default()), ((0, width - 1), shift), ((height + 1, 3), Shift::default())];
    let placements = sites
        .iter()
        .zip(places)
        .map(|(site, (place, shift))| Placement::aligned(site, shift, residues, place, Some(correction)))
        .collect::<Result<Vec<_>>>()?;
    let canvas = Size::new(2 * size.height + 3, 2 * size.width);
    let levels = match backend {
        SampleBackend::Cpu => cpu::build_levels(canvas, &placements, filter, 4)?,
        SampleBackend::Gpu(gpu) => gpu::build_levels(gpu, canvas, &placements, filter, 4)?,
    };
    Ok(levels.iter().flat_map(values).collect())
}
