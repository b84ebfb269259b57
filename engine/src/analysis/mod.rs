//! Image analysis: from pixels to objects, from objects to numbers.
//!
//! Algorithms that run on the CPU, one plane at a time, each in one file that defines it: filters, thresholds,
//! labelling, morphology, watershed, what is built of these, and measurements. Three kinds of planes go in and out:
//! *grey* planes of 8 or 16 bits, [`Mask`]s, and *label images* (`Plane<i32>`): 0 is background, a positive number
//! the label of an object. Labels need not be consecutive.
//!
//! Measurements go through the [`Regions`] of a label image and come as a table, [`Measurements`].

mod distance;
mod hull;
mod mask;
mod moments;
mod perimeter;
mod regions;
pub mod shape;
mod table;

pub use distance::{
    FAR, NearestForeground, Position, distances, squared_distances, squared_object_distances,
};
pub use mask::Mask;
pub use regions::{Region, Regions, Run};
pub use shape::{Shape, shapes};
pub use table::{Column, Measurements};
