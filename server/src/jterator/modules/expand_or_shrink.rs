//! `expand_or_shrink`.

use tm_engine::analysis;

use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Takes};
use crate::jterator::run::{Call, Made, ModuleError, Work};
use crate::jterator::{HandleType, Value};

/// Grows or shrinks objects.
pub const EXPAND_OR_SHRINK: Module = Module {
    name: "expand_or_shrink",
    older_names: &["expand"],
    version: "0.1.1",
    help: "Grows or shrinks objects by a number of pixels; they never grow into each other.",
    inputs: &[
        Input::image("image", HandleType::LabelImage, "Objects."),
        Input::value(
            "n",
            HandleType::Numeric,
            Takes::Whole { min: -10_000, max: 10_000 },
            Preset::Required,
            "Pixels to grow by; to shrink by if negative.",
        ),
        PLOT,
        Input::compatible(
            "Whether to grow by a pixel less and not to shrink where objects touch, as version 0.5 did.",
        ),
    ],
    outputs: &[
        Output::image("expanded_image", HandleType::LabelImage, "The objects, grown or shrunk."),
        FIGURE,
    ],
    rules: &[],
    work: Work::Plane(expand_or_shrink),
};

fn expand_or_shrink(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let parameters = call.parameters();
    let distance = parameters.whole("n").and_then(|pixels| i32::try_from(pixels).ok()).unwrap_or_default();
    let labels = analysis::expand_or_shrink(call.labels("image")?, distance, parameters.flag("compatible"));
    Ok(vec![Made::Image(Value::Labels(labels))])
}
