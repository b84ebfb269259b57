//! Maps: where sites lie, what tiles look like, how they are served.

// Tests may stop at what should never happen.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod http;
mod label_images;
mod layout;
mod naive;
mod objects;
mod open_data;
mod pixels;
mod static_objects;
mod vectors;
