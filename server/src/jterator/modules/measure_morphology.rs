//! `measure_morphology`.

use tm_engine::analysis::{shape, zernike};

use super::assignment::assigned;
use super::columns;
use super::spec::{FIGURE, Input, Measures, Module, Output, PLOT};
use crate::jterator::HandleType;
use crate::jterator::run::{Call, Made, ModuleError, Work};

/// How large objects are and what shape they have.
pub const MEASURE_MORPHOLOGY: Module = Module {
    name: "measure_morphology",
    older_names: &[],
    version: "0.2.0",
    help: "Measures size and shape of objects.",
    inputs: &[
        Input::image("extract_objects", HandleType::SegmentedObjects, "Objects to measure."),
        Input::image("assign_objects", HandleType::SegmentedObjects, "Objects to assign the values to."),
        Input::aggregate(),
        Input::flag("measure_zernike", false, "Whether to measure Zernike moments, which takes long."),
        PLOT,
        Input::compatible("Whether radii reach into objects that touch, as in version 0.5."),
    ],
    outputs: &[
        Output::measurements(Measures {
            objects: "assign_objects",
            objects_ref: "extract_objects",
            channel_ref: None,
            columns: columns::morphology,
        }),
        FIGURE,
    ],
    rules: &[],
    work: Work::Plane(measure_morphology),
};

fn measure_morphology(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let parameters = call.parameters();
    let labels = call.labels("extract_objects")?;
    let regions = call.regions("extract_objects")?;
    let mut table = shape::measure(labels, &regions, parameters.flag("compatible"))?;
    if parameters.flag("measure_zernike") {
        table.columns.extend(zernike::measure(&regions).columns);
    }
    assigned(call, &regions, table)
}
