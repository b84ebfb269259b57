//! The imaging kernels: one module each, whose documentation is the definition.
//!
//! To add one: write its definition in `mod.rs`, a naive reference and properties in
//! `tests/engine`, `cpu.rs`, the shader of its name, `gpu.rs`, its entry in [`ALL`], and faults of
//! the shader in `tests/engine/mutants`. Shader validation, parity on every backend and the start-up
//! probe then include it.

pub mod alignment;
pub mod contours;
pub mod downsample;
pub mod flatfield;
pub mod histogram;
pub mod illumination;
pub mod projection;
pub mod pyramid;
pub mod rescale;
pub(crate) mod rows;
mod shading;
pub mod spec;
pub mod tile;

pub use spec::{KernelSpec, Noise, SampleBackend, Tolerance};

/// Every kernel.
pub const ALL: &[KernelSpec] = &[
    illumination::SUMS,
    illumination::APPLY,
    flatfield::SPEC,
    alignment::APPLY,
    alignment::COMPATIBLE,
    alignment::ROBUST,
    projection::SPEC,
    downsample::SPEC,
    downsample::MAX,
    downsample::MODE,
    downsample::LEVELS,
    histogram::SPEC,
    rescale::SPEC,
    tile::SPEC,
    pyramid::SPEC,
    contours::SPEC,
];
