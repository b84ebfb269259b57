//! `separate_clumps`.

use tm_engine::analysis::{self, ClumpRules};

use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Rule, Takes};
use crate::jterator::run::{Call, Made, ModuleError, Work};
use crate::jterator::{HandleType, Value};

/// Numbers of pixels.
const AREAS: Takes = Takes::Number { min: 0.0, max: 1e9 };
/// Measures of shape, which are about 1 for a disc.
const SHAPES: Takes = Takes::Number { min: 0.0, max: 10.0 };

/// Cuts clumps apart.
pub const SEPARATE_CLUMPS: Module = Module {
    name: "separate_clumps",
    older_names: &[],
    version: "0.3.0",
    help: "Finds clumps of objects by size and shape, and cuts them where they are narrow.",
    inputs: &[
        Input::image("mask", HandleType::MaskImage, "Objects, some of them in clumps."),
        Input::image(
            "intensity_image",
            HandleType::IntensityImage,
            "Image of the objects, for figures only.",
        ),
        Input::value(
            "min_cut_area",
            HandleType::Numeric,
            AREAS,
            Preset::Number(2000.0),
            "Both sides of a cut must have more pixels.",
        ),
        Input::value(
            "max_convexity",
            HandleType::Numeric,
            SHAPES,
            Preset::Number(0.92),
            "Clumps are not more convex than this.",
        ),
        Input::value(
            "max_circularity",
            HandleType::Numeric,
            SHAPES,
            Preset::Number(0.70),
            "Clumps are not rounder than this.",
        ),
        Input::value(
            "min_area",
            HandleType::Numeric,
            AREAS,
            Preset::Number(5000.0),
            "Clumps have more pixels.",
        ),
        Input::value(
            "max_area",
            HandleType::Numeric,
            AREAS,
            Preset::Number(50_000.0),
            "Clumps have no more pixels.",
        ),
        Input::flag(
            "selection_test_mode",
            false,
            "Whether figures show what clumps are told by; for test runs.",
        ),
        Input::flag(
            "selection_test_show_remaining",
            false,
            "Whether these figures show what is left; for test runs.",
        ),
        Input::flag("trimming", true, "Whether crumbs of less than 10 pixels at a cut are removed with it."),
        PLOT,
        Input::compatible("Whether to judge a cut by the pixels around the clump, too, as version 0.5 did."),
    ],
    outputs: &[
        Output {
            older_names: &["separated_mask"],
            ..Output::image("separated_label_image", HandleType::LabelImage, "The objects, cut apart.")
        },
        FIGURE,
    ],
    rules: &[Rule::Ordered("min_area", "max_area")],
    work: Work::Plane(separate_clumps),
};

fn separate_clumps(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let parameters = call.parameters();
    let defaults = ClumpRules::default();
    let rules = ClumpRules {
        min_cut_area: parameters.number("min_cut_area").unwrap_or(defaults.min_cut_area),
        max_convexity: parameters.number("max_convexity").unwrap_or(defaults.max_convexity),
        max_circularity: parameters.number("max_circularity").unwrap_or(defaults.max_circularity),
        min_area: parameters.number("min_area").unwrap_or(defaults.min_area),
        max_area: parameters.number("max_area").unwrap_or(defaults.max_area),
        trimming: parameters.flag("trimming"),
        compatible: parameters.flag("compatible"),
    };
    Ok(vec![Made::Image(Value::Labels(analysis::separate_clumps(&*call.mask("mask")?, &rules)?))])
}
