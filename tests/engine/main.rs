//! Tests of the engine: shaders, agreement of backends, naive references, numeric vectors.

mod comparers;
mod devices;
mod downsampling;
mod flatfield;
mod illumination;
mod kernels;
mod parity;
mod shaders;
mod vectors;
