//! `measure_point_pattern`.

use super::columns;
use super::spec::{FIGURE, Input, Measures, Module, Output, PLOT};
use crate::jterator::HandleType;

/// Where objects lie within others, and among themselves.
pub const MEASURE_POINT_PATTERN: Module = Module {
    name: "measure_point_pattern",
    older_names: &[],
    version: "0.1.1",
    help: "Measures how small objects are spread over the large ones that contain them.",
    inputs: &[
        Input::image("extract_objects", HandleType::SegmentedObjects, "Small objects, taken for points."),
        Input::image("ref_objects", HandleType::SegmentedObjects, "Large objects that contain them."),
        Input::image("assign_objects", HandleType::SegmentedObjects, "Objects to assign the values to."),
        Input::aggregate(),
        PLOT,
        Input::compatible("Whether the distance to the border is squared, as in version 0.5."),
    ],
    outputs: &[
        Output::measurements(Measures {
            objects: "assign_objects",
            objects_ref: "extract_objects",
            channel_ref: None,
            columns: columns::point_pattern,
        }),
        FIGURE,
    ],
    rules: &[],
};
