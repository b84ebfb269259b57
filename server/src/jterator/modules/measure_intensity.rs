//! `measure_intensity`.

use tm_engine::analysis::intensity;

use super::assignment::assigned;
use super::columns;
use super::spec::{FIGURE, Input, Measures, Module, Output, PLOT};
use crate::jterator::HandleType;
use crate::jterator::run::{Call, Made, ModuleError, Work};

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
    work: Work::Plane(measure_intensity),
};

fn measure_intensity(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let regions = call.regions("extract_objects")?;
    let table = intensity::measure(&regions, call.grey("intensity_image")?)?;
    assigned(call, &regions, table)
}
