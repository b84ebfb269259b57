//! Tests of the engine: shaders, agreement of backends, naive references, numeric vectors.

mod comparers;
mod devices;
mod illumination;
mod kernels;
mod outline_vectors;
mod outlines;
mod parity;
mod shaders;
mod vectors;
