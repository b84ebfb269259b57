//! Alignment on the GPU: `shaders/alignment_*.wgsl`.
//!
//! Registration is all or nothing: a plane whose padded transform does not fit one buffer of the
//! device is an error, and the CPU registers it.

mod apply;
mod compatible;
mod fourier;
mod maxima;

pub(crate) use apply::{crop, pad, shift};
pub(crate) use compatible::register_compatible;

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
