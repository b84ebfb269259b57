//! `segment_secondary`.

use tm_engine::analysis::{self, SecondaryRules};

use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Rule, Takes};
use crate::jterator::run::{Call, Made, ModuleError, Work};
use crate::jterator::{HandleType, Value};

/// Grey values of images.
const GREY: Takes = Takes::Number { min: 0.0, max: 65_535.0 };

/// Grows objects around others.
pub const SEGMENT_SECONDARY: Module = Module {
    name: "segment_secondary",
    older_names: &[],
    version: "0.0.3",
    help: "Finds the objects around given ones in another image: cells around their nuclei.",
    inputs: &[
        Input::image("primary_label_image", HandleType::LabelImage, "Objects that lie inside those to find."),
        Input::image("intensity_image", HandleType::IntensityImage, "Image of the objects to find."),
        Input::value(
            "contrast_threshold",
            HandleType::Numeric,
            GREY,
            Preset::Number(5.0),
            "Contrast around a pixel from which its surroundings decide whether it is foreground.",
        ),
        Input::value(
            "min_threshold",
            HandleType::Numeric,
            GREY,
            Preset::Number(125.0),
            "Pixels below it are background in any case.",
        ),
        Input::value(
            "max_threshold",
            HandleType::Numeric,
            GREY,
            Preset::Number(140.0),
            "Pixels above it are foreground in any case.",
        ),
        PLOT,
        Input::compatible(
            "Whether to find the background as version 0.5 did, and take a rim off every object.",
        ),
    ],
    outputs: &[
        Output::image(
            "secondary_label_image",
            HandleType::LabelImage,
            "The objects found, each with the label of the one inside it.",
        ),
        FIGURE,
    ],
    rules: &[Rule::Ordered("min_threshold", "max_threshold")],
    work: Work::Plane(segment_secondary),
};

fn segment_secondary(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let parameters = call.parameters();
    let defaults = SecondaryRules::default();
    let rules = SecondaryRules {
        contrast_threshold: parameters.number("contrast_threshold").unwrap_or(defaults.contrast_threshold),
        min_threshold: parameters.number("min_threshold").unwrap_or(defaults.min_threshold),
        max_threshold: parameters.number("max_threshold").unwrap_or(defaults.max_threshold),
        compatible: parameters.flag("compatible"),
    };
    let (primary, image) = (call.labels("primary_label_image")?, call.grey("intensity_image")?);
    Ok(vec![Made::Image(Value::Labels(analysis::segment_secondary(primary, image, &rules)?))])
}
