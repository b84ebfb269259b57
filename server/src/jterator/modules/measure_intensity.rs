//! `measure_intensity`.

use super::columns;
use super::spec::{FIGURE, Input, Measures, Module, Output, PLOT};
use crate::jterator::HandleType;

/// How bright objects are.
pub const MEASURE_INTENSITY: Module = Module {
    name: "measure_intensity",
    older_names: &[],
    version: "0.1.1",
    help: "Measures how bright objects are: largest, mean and smallest grey value, their sum and deviation.",
    inputs: &[
        Input::image("extract_objects", HandleType::SegmentedObjects, "Objects to measure."),
        Input::image("assign_objects", HandleType::SegmentedObjects, "Objects to assign the values to."),
        Input::image("intensity_image", HandleType::IntensityImage, "Image to measure in."),
        Input::aggregate(),
        PLOT,
    ],
    outputs: &[
        Output::measurements(Measures {
            objects: "assign_objects",
            objects_ref: "extract_objects",
            channel_ref: Some("intensity_image"),
            columns: columns::intensity,
        }),
        FIGURE,
    ],
    rules: &[],
};
