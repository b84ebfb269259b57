//! `combine_channels`, `invert`, `rescale`.

use tm_engine::analysis::{self, Mask};

use super::spec::{FIGURE, Input, Makes, Module, Output, PLOT, Preset, Rule, Takes};
use crate::jterator::run::{Call, Made, ModuleError, Work};
use crate::jterator::{HandleType, Value};

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
    work: Work::Plane(combine_channels),
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
    work: Work::Plane(invert),
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
    work: Work::Plane(rescale),
};

fn combine_channels(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let parameters = call.parameters();
    let weights =
        ["weight_1", "weight_2"].map(|name| u32::try_from(parameters.size(name)).unwrap_or(u32::MAX));
    let (first, second) = (call.grey("image_1")?, call.grey("image_2")?);
    let combined = analysis::combine_channels(first, second, weights, parameters.flag("compatible"))?;
    Ok(vec![Made::Image(Value::Grey(combined))])
}

fn invert(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let inverted = match call.image("image")? {
        Value::Grey(image) => Value::Grey(analysis::invert(image)),
        Value::Mask(mask) => Value::Mask(mask.inverted()),
        Value::Labels(labels) => Value::Mask(Mask::of_labels(labels).inverted()),
    };
    Ok(vec![Made::Image(inverted)])
}

fn rescale(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let parameters = call.parameters();
    let (min, max) = (parameters.number("min_value"), parameters.number("max_value"));
    let image = call.grey("intensity_image")?;
    let rescaled = analysis::rescale_intensity(image, min, max, parameters.flag("compatible"))?;
    Ok(vec![Made::Image(Value::Grey(rescaled))])
}
