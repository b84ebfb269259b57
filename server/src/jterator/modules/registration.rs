//! `register_objects`, `register_objects_channel`, `use_label_image`.

use super::spec::{Input, Module, Output};
use crate::jterator::HandleType;

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
};
