//! Alignment on the GPU: `shaders/alignment_*.wgsl`.
//!
//! Registration is all or nothing: a plane whose padded transform does not fit one buffer of the
//! device is an error, and the CPU registers it.

mod apply;
mod compatible;
mod fourier;
mod maxima;
mod robust;
mod whitened;

pub(crate) use apply::{crop, pad, shift};
pub(crate) use compatible::{CompatibleReference, register_compatible};
pub(crate) use robust::{judge_shifts, register_robust};

use crate::shader::Shader;

pub(super) const APPLY_SHADERS: &[Shader] = &[apply::SHADER];
pub(super) const COMPATIBLE_SHADERS: &[Shader] = &[
    compatible::LOAD_SHADER,
    fourier::SHADER,
    fourier::MULTIPLY_SHADER,
    maxima::SCORES_SHADER,
    maxima::HIGHEST_SHADER,
    maxima::COLLECT_SHADER,
];
pub(super) const ROBUST_SHADERS: &[Shader] = &[
    whitened::COLUMNS_SHADER,
    whitened::ROWS_SHADER,
    whitened::WINDOW_SHADER,
    fourier::SHADER,
    whitened::POWER_SHADER,
    fourier::MULTIPLY_SHADER,
    maxima::SCORES_SHADER,
    maxima::HIGHEST_SHADER,
    maxima::COLLECT_SHADER,
    robust::OVERLAP_SHADER,
    robust::TURN_SHADER,
];
