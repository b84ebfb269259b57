//! Alignment on the GPU.

mod apply;

pub(super) use apply::SHADER as APPLY_SHADER;
pub(crate) use apply::{crop, pad, shift};
