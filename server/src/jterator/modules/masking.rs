//! `clip`, `apply_mask`, `combine_masks`.

use tm_engine::analysis::{self, LogicalOperation, Mask};
use tm_engine::image::GreyPlane;

use super::spec::{FIGURE, Input, Makes, Module, Output, PLOT, Preset, Takes};
use crate::jterator::run::{Call, Made, ModuleError, Work};
use crate::jterator::{HandleType, Value};

/// Cuts a mask out of another.
pub const CLIP: Module = Module {
    name: "clip",
    older_names: &[],
    version: "0.1.0",
    help: "Removes from a mask or label image what another mask covers: cells without their nuclei.",
    inputs: &[
        Input::image("image", HandleType::MaskImage, "Mask or labels to cut from."),
        Input::image("clipping_mask", HandleType::MaskImage, "What to cut away."),
        PLOT,
    ],
    outputs: &[
        Output::made(
            "clipped_image",
            HandleType::MaskImage,
            Makes::Like("image"),
            "What is left; labels stay as they are.",
        ),
        FIGURE,
    ],
    rules: &[],
    work: Work::Plane(clip),
};

/// Keeps what a mask covers.
pub const APPLY_MASK: Module = Module {
    name: "apply_mask",
    older_names: &[],
    version: "0.2.0",
    help: "Sets all pixels of an image to 0 that a mask does not cover.",
    inputs: &[
        Input::image("image", HandleType::Image, "Image of any kind."),
        Input::image("mask", HandleType::MaskImage, "What to keep."),
        Input::value(
            "plot_type",
            HandleType::Scalar,
            Takes::Choice(&["objects", "intensity"]),
            Preset::Text("objects"),
            "What the figure shows.",
        ),
        PLOT,
    ],
    outputs: &[
        Output::made(
            "masked_image",
            HandleType::Image,
            Makes::Like("image"),
            "The image with 0 outside of the mask.",
        ),
        FIGURE,
    ],
    rules: &[],
    work: Work::Plane(apply_mask),
};

/// Combines two masks.
pub const COMBINE_MASKS: Module = Module {
    name: "combine_masks",
    older_names: &[],
    version: "0.0.2",
    help: "Combines two masks, pixel by pixel.",
    inputs: &[
        Input::image("mask_1", HandleType::MaskImage, "One mask."),
        Input::image("mask_2", HandleType::MaskImage, "The other."),
        Input::value(
            "logical_operation",
            HandleType::Scalar,
            Takes::Choice(&["AND", "OR", "EXCLUSIVE_OR"]),
            // Version 0.0.1 knew no other.
            Preset::Text("OR"),
            "Which pixels to keep: those of both, of either, or of exactly one.",
        ),
        PLOT,
    ],
    outputs: &[Output::image("combined_mask", HandleType::BinaryImage, "The combination."), FIGURE],
    rules: &[],
    work: Work::Plane(combine_masks),
};

fn clip(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let mask = call.mask("clipping_mask")?;
    Ok(vec![Made::Image(keep(call.image("image")?, &mask.inverted())?)])
}

fn apply_mask(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let mask = call.mask("mask")?;
    Ok(vec![Made::Image(keep(call.image("image")?, &mask)?)])
}

/// An image with 0 outside of a mask.
fn keep(image: &Value, mask: &Mask) -> Result<Value, ModuleError> {
    Ok(match image {
        Value::Grey(GreyPlane::U8(plane)) => Value::Grey(analysis::apply_mask(plane, mask)?.into()),
        Value::Grey(GreyPlane::U16(plane)) => Value::Grey(analysis::apply_mask(plane, mask)?.into()),
        Value::Mask(plane) => Value::Mask(analysis::combine_masks(plane, mask, LogicalOperation::And)?),
        Value::Labels(plane) => Value::Labels(analysis::apply_mask(plane, mask)?),
    })
}

fn combine_masks(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let operation = match call.parameters().text("logical_operation") {
        "AND" => LogicalOperation::And,
        "EXCLUSIVE_OR" => LogicalOperation::ExclusiveOr,
        _ => LogicalOperation::Or,
    };
    let combined = analysis::combine_masks(&*call.mask("mask_1")?, &*call.mask("mask_2")?, operation)?;
    Ok(vec![Made::Image(Value::Mask(combined))])
}
