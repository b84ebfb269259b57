//! Image analysis against naive references, planted truth, and other people's libraries.
#![allow(clippy::unwrap_used)]

mod measurements;
mod measurements_in_python;
mod segmentation;
mod segmentation_edges;
mod segmentation_in_python;
mod segmentation_planted;
