//! `detect_blobs`.

use tm_engine::analysis::{self, BlobRules, Blobs};

use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Rule, Takes};
use crate::jterator::run::{Call, Made, ModuleError, Work};
use crate::jterator::{HandleType, Value};

/// Finds small bright spots.
pub const DETECT_BLOBS: Module = Module {
    name: "detect_blobs",
    older_names: &[],
    version: "0.6.0",
    help: "Finds small bright spots, such as single molecules, by a Laplacian of a Gaussian.",
    inputs: &[
        Input::image("image", HandleType::IntensityImage, "Image with spots."),
        Input::image("mask", HandleType::MaskImage, "Where to look for them."),
        Input::value(
            "threshold",
            HandleType::Scalar,
            Takes::Number { min: 0.0, max: 1e9 },
            Preset::Number(1.0),
            "Response of the filter above which a pixel belongs to a spot, in grey values.",
        ),
        Input::value(
            "min_area",
            HandleType::Scalar,
            Takes::Whole { min: 1, max: 1_000_000 },
            Preset::Whole(5),
            "Fewest pixels of a spot.",
        ),
        Input::value(
            "mean_area",
            HandleType::Scalar,
            Takes::Whole { min: 2, max: 201 },
            Preset::Whole(5),
            "Side of the filter in pixels: about the width of a spot.",
        ),
        Input::value(
            "max_area",
            HandleType::Scalar,
            Takes::Whole { min: 1, max: 1_000_000_000 },
            Preset::Whole(100),
            "Bright patches of this many pixels or more are no spots.",
        ),
        PLOT,
    ],
    outputs: &[
        Output::image("centroids", HandleType::LabelImage, "A pixel per spot, with its label."),
        Output::image("blobs", HandleType::LabelImage, "The spots."),
        FIGURE,
    ],
    rules: &[Rule::Ordered("min_area", "max_area")],
    work: Work::Plane(detect_blobs),
};

fn detect_blobs(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let parameters = call.parameters();
    let rules = BlobRules {
        threshold: parameters.number("threshold").unwrap_or_default(),
        min_area: parameters.size("min_area"),
        mean_area: parameters.size("mean_area"),
        max_area: parameters.size("max_area"),
        ..BlobRules::default()
    };
    let found = analysis::detect_blobs(call.grey("image")?, &*call.mask("mask")?, &rules)?;
    let Blobs { centroids, blobs } = found;
    Ok(vec![Made::Image(Value::Labels(centroids)), Made::Image(Value::Labels(blobs))])
}
