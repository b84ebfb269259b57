//! `threshold_manual`, `threshold_otsu`, `threshold_adaptive`.

use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Rule, Takes};
use crate::jterator::HandleType;

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
            Takes::Odd { min: 3, max: 9999 },
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
};
