//! Tests of the engine: shaders, agreement of backends, naive references, numeric vectors.
#![allow(clippy::print_stdout)]

mod alignment;
mod analysis;
mod centre_outlines;
mod chains;
mod comparers;
mod devices;
mod downsampling;
mod flatfield;
mod illumination;
mod kernels;
mod mutants;
mod outlines;
mod outlines_on_gpu;
mod parity;
mod properties;
mod rasterising;
mod registration;
mod shaders;
mod simplification;
mod validity;
mod vectors;
