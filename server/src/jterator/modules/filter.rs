//! `filter`.

use std::borrow::Cow;

use tm_engine::analysis::{Connectivity, ObjectFeature, label, select};

use super::spec::{FIGURE, Input, Makes, Module, Output, PLOT, Preset, Rule, Takes};
use crate::jterator::run::{Call, Made, ModuleError, Work};
use crate::jterator::{HandleType, Value};

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
    work: Work::Plane(filter),
};

fn filter(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let parameters = call.parameters();
    let feature = match parameters.text("feature") {
        "eccentricity" => ObjectFeature::Eccentricity,
        "circularity" => ObjectFeature::Circularity,
        "convexity" => ObjectFeature::Convexity,
        _ => ObjectFeature::Area,
    };
    let labels = match call.image("mask")? {
        Value::Labels(labels) => Cow::Borrowed(labels),
        Value::Mask(_) | Value::Grey(_) => Cow::Owned(label(&*call.mask("mask")?, Connectivity::Four)),
    };
    let (lower, upper) = (parameters.number("lower_threshold"), parameters.number("upper_threshold"));
    let kept = select(&labels, feature, lower, upper, parameters.flag("compatible"))?;
    Ok(vec![Made::Image(Value::Labels(kept))])
}
