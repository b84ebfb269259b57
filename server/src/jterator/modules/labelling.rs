//! `fill`, `label`, `relabel`.

use tm_engine::analysis::{self, Connectivity};

use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Takes};
use crate::jterator::run::{Call, Made, ModuleError, Work};
use crate::jterator::{HandleType, Value};

/// Closes holes.
pub const FILL: Module = Module {
    name: "fill",
    older_names: &[],
    version: "0.0.1",
    help: "Fills the holes of a mask.",
    inputs: &[Input::image("mask", HandleType::BinaryImage, "Mask with holes."), PLOT],
    outputs: &[Output::image("filled_mask", HandleType::BinaryImage, "Mask without holes."), FIGURE],
    rules: &[],
    work: Work::Plane(fill),
};

/// Numbers what hangs together.
pub const LABEL: Module = Module {
    name: "label",
    older_names: &[],
    version: "0.1.0",
    help: "Gives every connected component of a mask a label.",
    inputs: &[
        Input::image("mask", HandleType::MaskImage, "Mask whose components are labelled."),
        Input::value(
            "connectivity",
            HandleType::Numeric,
            Takes::WholeChoice(&[4, 8]),
            Preset::Whole(8),
            "Neighbours of a pixel: 4 with diagonals apart, 8 with them.",
        ),
        PLOT,
    ],
    outputs: &[Output::image("label_image", HandleType::LabelImage, "Labels of the components."), FIGURE],
    rules: &[],
    work: Work::Plane(label),
};

/// Numbers objects anew.
pub const RELABEL: Module = Module {
    name: "relabel",
    older_names: &[],
    version: "0.0.1",
    help: "Numbers the objects of a label image anew, from 1 and without gaps.",
    inputs: &[Input::image("label_image", HandleType::LabelImage, "Labels, with gaps perhaps."), PLOT],
    outputs: &[
        Output::image("relabeled_image", HandleType::LabelImage, "The same objects, numbered from 1."),
        FIGURE,
    ],
    rules: &[],
    work: Work::Plane(relabel),
};

fn fill(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let filled = analysis::fill_holes(&*call.mask("mask")?, Connectivity::Eight);
    Ok(vec![Made::Image(Value::Mask(filled))])
}

fn label(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let connectivity = match call.parameters().whole("connectivity") {
        Some(4) => Connectivity::Four,
        _ => Connectivity::Eight,
    };
    Ok(vec![Made::Image(Value::Labels(analysis::label(&*call.mask("mask")?, connectivity)))])
}

fn relabel(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    Ok(vec![Made::Image(Value::Labels(analysis::relabel(call.labels("label_image")?)))])
}
