//! Tests of the engine: shaders, agreement of backends, naive references, numeric vectors.
#![allow(clippy::print_stdout)]

mod alignment;
mod comparers;
mod devices;
mod illumination;
mod kernels;
mod parity;
mod registration;
mod shaders;
mod vectors;
