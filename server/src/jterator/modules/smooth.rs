//! `smooth`.

use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Rule, Takes};
use crate::jterator::HandleType;

/// Evens out noise.
pub const SMOOTH: Module = Module {
    name: "smooth",
    older_names: &[],
    version: "0.1.0",
    help: "Smooths an image: with a mean, a Gaussian, a median, or a bilateral filter that keeps edges.",
    inputs: &[
        Input::image("image", HandleType::IntensityImage, "Image to smooth."),
        Input::value(
            "filter_name",
            HandleType::Scalar,
            Takes::Choice(&["average", "gaussian", "median", "bilateral"]),
            Preset::Required,
            "Kind of filter.",
        ),
        Input::value(
            "filter_size",
            HandleType::Scalar,
            Takes::Number { min: 0.1, max: 1000.0 },
            Preset::Required,
            "Side of the window in pixels; of `gaussian` the standard deviation, of `bilateral` that in space and \
             in grey values.",
        ),
        PLOT,
    ],
    outputs: &[
        Output::image(
            "smoothed_image",
            HandleType::IntensityImage,
            "Smoothed image, of the depth of `image`.",
        ),
        FIGURE,
    ],
    rules: &[Rule::WholeUnless { number: "filter_size", choice: "filter_name", is: "gaussian" }],
};
