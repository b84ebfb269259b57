//! `register_objects`, `register_objects_channel`, `use_label_image`.

use std::sync::Arc;

use tm_engine::analysis::{Connectivity, label};
use tm_engine::image::{GreyPlane, Plane};

use super::spec::{Input, Module, Output};
use crate::jterator::run::{Call, Made, ModuleError, Work};
use crate::jterator::{HandleType, Value};

/// What is registered.
const OBJECTS: Output = Output::image(
    "objects",
    HandleType::SegmentedObjects,
    "The objects; the key is the name of their type, such as `Nuclei`.",
);

/// Names a label image.
pub const REGISTER_OBJECTS: Module = Module {
    name: "register_objects",
    older_names: &[],
    version: "0.1.0",
    help: "Gives objects a type, so that they can be measured and saved.",
    inputs: &[Input::image(
        "mask",
        HandleType::MaskImage,
        "Labels, or a mask whose components are labelled.",
    )],
    outputs: &[OBJECTS],
    rules: &[],
    work: Work::Plane(register_objects),
};

/// Names labels that came as a channel.
pub const REGISTER_OBJECTS_CHANNEL: Module = Module {
    name: "register_objects_channel",
    older_names: &[],
    version: "0.1.0",
    help: "Gives objects a type whose labels were uploaded as a channel.",
    inputs: &[Input::image("mask", HandleType::IntensityImage, "Channel whose grey values are labels.")],
    outputs: &[OBJECTS],
    rules: &[],
    work: Work::Plane(labels_of_channel),
};

/// Takes a channel for labels.
pub const USE_LABEL_IMAGE: Module = Module {
    name: "use_label_image",
    older_names: &[],
    version: "0.1.0",
    help: "Takes the grey values of a channel for labels.",
    inputs: &[Input::image(
        "input_image",
        HandleType::IntensityImage,
        "Channel whose grey values are labels.",
    )],
    outputs: &[Output::image("label_image", HandleType::LabelImage, "The labels.")],
    rules: &[],
    work: Work::Plane(labels_of_channel),
};

fn register_objects(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let mask = call.shared("mask")?;
    Ok(vec![match &**mask {
        Value::Labels(_) => Made::Same(Arc::clone(mask)),
        _ => Made::Image(Value::Labels(label(&*call.mask("mask")?, Connectivity::Four))),
    }])
}

/// The grey values of the one input as labels.
fn labels_of_channel(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let image = call.only_grey()?;
    let (size, labels) = match image {
        GreyPlane::U8(plane) => (plane.size(), plane.pixels().iter().map(|&value| value.into()).collect()),
        GreyPlane::U16(plane) => (plane.size(), plane.pixels().iter().map(|&value| value.into()).collect()),
    };
    Ok(vec![Made::Image(Value::Labels(Plane::new(size, labels)?))])
}
