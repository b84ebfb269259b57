//! Imaging kernels of tmserver: pixels to pixels, labels to outlines and measurements.
//!
//! The engine knows nothing of HTTP, databases or files. Every kernel has one definition (the
//! documentation of its module under [`kernels`]) and implementations that agree: portable CPU
//! code and WGSL compute shaders. [`Engine`] chooses between them. Image analysis ([`analysis`]) runs on the CPU.

pub mod analysis;
mod engine;
pub mod error;
pub mod geometry;
pub mod gpu;
pub mod image;
pub mod kernels;
mod parallel;
pub mod probe;
pub mod shader;
mod simd;

pub use engine::{Backend, BackendChoice, Engine, EngineInfo, KernelBackend};
pub use error::{EngineError, Result};
pub use gpu::{AdapterInfo, AdapterKind};
