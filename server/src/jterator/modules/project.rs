//! `project`.

use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Takes};
use crate::jterator::HandleType;

/// Makes one plane of a stack.
pub const PROJECT: Module = Module {
    name: "project",
    older_names: &[],
    version: "0.1.0",
    help: "Makes one plane of the focal planes of a time point.",
    inputs: &[
        Input::image("image", HandleType::IntensityImage, "Stack of focal planes."),
        Input::value(
            "method",
            HandleType::Character,
            Takes::Choice(&["max", "sum"]),
            Preset::Text("max"),
            "Brightest value of each pixel, or their sum, bounded by the depth.",
        ),
        PLOT,
    ],
    outputs: &[Output::image("projected_image", HandleType::IntensityImage, "The plane."), FIGURE],
    rules: &[],
};
