//! `combine_channels`, `invert`, `rescale`.

use super::spec::{FIGURE, Input, Makes, Module, Output, PLOT, Preset, Rule, Takes};
use crate::jterator::HandleType;

/// Grey values of images.
const GREY: Takes = Takes::Number { min: 0.0, max: 65_535.0 };
/// Weights of images.
const WEIGHTS: Takes = Takes::Whole { min: 1, max: 65_535 };

/// Makes one image of two.
pub const COMBINE_CHANNELS: Module = Module {
    name: "combine_channels",
    older_names: &[],
    version: "0.0.2",
    help: "Makes the weighted mean of two images.",
    inputs: &[
        Input::image("image_1", HandleType::IntensityImage, "One image."),
        Input::image("image_2", HandleType::IntensityImage, "The other, of the same depth."),
        Input::value("weight_1", HandleType::Numeric, WEIGHTS, Preset::Required, "Weight of `image_1`."),
        Input::value("weight_2", HandleType::Numeric, WEIGHTS, Preset::Required, "Weight of `image_2`."),
        PLOT,
        Input::compatible(
            "Whether to stretch both images and their sum to their own range, as version 0.5 did; sites can then \
             not be compared.",
        ),
    ],
    outputs: &[Output::image("combined_image", HandleType::IntensityImage, "The mean."), FIGURE],
    rules: &[],
};

/// Turns dark into bright.
pub const INVERT: Module = Module {
    name: "invert",
    older_names: &[],
    version: "0.0.1",
    help: "Exchanges dark and bright, foreground and background.",
    inputs: &[Input::image("image", HandleType::Image, "Image of any kind."), PLOT],
    outputs: &[
        Output::made(
            "inverted_image",
            HandleType::Image,
            Makes::Inverse("image"),
            "The image, inverted; of labels a mask of the background.",
        ),
        FIGURE,
    ],
    rules: &[],
};

/// Stretches grey values.
pub const RESCALE: Module = Module {
    name: "rescale",
    older_names: &[],
    version: "0.1.0",
    help: "Stretches the grey values of an image to the whole range of its depth.",
    inputs: &[
        Input::image("intensity_image", HandleType::IntensityImage, "Image to stretch."),
        Input::value("min_value", HandleType::Numeric, GREY, Preset::Null, "Value that becomes black."),
        Input::value("max_value", HandleType::Numeric, GREY, Preset::Null, "Value that becomes white."),
        PLOT,
        Input::compatible("Whether to stretch as if `min_value` were 0, as version 0.5 did."),
    ],
    outputs: &[Output::image("rescaled_image", HandleType::IntensityImage, "The image, stretched."), FIGURE],
    rules: &[Rule::Ordered("min_value", "max_value")],
};
