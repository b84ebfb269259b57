//! `threshold_manual`, `threshold_otsu`, `threshold_adaptive`.

use tm_engine::analysis::{AdaptiveMethod, AdaptiveThreshold, Mask, ThresholdBounds, above, above_otsu};

use super::Parameters;
use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Rule, Takes};
use crate::jterator::run::{Call, Made, ModuleError, Work};
use crate::jterator::{HandleType, Value};

/// Grey values of images.
const GREY: Takes = Takes::Number { min: 0.0, max: 65_535.0 };
/// What all thresholds make.
const MASK: Output =
    Output::image("mask", HandleType::BinaryImage, "Pixels that are brighter than the threshold.");
/// Bounds of thresholds that are found.
const MIN_THRESHOLD: Input = Input::value(
    "min_threshold",
    HandleType::Scalar,
    GREY,
    Preset::Null,
    "Smallest threshold; without a value the darkest pixel's.",
);
const MAX_THRESHOLD: Input = Input::value(
    "max_threshold",
    HandleType::Scalar,
    GREY,
    Preset::Null,
    "Largest threshold; without a value the brightest pixel's.",
);

/// One threshold for all images.
pub const THRESHOLD_MANUAL: Module = Module {
    name: "threshold_manual",
    older_names: &[],
    version: "0.0.1",
    help: "Tells foreground from background by a given threshold.",
    inputs: &[
        Input::image("image", HandleType::Image, "Image to threshold."),
        Input::value(
            "threshold",
            HandleType::Scalar,
            GREY,
            Preset::Required,
            "Pixels above it are foreground.",
        ),
        PLOT,
    ],
    outputs: &[MASK, FIGURE],
    rules: &[],
    work: Work::Plane(threshold_manual),
};

/// A threshold per image, from its histogram.
pub const THRESHOLD_OTSU: Module = Module {
    name: "threshold_otsu",
    older_names: &[],
    version: "0.0.2",
    help: "Tells foreground from background by the threshold that Otsu's method finds in the image.",
    inputs: &[
        Input::image("image", HandleType::IntensityImage, "Image to threshold."),
        Input::value(
            "correction_factor",
            HandleType::Scalar,
            Takes::Number { min: 0.0, max: 1000.0 },
            Preset::Number(1.0),
            "What the threshold is multiplied by.",
        ),
        MIN_THRESHOLD,
        MAX_THRESHOLD,
        PLOT,
    ],
    outputs: &[MASK, FIGURE],
    rules: &[Rule::Ordered("min_threshold", "max_threshold")],
    work: Work::Plane(threshold_otsu),
};

/// A threshold per pixel, from its surroundings.
pub const THRESHOLD_ADAPTIVE: Module = Module {
    name: "threshold_adaptive",
    older_names: &[],
    version: "0.2.0",
    help: "Tells foreground from background by a threshold for every pixel, found in a window around it.",
    inputs: &[
        Input::image("image", HandleType::IntensityImage, "Image to threshold."),
        Input::value(
            "method",
            HandleType::Character,
            Takes::Choice(&["crosscorr", "niblack"]),
            Preset::Text("niblack"),
            "Compare with a Gaussian mean of the window (crosscorr), or with its mean and deviation (niblack).",
        ),
        Input::value(
            "kernel_size",
            HandleType::Scalar,
            Takes::Odd { min: 3, max: 4095 },
            Preset::Whole(111),
            "Side of the window in pixels, odd; larger than the objects.",
        ),
        Input::value(
            "constant",
            HandleType::Scalar,
            Takes::Number { min: -65_535.0, max: 65_535.0 },
            Preset::Number(0.0),
            "crosscorr: what is taken from the mean; niblack: deviations that are added to it.",
        ),
        Input { help: "Pixels below it are background in any case.", ..MIN_THRESHOLD },
        Input { help: "Pixels above it are foreground in any case.", ..MAX_THRESHOLD },
        PLOT,
    ],
    outputs: &[MASK, FIGURE],
    rules: &[Rule::Ordered("min_threshold", "max_threshold")],
    work: Work::Plane(threshold_adaptive),
};

fn threshold_manual(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let threshold = call.parameters().number("threshold").unwrap_or_default();
    let mask = match call.image("image")? {
        Value::Grey(image) => above(image, threshold),
        Value::Mask(mask) => {
            Mask::from_fn(mask.size(), |y, x| f64::from(u8::from(mask.get(y, x))) > threshold)
        }
        Value::Labels(labels) => Mask::from_fn(labels.size(), |y, x| f64::from(labels.get(y, x)) > threshold),
    };
    Ok(vec![Made::Image(Value::Mask(mask))])
}

fn threshold_otsu(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let factor = call.parameters().number("correction_factor").unwrap_or(1.0);
    let (mask, _) = above_otsu(call.grey("image")?, factor, bounds(call.parameters()))?;
    Ok(vec![Made::Image(Value::Mask(mask))])
}

fn threshold_adaptive(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let parameters = call.parameters();
    let method = match parameters.text("method") {
        "crosscorr" => AdaptiveMethod::CrossCorrelation,
        _ => AdaptiveMethod::Niblack,
    };
    let constant = parameters.number("constant").unwrap_or_default();
    let threshold =
        AdaptiveThreshold::new(method, parameters.size("kernel_size"), constant, bounds(parameters))?;
    Ok(vec![Made::Image(Value::Mask(threshold.apply(call.grey("image")?)?))])
}

fn bounds(parameters: &Parameters) -> ThresholdBounds {
    ThresholdBounds { min: parameters.number("min_threshold"), max: parameters.number("max_threshold") }
}
