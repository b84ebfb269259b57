//! `filter`.

use super::spec::{FIGURE, Input, Makes, Module, Output, PLOT, Preset, Rule, Takes};
use crate::jterator::HandleType;

/// Values of the features.
const VALUES: Takes = Takes::Number { min: 0.0, max: 1e12 };

/// Keeps objects of the right size or shape.
pub const FILTER: Module = Module {
    name: "filter",
    older_names: &[],
    version: "0.2.0",
    help: "Removes objects whose size or shape is out of range.",
    inputs: &[
        Input::image("mask", HandleType::MaskImage, "Objects, labelled or not."),
        Input::value(
            "feature",
            HandleType::Character,
            Takes::Choice(&["area", "eccentricity", "circularity", "convexity"]),
            Preset::Required,
            "What is looked at.",
        ),
        Input::value(
            "lower_threshold",
            HandleType::Numeric,
            VALUES,
            Preset::Null,
            "Objects with smaller values are removed.",
        ),
        Input::value(
            "upper_threshold",
            HandleType::Numeric,
            VALUES,
            Preset::Null,
            "Objects with larger values are removed.",
        ),
        PLOT,
        Input::compatible(
            "Whether to label the mask anew first, with touching objects as one, as version 0.5 did.",
        ),
    ],
    outputs: &[
        Output::made(
            "filtered_mask",
            HandleType::MaskImage,
            Makes::Image(HandleType::LabelImage),
            "The objects that are left, numbered from 1.",
        ),
        FIGURE,
    ],
    rules: &[
        Rule::AnyOf(&["lower_threshold", "upper_threshold"]),
        Rule::Ordered("lower_threshold", "upper_threshold"),
    ],
};
