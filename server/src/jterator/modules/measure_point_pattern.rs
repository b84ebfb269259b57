//! `measure_point_pattern`.

use tm_engine::analysis::point_pattern;

use super::assignment::assigned;
use super::columns;
use super::spec::{FIGURE, Input, Measures, Module, Output, PLOT};
use crate::jterator::HandleType;
use crate::jterator::run::{Call, Made, ModuleError, Work};

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
    work: Work::Plane(measure_point_pattern),
};

fn measure_point_pattern(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let points = call.regions("extract_objects")?;
    let references = call.labels("ref_objects")?;
    let compatible = call.parameters().flag("compatible");
    let table = point_pattern::measure(&points, references, &*call.regions("ref_objects")?, compatible)?;
    assigned(call, &points, table)
}
