//! `expand_or_shrink`.

use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Takes};
use crate::jterator::HandleType;

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
            Takes::Number { min: -10_000.0, max: 10_000.0 },
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
};
