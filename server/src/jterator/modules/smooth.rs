//! `smooth`.

use tm_engine::analysis::{Smoothing, SmoothingMethod};

use super::Parameters;
use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Rule, Takes};
use crate::jterator::run::{Call, Made, ModuleError, Work};
use crate::jterator::{HandleType, Value};

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
            Takes::Whole { min: 1, max: 4095 },
            Preset::Required,
            "Side of the window in pixels, odd; of `gaussian` the width of the bell at half its height, of \
             `bilateral` the standard deviation in space and in grey values.",
        ),
        PLOT,
        Input::compatible(
            "Whether `filter_size` is the standard deviation of `gaussian`, and may be even, as in version 0.5.",
        ),
    ],
    outputs: &[
        Output::image(
            "smoothed_image",
            HandleType::IntensityImage,
            "Smoothed image, of the depth of `image`.",
        ),
        FIGURE,
    ],
    rules: &[Rule::Accepted(|parameters| smoothing(parameters).map(|_| ()))],
    work: Work::Plane(smooth),
};

fn smoothing(parameters: &Parameters) -> tm_engine::error::Result<Smoothing> {
    let method = match parameters.text("filter_name") {
        "average" => SmoothingMethod::Average,
        "gaussian" => SmoothingMethod::Gaussian,
        "median" => SmoothingMethod::Median,
        _ => SmoothingMethod::Bilateral,
    };
    Smoothing::new(method, parameters.size("filter_size"), parameters.flag("compatible"))
}

fn smooth(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let smoothed = smoothing(call.parameters())?.apply(call.grey("image")?);
    Ok(vec![Made::Image(Value::Grey(smoothed))])
}
